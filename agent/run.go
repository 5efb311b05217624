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
	taking, stopTaking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTaking()
	var takers sync.WaitGroup
	failed := make(chan error, 5)
	a.runShadow(taking, &takers)
	for name, run := range map[string]func(context.Context) error{
		"status endpoint": a.status.Run, "authorisation": a.auth.Run, "delivery": a.deliver.Run,
		"history": a.remember, "alerts": a.alert,
	} {
		takers.Go(func() {
			if err := run(taking); err != nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}

	giving, stopGiving := context.WithCancel(ctx)
	defer stopGiving()
	var givers sync.WaitGroup
	for _, s := range a.sources {
		givers.Go(func() { s.run(giving) })
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopGiving()
	a.await(&givers, "drivers")
	for _, s := range a.sources {
		s.feed.Close() // or whoever watches would hold the status endpoint up
	}
	stopTaking()
	a.await(&takers, "delivery")
	if cerr := a.spool.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("close the spool: %w", cerr))
	}
	a.o.Log.Info().Msg("stopped")
	return err
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
	limit := time.NewTimer(a.o.Config.Agent.StopTimeout/2 + stopSlack)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
		a.o.Log.Error().Str("part", what).Msg("it does not stop; going on without it")
	}
}

// stopSlack is what the parts get on top of the deadline that they keep
// themselves.
const stopSlack = time.Second

func (a *Agent) announce() {
	cfg := a.o.Config
	a.o.Log.Info().
		Str("agent", cfg.Agent.Name).
		Str("version", a.o.Version).
		Str("config", cfg.Digest()).
		Int("analyzers", len(a.sources)).
		Str("status", "http://"+a.StatusAddr()+"/").
		Msg("labcourier runs")
	for _, lane := range a.orphans() {
		a.o.Log.Warn().Str("analyzer", lane.Name).Uint64("queued", lane.Waiting).
			Msg("messages of an analyzer that is not in the configuration: add it again to deliver them")
	}
}
