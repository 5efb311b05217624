package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkAcknowledge measures how many messages a second are acknowledged
// over loopback TCP, every one fsynced first, with the server away. The limit is
// the disk's: plain appends of the same size, each synced, in the same run on
// the same disk. "per-append" is messages for each of those.
func BenchmarkAcknowledge(b *testing.B) {
	for _, analyzers := range []int{1, 64} {
		b.Run(fmt.Sprintf("analyzers %d", analyzers), func(b *testing.B) {
			w := newWorld(b, analyzers)
			stop := w.startInProcess(b)
			defer stop()
			w.send(b, 1) // connect, open, warm up
			each := max(1, b.N/analyzers)
			b.ResetTimer()
			w.send(b, each)
			b.StopTimer()
			rate := float64(each*analyzers) / b.Elapsed().Seconds()
			limit := appends(b, w.dir, len(w.benchs[0].message(1)))
			b.ReportMetric(rate, "msg/s")
			b.ReportMetric(limit, "appends/s")
			b.ReportMetric(rate/limit, "per-append")
		})
	}
}

// BenchmarkOutage compares how fast messages are acknowledged while the server is
// away with how fast they are while it takes them, in turns of one run. "down-per-up"
// of 1 or more means that an analyzer never pays for the server's absence.
func BenchmarkOutage(b *testing.B) {
	const analyzers, turns = 16, 4
	w := newWorld(b, analyzers)
	defer w.startInProcess(b)()
	w.send(b, 1)
	each := max(1, b.N/analyzers/turns)
	var took [2]time.Duration
	b.ResetTimer()
	for turn := range turns {
		up := turn%2 == 1
		stop := func() {}
		if up {
			stop = w.startServer()
		}
		began := time.Now()
		w.send(b, each)
		took[turn%2] += time.Since(began)
		stop()
	}
	b.StopTimer()
	sent := float64(each * analyzers * turns / 2)
	b.ReportMetric(sent/took[0].Seconds(), "msg/s-down")
	b.ReportMetric(sent/took[1].Seconds(), "msg/s-up")
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "down-per-up")
}

// appends measures synced appends a second.
func appends(b *testing.B, dir string, size int) float64 {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, size)
	n, began := 0, time.Now()
	for ; time.Since(began) < 500*time.Millisecond; n++ {
		if _, err := f.Write(buf); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}
