package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"

	"github.com/labcourier/labcourier/agent/config"
)

// hosted runs serve, as a service if the service manager started this program.
//
// The service library's own Run is not used: it would never notice that the
// agent ended by itself, and it gives the manager no hint how long a stop takes.
func (p *program) hosted(ctx context.Context, serve func(context.Context, host) error) error {
	isService, err := svc.IsWindowsService()
	if err != nil || !isService {
		return serve(ctx, host{log: p.err, opened: func(*config.Config) {}})
	}
	events, err := eventlog.Open(serviceName)
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer func() { _ = events.Close() }()
	s := &windowsService{ctx: ctx, serve: serve, events: events, opened: make(chan time.Duration, 1), reload: make(chan string, 1)}
	if err := svc.Run(serviceName, s); err != nil {
		return fmt.Errorf("serve the service manager: %w", err)
	}
	return s.err
}

// windowsService is the agent in the hands of the service manager.
type windowsService struct {
	ctx    context.Context //nolint:containedctx // svc.Handler has no place for it
	serve  func(context.Context, host) error
	events *eventlog.Log
	opened chan time.Duration // how long a stop may take, once the agent serves
	reload chan string
	err    error
}

var _ svc.Handler = (*windowsService)(nil)

// checkpoint is how often the manager is told that a start or a stop goes on.
const checkpoint = time.Second

// Execute runs the agent until the manager stops it or it ends by itself. An
// agent that ended with an error is reported as failed, so that the manager's
// recovery starts it again.
func (s *windowsService) Execute(_ []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- s.serve(ctx, host{log: eventWriter{s.events}, sparing: true, opened: s.open, reload: s.reload})
	}()

	// A damaged spool is read out while the start is pending.
	now := svc.Status{State: svc.StartPending, WaitHint: uint32((10 * time.Second).Milliseconds())}
	changes <- now
	tick := time.NewTicker(checkpoint)
	defer tick.Stop()
	stopTimeout := 10 * time.Second
	for {
		select {
		case stopTimeout = <-s.opened:
			now = svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptPreShutdown | svc.AcceptParamChange}
			changes <- now
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				changes <- now
			case svc.ParamChange: // `sc control labcourier paramchange`
				select {
				case s.reload <- "service control":
				default: // one is to come
				}
			case svc.Stop, svc.PreShutdown, svc.Shutdown:
				now = svc.Status{State: svc.StopPending, WaitHint: uint32((stopTimeout + 5*time.Second).Milliseconds())}
				changes <- now
				cancel()
			}
		case <-tick.C:
			if now.State != svc.Running {
				now.CheckPoint++
				changes <- now
			}
		case s.err = <-ended:
			return s.outcome()
		}
	}
}

// outcome is what the manager is told at the end.
func (s *windowsService) outcome() (specific bool, code uint32) {
	if s.err == nil || errors.Is(s.err, context.Canceled) {
		return false, 0
	}
	_ = s.events.Error(eventError, s.err.Error())
	if _, is := errors.AsType[config.Faults](s.err); is {
		return true, exitUsage
	}
	return true, exitFailed
}

// open notes that the agent serves. A crash would leave its words nowhere, for a
// service has no standard error: they go to a file beside the data.
func (s *windowsService) open(cfg *config.Config) {
	s.opened <- cfg.Agent.StopTimeout
	f, err := os.OpenFile(filepath.Join(cfg.Agent.DataDir, "crash.txt"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		err = debug.SetCrashOutput(f, debug.CrashOptions{})
		_ = f.Close() // SetCrashOutput has its own handle
	}
	if err != nil {
		_ = s.events.Warning(eventWarning, "crash.txt cannot be written: "+err.Error())
	}
}

// Numbers of events. Those up to 1000 need no message file.
const (
	eventInfo    = 1
	eventWarning = 2
	eventError   = 3
)

// eventWriter writes the log's lines into the event log of Windows.
type eventWriter struct{ events *eventlog.Log }

var _ zerolog.LevelWriter = eventWriter{}

// Write takes a line whose level nobody told.
func (w eventWriter) Write(line []byte) (int, error) { return w.WriteLevel(zerolog.InfoLevel, line) }

// WriteLevel writes a line as an event of its level. The event log is not for
// tracing: what is below info is dropped.
func (w eventWriter) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	if level < zerolog.InfoLevel {
		return len(line), nil
	}
	var text bytes.Buffer
	c := zerolog.ConsoleWriter{Out: &text, NoColor: true, PartsExclude: []string{zerolog.TimestampFieldName, zerolog.LevelFieldName}}
	if _, err := c.Write(line); err != nil {
		text.Reset()
		text.Write(line) // not JSON: as it is
	}
	words := text.String()
	switch {
	case level >= zerolog.ErrorLevel:
		return len(line), w.events.Error(eventError, words)
	case level == zerolog.WarnLevel:
		return len(line), w.events.Warning(eventWarning, words)
	}
	return len(line), w.events.Info(eventInfo, words)
}
