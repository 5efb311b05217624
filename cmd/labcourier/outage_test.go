package main

import (
	"context"
	"sync"
	"testing"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/rs/zerolog"
)

// TestOutage sends thousands of messages while the server is down: all are
// acknowledged, none waits for it. Then the server comes, and gets each once.
func TestOutage(t *testing.T) {
	t.Parallel() // its time goes by waiting
	messages := 1_000
	if heavy() {
		messages = 10_000
	}
	w := newWorld(t, 4)
	stop := w.startInProcess(t)
	defer stop()
	w.send(t, messages/len(w.benchs))

	var s status.Snapshot
	until(t, "the status says that all is well", func() bool { // until the first try has failed
		var err error
		if s, err = status.NewClient(w.status).Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		level, _, _ := status.Sentence(s)
		return level != status.LevelOK
	})
	if s.Spool.Queued != uint64(messages) || s.Server.Reachable || s.Spool.Delivered != 0 {
		t.Fatalf("with the server down: %+v, reachable %v", s.Spool, s.Server.Reachable)
	}

	w.startServer()
	if err := w.server.Wait(t.Context(), "DiagnosticReport", messages); err != nil {
		t.Fatal(err)
	}
	if faults := w.faults(); len(faults) > 0 {
		t.Fatalf("%d faults, the first: %v", len(faults), faults[:min(5, len(faults))])
	}
	t.Logf("%d messages acknowledged with the server down, each on the server once when it was up", messages)
}

// startInProcess runs the agent in this process until stop is called.
func (w *world) startInProcess(t testing.TB) (stop func()) {
	cfg, err := config.Load(w.config, kinds())
	if err != nil {
		t.Fatal(err)
	}
	log, endLog := zerolog.New(w.log), func() {}
	if cfg.Log.File != "" {
		log, endLog = host{log: w.log}.openLog(cfg.Log)
	}
	a, err := agent.Open(agent.Options{Config: cfg, Kinds: kinds(), Version: "test", Log: log, OpenPort: openPort})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("agent ended with %v", err)
		}
		endLog()
	}
}

// send lets each analyzer send until it has had count more messages acknowledged.
func (w *world) send(t testing.TB, count int) {
	var running sync.WaitGroup
	for _, b := range w.benchs {
		running.Go(func() {
			if err := b.run(t.Context(), len(b.acknowledged())+count); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
}
