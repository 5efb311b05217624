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
