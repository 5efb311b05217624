package agent

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/agent/status"
)

const (
	// firstBeat gives the links and the sign-in a moment, so that the first state
	// that the server sees is not one of nothing.
	firstBeat = 2 * time.Second

	// beatAgain is when a heartbeat that could not be written is tried again.
	beatAgain = time.Minute

	// lastBeat is what the word that the agent stops may take of stopping.
	lastBeat = 3 * time.Second
)

// heart is the heartbeat under way.
type heart struct {
	*Agent
	at   time.Time // of the last that was written
	said string    // why the last that failed did
	log  zerolog.Logger
}

// heartbeat writes the agent's own Device to the server, while that is wanted, until
// ctx ends, and then that it stopped. The authorisation runs longer than ctx. What
// goes wrong is told in the log, once for each reason, and disturbs nothing.
func (a *Agent) heartbeat(ctx context.Context) {
	h := heart{Agent: a, log: a.component("deliver")}
	for pause := firstBeat; ; pause = h.turn(ctx) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			h.last(ctx)
			return
		}
	}
}

// turn beats if it is time, and says when to look again: within a minute, since a
// reload may ask for something else.
func (h *heart) turn(ctx context.Context) time.Duration {
	every := h.config().Server.Heartbeat
	if every == 0 {
		return beatAgain
	}
	if rest := every - time.Since(h.at); rest > 0 {
		return min(rest, beatAgain)
	}
	err := h.beat(ctx, true)
	switch {
	case err == nil:
		h.at, h.said = time.Now(), ""
	case ctx.Err() != nil, errors.Is(err, deliver.ErrBusy), err.Error() == h.said:
	default:
		h.said = err.Error()
		h.log.Warn().Err(err).Msg("the agent's own state was not written to the server")
	}
	return beatAgain
}

// last says that the agent stops.
func (h *heart) last(ctx context.Context) {
	if h.config().Server.Heartbeat == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastBeat)
	defer cancel()
	if err := h.beat(ctx, false); err != nil {
		h.log.Info().Err(err).Msg("the server was not told that the agent stops")
	}
}

// beat writes how the agent does.
func (a *Agent) beat(ctx context.Context, running bool) error {
	if a.exchanging.Load() {
		return deliver.ErrBusy // a reload ends one delivery and begins another
	}
	up := a.parts.Load().up
	e, err := up.reader.mapper.Heartbeat(beatOf(a.Snapshot(), up.main.deliver.State(), running))
	if err != nil {
		return err
	}
	return up.main.deliver.Renew(ctx, e)
}

// beatOf counts. Lanes of analyzers that are no longer configured have messages
// and no link.
func beatOf(s status.Snapshot, d deliver.State, running bool) fhir.Beat {
	b := fhir.Beat{At: s.Agent.Now.Time, Running: running, Waiting: s.Spool.Queued, Parked: s.Spool.Parked}
	for _, an := range s.Analyzers {
		b.OldestWaiting = max(b.OldestWaiting, time.Duration(an.OldestWaiting)*time.Second)
		if an.LastMessage.After(b.LastMessage) {
			b.LastMessage = an.LastMessage.Time
		}
		if an.Driver == "" {
			continue
		}
		b.Links++
		if an.Link == status.LinkConnected {
			b.LinksUp++
		}
	}
	for _, l := range d.Lanes {
		if l.LastSuccess.After(b.LastDelivery) {
			b.LastDelivery = l.LastSuccess
		}
	}
	return b
}
