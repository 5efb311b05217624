package folder

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// spooled is a drivers.Handler over a real spool with the test's clock.
type spooled struct{ *spool.Spool }

func (s spooled) Receive(ctx context.Context, m drivers.Message) error {
	_, err := s.Put(ctx, spool.Record{Lane: m.Source, Kind: m.Kind, Received: m.Received, Payload: m.Payload, Stage: spool.Stage(m.Stage), Fault: m.Fault})
	return err
}

// The process dies at each point of taking three files, and starts again after a
// day: far outside of the re-send window. Each message is stored once.
func TestCrashAtEveryPoint(t *testing.T) {
	for dies := 1; ; dies++ {
		died := false
		t.Run(fmt.Sprintf("at point %d", dies), func(t *testing.T) {
			r := newRig(t, nil)
			store := filepath.Join(t.TempDir(), "spool.db")
			open := func() *spool.Spool {
				s, err := spool.Open(store, spool.Options{ResendWindow: 30 * time.Minute, Now: func() time.Time { return r.clock }})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := open()
			r.handler = spooled{s}
			r.drop("a.csv", "1\n2\n3\n", 3)
			r.drop("b.csv", "4\n", 2)
			r.drop("c.csv", "5\n6\n", 1)
			n := 0
			r.kill = func(string) error {
				if n++; n == dies {
					died = true
					return errKilled
				}
				return nil
			}
			_ = r.turn()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			r.clock = r.clock.Add(24 * time.Hour)
			r.start(r.o)
			s = open()
			defer s.Close()
			r.handler = spooled{s}
			if err := r.turn(); err != nil {
				t.Fatal(err)
			}
			found, err := s.List(spool.Query{Lane: "x", State: spool.Waiting})
			if err != nil || len(found) != 6 {
				t.Fatalf("%d messages are stored, want 6 (%v)", len(found), err)
			}
			for i, m := range found {
				got, err := s.Get(m.Seq)
				if want := fmt.Sprint(i + 1); err != nil || string(got.Payload) != want {
					t.Errorf("message %d is %q, %v", i+1, got.Payload, err)
				}
			}
			r.holds("", "done")
			r.holds("done", "a.csv", "b.csv", "c.csv")
		})
		if !died {
			if dies < 15 {
				t.Errorf("only %d points", dies)
			}
			return
		}
	}
}

// Files that are due together are in the journal, on disk, before the first of them
// is handed over, and each with the time that its messages then carry.
func TestGroupIsNotedFirst(t *testing.T) {
	r := newRig(t, nil)
	const files = 2*groupSize + 3
	for n := range files {
		r.drop(fmt.Sprintf("%02d.csv", n), fmt.Sprintf("%d\n", n), files-n)
	}
	taken := 0
	r.kill = func(at string) error {
		if at != "read" {
			return nil
		}
		onDisk := journal{path: r.o.Journal}
		if err := onDisk.load(); err != nil {
			t.Error(err)
		}
		if want := min((taken/groupSize+1)*groupSize, files); len(onDisk.files) != want {
			t.Errorf("file %d: %d files are noted, want %d", taken, len(onDisk.files), want)
		}
		taken++
		return nil
	}
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	if taken != files {
		t.Errorf("%d files were taken, want %d", taken, files)
	}
}

// BenchmarkLook is a backlog of 64 files, into a real spool on a real disk.
func BenchmarkLook(b *testing.B) {
	const files = 64
	s, err := spool.Open(filepath.Join(b.TempDir(), "spool.db"), spool.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := newRig(b, nil)
	r.handler = spooled{s}
	round := 0
	for b.Loop() {
		b.StopTimer()
		round++
		for n := range files {
			r.drop(fmt.Sprintf("%d-%02d.csv", round, n), fmt.Sprintf("%d %d\n", round, n), files-n)
		}
		_ = r.look(b.Context())
		r.clock = r.clock.Add(r.o.Settle)
		b.StartTimer()
		if err := r.look(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
}
