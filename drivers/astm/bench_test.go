package astm

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// panel is a message of 30 results, about 2.5 kB.
func panel() []byte {
	var b bytes.Buffer
	b.WriteString("H|\\^&|||SIM^1|||||||P|1|20261122080000\rP|1\rO|1|S-100||^^^CBC|R||20261122075900||||N||||SER||||||||||F\r")
	for i := range 30 {
		fmt.Fprintf(&b, "R|%d|^^^T%02d|%d.%02d|mmol/L|3.9^5.8|N||F||op||20261122075900|I1\r", i+1, i, i, i)
	}
	b.WriteString("L|1|N\r")
	return b.Bytes()
}

// BenchmarkDecoder measures frames off the wire. The limit is what a plain copy
// of the same bytes takes, measured in the same run; "copies" says how many.
func BenchmarkDecoder(b *testing.B) {
	for _, size := range []int{240, 4000} {
		b.Run(fmt.Sprintf("text %d", size), func(b *testing.B) {
			var wire []byte
			for _, f := range Frames(bytes.Repeat(panel(), 20), size, false) {
				wire = append(wire, f...)
			}
			sink := make([]byte, len(wire))
			began := time.Now()
			for range 200 {
				copy(sink, wire)
			}
			limit := time.Since(began) / 200
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			var d Decoder
			for b.Loop() {
				for p := wire; len(p) > 0; {
					n, f, done := d.Feed(p)
					if done && f.Fault != FaultNone {
						b.Fatal(f.Fault)
					}
					p = p[n:]
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(limit), "copies")
		})
	}
}

// BenchmarkLink measures the whole receiver, with a store that costs nothing.
func BenchmarkLink(b *testing.B) {
	wire := []byte{ENQ}
	for _, f := range Frames(panel(), 240, true) {
		wire = append(wire, f...)
	}
	wire = append(wire, EOT)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	l := NewLink(Options{}, func() error { return nil })
	now := time.Time{}
	for b.Loop() {
		now = now.Add(time.Minute)
		for p := wire; len(p) > 0; {
			n, s := l.Feed(now, p)
			p = p[n:]
			for len(s.Store) > 0 {
				s = l.Stored(now, nil)
			}
			if s.Refused != "" {
				b.Fatal(s.Refused)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkParse measures records to reports; the limit is a copy of the bytes
// through an io.Writer.
func BenchmarkParse(b *testing.B) {
	m := panel()
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(m, drivers.ParseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	for range 1000 {
		io.Copy(io.Discard, bytes.NewReader(m))
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(float64(time.Since(began))/1000), "copies")
}
