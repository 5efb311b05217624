package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent"
)

// listenWithin is how long the listeners get to open before systemd is told
// that the agent is ready anyway: a line that is not plugged in holds up nobody.
const listenWithin = 5 * time.Second

// systemd is told how the agent does, where it started this program and wants
// to know.
type systemd struct {
	log zerolog.Logger

	// send is sd_notify. It reports whether anybody listens.
	send func(state string) bool
	// every is the time between two signs of life; 0: nobody wants them.
	every time.Duration
}

// systemdOf finds out from the environment what systemd wants to be told.
func systemdOf(log zerolog.Logger) systemd {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn().Err(err).Msg("the watchdog's environment cannot be read; it is not fed")
	}
	return systemd{log: log, every: limit / 3, send: func(state string) bool {
		told, err := daemon.SdNotify(false, state)
		if err != nil {
			log.Warn().Err(err).Msg("cannot tell systemd")
		}
		return told
	}}
}

// follow tells systemd when a is ready, how it does, that it is alive, and that
// it stops. It returns when ctx ends.
func (n systemd) follow(ctx context.Context, a *agent.Agent, stopTimeout time.Duration) {
	n.awaitReady(ctx, a)
	if !n.send(daemon.SdNotifyReady + "\n" + statusLine(a)) {
		return
	}
	every := n.every
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.send(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, (stopTimeout + 5*time.Second).Microseconds()))
			return
		case <-tick.C:
			n.beat(ctx, a, every)
		}
	}
}

// reloading tells systemd that a reload begins, or that it has ended, whatever
// became of it.
func (n systemd) reloading(begins bool) {
	if begins {
		n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
		return
	}
	n.send(daemon.SdNotifyReady)
}

// beat feeds the watchdog if the pipeline is alive, and only then.
func (n systemd) beat(ctx context.Context, a *agent.Agent, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := a.Alive(ctx); err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) {
			n.log.Error().Err(err).Msg("no sign of life; the watchdog is not fed")
		}
		return
	}
	n.send(daemon.SdNotifyWatchdog + "\n" + statusLine(a))
}

func (n systemd) awaitReady(ctx context.Context, a *agent.Agent) {
	ctx, cancel := context.WithTimeout(ctx, listenWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for a.Ready() != nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// statusLine is what `systemctl status` shows.
func statusLine(a *agent.Agent) string {
	s := a.Snapshot()
	line := fmt.Sprintf("STATUS=%d analyzers, %d messages waiting, %d parked", len(s.Analyzers), s.Spool.Queued, s.Spool.Parked)
	if err := a.Ready(); err != nil {
		line += "; not all is ready, see labcourier status"
	}
	return line
}

// alongside runs follow until the function it returns is called.
func (n systemd) alongside(ctx context.Context, a *agent.Agent, stopTimeout time.Duration) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { n.follow(ctx, a, stopTimeout) })
	return func() {
		cancel()
		running.Wait()
	}
}
