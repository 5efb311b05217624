//go:build !windows

package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// TestHangup sends SIGHUP to the real program: it reloads, and a file with faults
// changes nothing and does not end it.
func TestHangup(t *testing.T) {
	w := newWorld(t, 2)
	w.startServer()
	w.logKeys = "level = \"info\"\nformat = \"json\"\n"
	w.writeConfig("")
	child := startAgent(t, build(t, ""), w.config)
	look := func(ok func(status.Snapshot) bool) status.Snapshot {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			s, err := status.NewClient(w.status).Status(t.Context())
			if err == nil && ok(s) {
				return s
			}
			if time.Now().After(deadline) {
				t.Fatalf("%+v, %v\n%s", s.Config, err, child.errors)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	hangup := func() {
		if err := child.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	first := look(func(s status.Snapshot) bool {
		return len(s.Analyzers) == 2 && s.Analyzers[1].Link == status.LinkListening
	})
	last := fmt.Sprintf("name = %q", w.benchs[1].name)
	w.rewrite(t, last, "enabled = false\n"+last)
	hangup()
	second := look(func(s status.Snapshot) bool { return len(s.Analyzers) == 1 })
	if second.Config.Digest == first.Config.Digest || second.Agent.Started != first.Agent.Started {
		t.Errorf("%+v, then %+v", first, second)
	}
	w.rewrite(t, "enabled = false\n"+last, last+"\nenabld = true")
	hangup()
	if s := look(func(s status.Snapshot) bool { return s.Config.Refused }); len(s.Analyzers) != 1 || s.Config.Digest != second.Config.Digest {
		t.Errorf("%+v", s)
	}
	w.rewrite(t, "\nenabld = true", "")
	hangup()
	look(func(s status.Snapshot) bool { return len(s.Analyzers) == 2 && !s.Config.Refused })
	w.send(t, 2)
	w.drain(t, child)
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, child.errors)
	}
}
