package agent

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/trace"
)

// source is one analyzer: its driver, kept running.
type source struct {
	cfg    config.Analyzer
	port   drivers.Port
	feed   *trace.Feed // of what goes over the port
	driver drivers.Driver
	log    zerolog.Logger

	running atomic.Bool // while somebody keeps the driver running
	task
}

// Pauses before a driver that failed is started again. A run of steadyRun or
// longer was a good one.
const (
	minRestart = time.Second
	maxRestart = time.Minute
	steadyRun  = 5 * time.Minute
)

// run keeps the driver running until ctx ends. A driver that fails, or even
// panics, is started again and takes no other driver with it.
func (s *source) run(ctx context.Context) {
	s.running.Store(true)
	defer s.running.Store(false)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minRestart, maxRestart
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= steadyRun {
			pause.Reset()
		}
		d := pause.NextBackOff()
		s.log.Error().Err(err).Dur("pause", d).Msg("driver failed; starting it again")
		if !drivers.Pause(ctx, d) {
			return
		}
	}
}

// once runs the driver and turns a panic into an error. The trace holds no
// payload: Go prints the addresses of slices, not what is in them.
func (s *source) once(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Bytes("trace", debug.Stack()).Msg("driver panicked")
			err = fmt.Errorf("driver panicked: %T", p)
		}
	}()
	if err = s.driver.Run(ctx); err == nil && ctx.Err() == nil {
		err = fmt.Errorf("driver ended by itself")
	}
	return err
}
