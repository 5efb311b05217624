//go:build !windows

package main

import (
	"context"

	"github.com/labcourier/labcourier/agent/config"
)

// hosted runs serve. On Unix a service is a program like any other: it is
// stopped by a signal, and what it writes is the log.
func (p *program) hosted(ctx context.Context, serve func(context.Context, host) error) error {
	return serve(ctx, host{log: p.err, opened: func(*config.Config) {}})
}
