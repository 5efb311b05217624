package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestKillFolder kills the agent at random moments while an analyzer drops files.
// Each file is on the server once in the end, although the store forgets within a
// millisecond what it may take for a re-send: the folder's journal has to tell.
func TestKillFolder(t *testing.T) {
	t.Parallel() // its time goes by waiting
	rounds := 6
	if heavy() {
		rounds = 25
	}
	binary := build(t, "")
	w := newWorld(t, 0)
	out := filepath.Join(w.dir, "export")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	w.writeConfig(fmt.Sprintf(`[[analyzer]]
name = "export"
driver = "text"
folder = { path = '%s', pattern = "*.csv", settle = "100ms" }
resend_window = "1ms"
[analyzer.text]
frame = { by = "file" }
records = "lines"
[[analyzer.text.record]]
layout = "delimited"
delimiter = ";"
fields = { specimen = "1", test = "2", value = "3" }
`, out))
	w.startServer()
	ctx, stop := context.WithCancel(t.Context())
	var dropping sync.WaitGroup
	dropped := 0
	dropping.Go(func() {
		for ctx.Err() == nil {
			dropped++
			path := filepath.Join(out, fmt.Sprintf("%06d.csv", dropped))
			text := fmt.Sprintf("export-%06d;GLU;5.%d\nexport-%06d;K;4.%d\n", dropped, dropped%10, dropped, dropped%7)
			// Whole at once: a writer that is held up for longer than settle is told
			// apart from one that is done by nobody.
			if err := errors.Join(os.WriteFile(path+".part", []byte(text), 0o600), os.Rename(path+".part", path)); err != nil {
				t.Error(err)
				return
			}
			<-time.After(30 * time.Millisecond)
		}
	})
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range rounds {
		child := startAgent(t, binary, w.config)
		<-time.After(150*time.Millisecond + time.Duration(rng.IntN(400))*time.Millisecond)
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
	dropping.Wait()
	for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(50 * time.Millisecond) {
		left, _ := filepath.Glob(filepath.Join(out, "*.csv"))
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d files were not taken\n%s", len(left), dropped, child.errors)
		}
	}
	w.drain(t, child)
	times := map[string]int{}
	for _, id := range w.arrived()["export"] {
		times[id]++
	}
	for n := range dropped {
		if id := fmt.Sprintf("export-%06d", n+1); times[id] != 1 {
			t.Errorf("%s is on the server %d times", id, times[id])
		}
	}
	if faults := append(w.server.Duplicates(), w.server.Dangling()...); len(faults) > 0 {
		t.Error(faults)
	}
	t.Logf("%d rounds, %d files, each on the server once", rounds, dropped)
}
