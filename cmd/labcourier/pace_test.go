package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// BenchmarkPace lets 200 connected analyzers send 5 messages a second each, at
// fixed times, for ten seconds, to a real agent with its spool on disk. A message's
// time is from when it was due until its acknowledgement, so that one that waits
// for another counts its wait. The limit is the disk's: a file of its own beside
// the spool is flushed every 20 ms in the same run. "p99-over-flush-ms" is what the
// agent adds.
func BenchmarkPace(b *testing.B) {
	for _, up := range []bool{false, true} {
		name := "server down"
		if up {
			name = "server up"
		}
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, 200)
			if up {
				w.startServer()
			}
			stop := w.startInProcess(b)
			defer stop()
			w.send(b, 1) // connect, open, warm up
			var took, flushes []time.Duration
			for b.Loop() {
				ctx, cancel := context.WithCancel(b.Context())
				var flushing sync.WaitGroup
				flushing.Go(func() { flushes = append(flushes, w.flush(ctx)...) })
				took = append(took, w.pace(b, 50, 200*time.Millisecond)...)
				cancel()
				flushing.Wait()
			}
			ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
			p99, flush := percentile(took, 99), percentile(flushes, 99)
			b.ReportMetric(float64(len(took))/(b.Elapsed()).Seconds(), "msg/s")
			b.ReportMetric(ms(percentile(took, 50)), "p50-ms")
			b.ReportMetric(ms(p99), "p99-ms")
			b.ReportMetric(ms(percentile(flushes, 50)), "flush-p50-ms")
			b.ReportMetric(ms(flush), "flush-p99-ms")
			b.ReportMetric(ms(p99-flush), "p99-over-flush-ms")
		})
	}
}

func percentile(all []time.Duration, n int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)*n/100, len(all)-1)]
}

// pace lets each analyzer send count messages, one every period, all of them out of
// step, and returns how long each took.
func (w *world) pace(t testing.TB, count int, period time.Duration) (took []time.Duration) {
	var mu sync.Mutex
	var running sync.WaitGroup
	start := time.Now()
	for i, b := range w.benchs {
		first := start.Add(period * time.Duration(i) / time.Duration(len(w.benchs)))
		running.Go(func() {
			mine, err := b.pace(t.Context(), first, count, period)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	running.Wait()
	return took
}

// pace sends count messages over one connection, each when it is due.
func (b *testBench) pace(ctx context.Context, first time.Time, count int, period time.Duration) (took []time.Duration, err error) {
	p, err := port.Connect(port.ConnectConfig{Address: b.address})
	if err != nil {
		return nil, err
	}
	due := first.Add(-period)
	an := simulator.Analyzer{
		Port: p, Sender: simulator.ASTM{FrameText: 64000},
		Next: func(ctx context.Context) ([]byte, error) {
			if len(took) == count {
				return nil, errPaced
			}
			due = due.Add(period)
			wake := time.NewTimer(time.Until(due))
			defer wake.Stop()
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-wake.C:
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.sent++
			return b.message(b.sent), nil
		},
		Acknowledged: func([]byte) { took = append(took, time.Since(due)) },
	}
	if err = an.Run(ctx); errors.Is(err, errPaced) {
		err = nil
	}
	return took, err
}

var errPaced = errors.New("all messages are sent")

// flush appends a page to a file of its own and flushes it, again and again, and
// returns how long each flush took.
func (w *world) flush(ctx context.Context) (took []time.Duration) {
	f, err := os.Create(filepath.Join(w.dir, "flushed"))
	if err != nil {
		w.t.Error(err)
		return nil
	}
	defer f.Close()
	page := make([]byte, 4096)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return took
		case <-tick.C:
		}
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			w.t.Error(err)
		}
		if err := f.Sync(); err != nil {
			w.t.Error(err)
		}
		took = append(took, time.Since(began))
	}
}
