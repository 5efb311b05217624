package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// TestWatchStatus: --watch shows what changes, one JSON object in a line, and ends
// without an error when it is told to.
func TestWatchStatus(t *testing.T) {
	var asked atomic.Int64
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(status.Snapshot{Agent: status.Agent{Version: []string{"", "one", "two", "three"}[min(asked.Add(1), 3)]}})
	}))
	defer agent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- (&program{out: out}).watchStatus(ctx, statusFlags{address: agent.URL, json: true, every: time.Millisecond})
		out.Close()
	}()
	lines := json.NewDecoder(shown)
	for _, want := range []string{"one", "two", "three"} {
		var s status.Snapshot
		if err := lines.Decode(&s); err != nil || s.Agent.Version != want {
			t.Fatalf("shown: %q, %v, want %q", s.Agent.Version, err, want)
		}
	}
	cancel()
	_, _ = io.Copy(io.Discard, shown)
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
