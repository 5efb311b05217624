package alert

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/status"
)

// Way brings notices to people.
type Way interface {
	// Name says which way it is, for the log; it holds no secret.
	Name() string

	// Receivers are those who hear it, each by a name of its own, which may hold a
	// secret. There is one at least.
	Receivers() []string

	// Send returns nil once the other side has taken n for those of the receivers.
	// Its errors hold no secret. It ends with ctx.
	Send(ctx context.Context, n Notice, to []string) error
}

// Options says what is watched, and to whom it is told.
type Options struct {
	Agent, Version string
	Look           func() status.Snapshot
	Expiries       func() []Expiry // nil: there are none
	Limits         Limits
	Ways           []Way
	Memory         *Memory // what an earlier Run told; nil: nothing, and nothing is kept
	Log            zerolog.Logger
}

const (
	lookEvery   = 15 * time.Second
	sendTimeout = time.Minute
	firstPause  = 30 * time.Second
	longPause   = 15 * time.Minute
)

// Run watches and tells until ctx ends. The ways do not wait for each other.
func Run(ctx context.Context, o Options) error {
	var running sync.WaitGroup
	if o.Memory == nil {
		o.Memory = &Memory{}
	}
	for _, a := range o.Memory.audiences(o.Ways, o.Limits, time.Now()) {
		running.Go(func() { o.serve(ctx, a) })
	}
	<-ctx.Done()
	running.Wait()
	return nil
}

// serve tells an audience what there is to tell.
func (o Options) serve(ctx context.Context, a audience) {
	b, w := a.book, a.way
	log := o.Log.With().Str("way", w.Name()).Logger()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longPause
	var notBefore time.Time
	failing, adopted := false, false
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, shown, ends := time.Now(), o.Look(), o.expiries()
		if !adopted {
			b.adopt(o.Limits, problems(shown, ends, b.limits), problems(shown, ends, o.Limits))
			adopted = true
		}
		b.look(now, problems(shown, ends, o.Limits))
		n, due := b.due(now)
		if !due || now.Before(notBefore) {
			continue
		}
		n.signedBy(o.Agent, o.Version, b.started, b.number)
		err := o.send(ctx, a, n)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			notBefore = time.Now().Add(pauses.NextBackOff())
			if !failing {
				log.Error().Err(err).Msg("an alert cannot be sent; trying again. `labcourier alerts test` tries it, too")
			}
			failing = true
			continue
		}
		log.Info().Str("notice", n.ID).Int("events", len(n.Events)).Bool("failed_before", failing).Msg("alert sent")
		failing = false
		pauses.Reset()
		b.told(time.Now(), n)
	}
}

func (o Options) expiries() []Expiry {
	if o.Expiries == nil {
		return nil
	}
	return o.Expiries()
}

func (o Options) send(ctx context.Context, a audience, n Notice) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return a.way.Send(ctx, n, a.to)
}
