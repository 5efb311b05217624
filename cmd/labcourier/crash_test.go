package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// heavy reports whether the long suites were asked for.
func heavy() bool { return os.Getenv("LABCOURIER_CRASH") != "" }

// TestKill kills the agent at random moments while four analyzers send, again
// and again. Nothing that an analyzer saw acknowledged may be missing on the
// server, or be there twice, or out of its order.
func TestKill(t *testing.T) {
	t.Parallel() // its time goes by waiting
	rounds := 6
	if heavy() {
		rounds = 200
	}
	w, acknowledged := killLoop(t, rounds, "")
	if faults := w.faults(); len(faults) > 0 {
		t.Fatalf("%d faults, the first: %v", len(faults), faults[:min(5, len(faults))])
	}
	t.Logf("%d rounds, %d messages acknowledged, each on the server once and in order", rounds, acknowledged)
}

// TestKillNegativeControl shows that TestKill can fail: the same with the
// acknowledgement sent before the message is stored.
func TestKillNegativeControl(t *testing.T) {
	t.Parallel() // its time goes by waiting
	if !heavy() {
		t.Skip("set LABCOURIER_CRASH=1 for the negative control")
	}
	w, acknowledged := killLoop(t, 60, "ackbeforestore")
	var lost []string
	for _, f := range w.faults() {
		if strings.HasSuffix(f, "is there 0 times") {
			lost = append(lost, f)
		}
	}
	if len(lost) == 0 {
		t.Fatalf("the acknowledgement left before the message was stored, %d were acknowledged, and nobody noticed", acknowledged)
	}
	t.Logf("as it must: %d of %d lost, the first: %s", len(lost), acknowledged, lost[0])
}

// killLoop runs the agent built with tags and kills it that many times. It
// returns when the last run has delivered everything.
func killLoop(t *testing.T, rounds int, tags string) (w *world, acknowledged int) {
	binary := build(t, tags)
	w = newWorld(t, 4)
	w.startServer()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, b := range w.benchs {
		running.Go(func() {
			if err := b.run(ctx, 0); err != nil {
				t.Error(err)
			}
		})
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	count := func() (n int) {
		for _, b := range w.benchs {
			n += len(b.acknowledged())
		}
		return n
	}
	for n := range rounds {
		before := count()
		child := startAgent(t, binary, w.config)
		if n%2 == 1 { // the others may die in the middle of their start
			until(t, "nothing is acknowledged", func() bool { return count() > before })
		}
		<-time.After(40*time.Millisecond + time.Duration(rng.IntN(150))*time.Millisecond)
		child.Process.Kill() // SIGKILL
		child.Wait()
	}
	child := startAgent(t, binary, w.config)
	defer func() {
		child.Process.Signal(os.Interrupt)
		if err := child.Wait(); err != nil {
			t.Errorf("agent ended with %v", err)
		}
	}()
	stop()
	running.Wait()
	w.drain(t, child)
	return w, count()
}

// build builds the program as a release is built.
func build(t testing.TB, tags string) string {
	name := filepath.Join(t.TempDir(), "labcourier")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.Command("go", "build", "-tags", tags, "-o", name, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return name
}

// agentProcess is an agent in a process of its own.
type agentProcess struct {
	*exec.Cmd
	errors *strings.Builder
}

func startAgent(t testing.TB, binary, config string) *agentProcess {
	a := &agentProcess{exec.Command(binary, "run", "--config", config), &strings.Builder{}}
	a.Stderr = a.errors
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Process.Kill(); a.Wait() }) // before its folder is removed
	return a
}

// drain waits until nothing waits in the spool any more.
func (w *world) drain(t testing.TB, child *agentProcess) {
	deadline := time.Now().Add(3 * time.Minute)
	for {
		s, err := status.NewClient(w.status).Status(t.Context())
		if err == nil && s.Spool.Queued == 0 {
			if s.Spool.Parked != 0 {
				for _, a := range s.Analyzers {
					t.Logf("%s parked %d: %s", a.Name, a.Parked, a.ParkedReason)
				}
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not drained: %+v, %v\n%s", s.Spool, err, child.errors)
		}
		<-time.After(20 * time.Millisecond)
	}
}
