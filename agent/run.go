package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run serves until ctx ends. It starts what takes before what gives, stops in
// the opposite order, and closes the spool last.
func (a *Agent) Run(ctx context.Context) error {
	a.announce()
	st := &stage{failed: make(chan error, 1)}
	taking, stopTaking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTaking()
	giving, stopGiving := context.WithCancel(ctx)
	defer stopGiving()
	st.taking, st.giving = taking, giving
	st.serve("status endpoint", a.status.Run)
	st.serve("history", a.remember)
	if err := a.exchange(st, &parts{}, a.parts.Load()); err == nil {
		a.stage = st
		close(a.begun)
	}

	var beats sync.WaitGroup
	beats.Go(func() { a.heartbeat(giving) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-st.failed:
	}
	stopGiving()
	last := a.settled()
	a.await(&st.givers, "drivers")
	a.await(&beats, "heartbeat")
	for _, s := range last.sources {
		s.feed.Close() // or whoever watches would hold the status endpoint up
	}
	stopTaking()
	a.await(&st.takers, "delivery")
	if cerr := a.spool.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("close the spool: %w", cerr))
	}
	a.log.Info().Msg("stopped")
	return err
}

// settled are the parts at the end: an exchange under way has broken off, and none
// begins any more.
func (a *Agent) settled() *parts {
	a.swap.Lock()
	defer a.swap.Unlock()
	return a.parts.Load()
}

// serve runs what lasts as long as the agent.
func (st *stage) serve(name string, run func(context.Context) error) {
	st.takers.Go(func() {
		if err := run(st.taking); err != nil {
			st.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// await waits for what was told to stop, for half of the time that stopping may
// take. What hangs is left behind: after the spool is closed it can acknowledge
// nothing, and what it held is sent or delivered again.
func (a *Agent) await(parts *sync.WaitGroup, what string) {
	ended := make(chan struct{})
	go func() {
		parts.Wait()
		close(ended)
	}()
	limit := time.NewTimer(a.patience())
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
		a.log.Error().Str("part", what).Msg("it does not stop; going on without it")
	}
}

// patience is how long parts are waited for that are to stop.
func (a *Agent) patience() time.Duration { return a.config().Agent.StopTimeout/2 + stopSlack }

// stopSlack is what the parts get on top of the deadline that they keep
// themselves.
const stopSlack = time.Second

func (a *Agent) announce() {
	cfg, sources := a.config(), a.parts.Load().sources
	a.log.Info().
		Str("agent", cfg.Agent.Name).
		Str("version", a.o.Version).
		Str("config", cfg.Digest()).
		Int("analyzers", len(sources)).
		Str("status", "http://"+a.StatusAddr()+"/").
		Msg("labcourier runs")
	for _, lane := range a.orphans() {
		a.log.Warn().Str("analyzer", lane.Name).Uint64("queued", lane.Waiting).
			Msg("messages of an analyzer that is not in the configuration: add it again to deliver them")
	}
}
