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

	// Send returns nil once the other side has taken n. Its errors hold no
	// secret. It ends with ctx.
	Send(ctx context.Context, n Notice) error
}

// Options says what is watched, and to whom it is told.
type Options struct {
	Agent, Version string
	Look           func() status.Snapshot
	Expiries       func() []Expiry // nil: there are none
	Limits         Limits
	Ways           []Way
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
	started := time.Now()
	for _, w := range o.Ways {
		running.Go(func() { o.serve(ctx, w, started) })
	}
	<-ctx.Done()
	running.Wait()
	return nil
}

// serve tells what there is to tell by one way.
func (o Options) serve(ctx context.Context, w Way, started time.Time) {
	b := newBook(o.Limits, started)
	log := o.Log.With().Str("way", w.Name()).Logger()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longPause
	var notBefore time.Time
	failing := false
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		b.look(now, o.problems())
		n, due := b.due(now)
		if !due || now.Before(notBefore) {
			continue
		}
		n.signedBy(o.Agent, o.Version, started, b.number)
		err := o.send(ctx, w, n)
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

func (o Options) problems() []problem {
	var ends []Expiry
	if o.Expiries != nil {
		ends = o.Expiries()
	}
	return problems(o.Look(), ends, o.Limits)
}

func (o Options) send(ctx context.Context, w Way, n Notice) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return w.Send(ctx, n)
}
