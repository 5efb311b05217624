//go:build !windows

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/labcourier/labcourier/agent/config"
)

// hosted runs serve. On Unix a service is a program like any other: it is
// stopped by a signal, and what it writes is the log. SIGHUP reloads the
// configuration; at a terminal it ends the program as ever, for there it says that
// the terminal is gone.
func (p *program) hosted(ctx context.Context, serve func(context.Context, host) error) error {
	h := host{log: p.err, opened: func(*config.Config) {}}
	if !isTerminal(p.err) {
		reload := make(chan string, 1)
		h.reload = reload
		defer onHangup(func() {
			select {
			case reload <- "SIGHUP":
			default: // one is to come, and will see what this one would
			}
		})()
	}
	return serve(ctx, h)
}

// onHangup calls do at each SIGHUP until the function it returns is called.
func onHangup(do func()) (end func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	over := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				do()
			case <-over:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(over)
	}
}
