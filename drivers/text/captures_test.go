package text_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/capturetest"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/text"
)

// captured is what should be made of a capture. It was read off the captures by
// hand.
type captured struct {
	file, stanza string
	answers      string // all that the analyzer is told
	reports      [][]string
}

func captures() []captured {
	// The chromatogram of a run without a sample: no peaks, no barcode.
	tosoh := func(n string) [][]string { return [][]string{{"empty | 0001 - 11 | " + n}} }
	acks := func(n int) string { return string(bytes.Repeat([]byte{6}, n)) }
	return []captured{
		{"biomerieux_mini-vidas_1.bin", "mini-vidas", acks(1), [][]string{{
			"patient | Z1G021SCR | ", "  HBCT | Anti-HBc Total II | 0.05 | 0.05 |  |  |  | Positif | preliminary | 2024-10-25T18:35:00Z"}}},
		{"tosoh_hlc-723-g8-hba1c-hplc_1.bin", "tosoh-g8", acks(72), tosoh("07299001")},
		{"tosoh_hlc-723-g8-hba1c-hplc_2.bin", "tosoh-g8", acks(72), tosoh("07299002")},
		{"siemens_rapidlab-348_1.bin", "rapidlab-348", "", [][]string{
			{
				"patient | 000008233 | 1386",
				"  pH |  | 7.973 | 7.973 |  |  | 7.350 - 7.450 | ^ | preliminary | 2019-11-20T12:58:00Z",
				"  pCO2 |  | 8.9 | 8.9 |  | mmHg | 32.0 -  45.0 | v | preliminary | 2019-11-20T12:58:00Z",
				"  pO2 |  | 145.4 | 145.4 |  | mmHg | 75.0 - 100.0 | ^ | preliminary | 2019-11-20T12:58:00Z",
				"  Na+ |  | 134 | 134 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  K+ |  | 3.38 | 3.38 |  | mmol/L | 3.40 -  4.50 | v | preliminary | 2019-11-20T12:58:00Z",
				"  Cl- |  | 94 | 94 |  | mmol/L | 96 -   108 | v | preliminary | 2019-11-20T12:58:00Z",
				"  HCO3act |  | 20.1 | 20.1 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  HCO3std |  | 33.3 | 33.3 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  BE(ecf) |  | 4.6 | 4.6 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  BE(B) |  | 9.5 | 9.5 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  ctCO2 |  | 20.4 | 20.4 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  AnGap |  | 22.6 | 22.6 |  | mmol/L |  |  | preliminary | 2019-11-20T12:58:00Z",
				"  O2SAT |  | 99.6 | 99.6 |  | % |  |  | preliminary | 2019-11-20T12:58:00Z",
			},
			{"empty |  | "},
			{
				"patient | 000009601 | 1387",
				"  pH |  | 7.536 | 7.536 |  |  | 7.350 - 7.450 | ^ | preliminary | 2019-11-20T17:02:00Z",
				"  pCO2 |  | 29.8 | 29.8 |  | mmHg | 32.0 -  45.0 | v | preliminary | 2019-11-20T17:02:00Z",
				"  pO2 |  | 106.2 | 106.2 |  | mmHg | 75.0 - 100.0 | ^ | preliminary | 2019-11-20T17:02:00Z",
				"  Na+ |  | 135 | 135 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  K+ |  | 4.49 | 4.49 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  Cl- |  | 103 | 103 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  HCO3act |  | 24.6 | 24.6 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  HCO3std |  | 27.2 | 27.2 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  BE(ecf) |  | 2.1 | 2.1 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  BE(B) |  | 3.0 | 3.0 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  ctCO2 |  | 25.6 | 25.6 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  AnGap |  | 11.9 | 11.9 |  | mmol/L |  |  | preliminary | 2019-11-20T17:02:00Z",
				"  O2SAT |  | 98.4 | 98.4 |  | % |  |  | preliminary | 2019-11-20T17:02:00Z",
			},
		}},
	}
}

// TestCaptures sends each capture through the real driver over TCP, in three
// kinds of splits, and reads what was stored.
func TestCaptures(t *testing.T) {
	root := capturetest.Root(t)
	for _, c := range captures() {
		t.Run(c.file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(root, "other", c.file))
			if err != nil {
				t.Fatal(err)
			}
			split, faults := text.Split(raw, section(t, c.stanza))
			if len(split) != len(c.reports) || len(faults) != 0 {
				t.Fatalf("split into %d messages, faults %q", len(split), faults)
			}
			rng := rand.New(rand.NewPCG(uint64(len(raw)), 7))
			for name, next := range map[string]func(int) int{
				"whole":    func(n int) int { return n },
				"one byte": func(int) int { return 1 },
				"random":   func(n int) int { return 1 + rng.IntN(min(n, 200)) },
			} {
				got, answers := receive(t, c, raw, next)
				if string(answers) != c.answers {
					t.Errorf("%s: answered %q, want %q", name, answers, c.answers)
				}
				for i, m := range got {
					if !bytes.Equal(m.Payload, split[i].Payload) || m.Stage != drivers.Complete {
						t.Fatalf("%s: message %d differs from what Split makes of it, or is %s", name, i+1, m.Stage)
					}
				}
			}
			for i, m := range split {
				reports, err := text.Parse(m.Payload, drivers.ParseOptions{Section: section(t, c.stanza)})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.reports[i], brief(reports)); diff != "" {
					t.Errorf("message %d (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

// receive runs the driver and plays raw to it. It returns what was stored and
// answered once all is in.
func receive(t *testing.T, want captured, raw []byte, next func(int) int) (stored []drivers.Message, answers []byte) {
	p, err := port.Listen(port.ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	n := 0
	store := &drivertest.Store{Before: func(_ context.Context, m drivers.Message) error {
		if m.Stage == drivers.Complete {
			if n++; n == len(want.reports) {
				close(done)
			}
		}
		return nil
	}}
	d, err := text.New("bench", section(t, want.stanza), drivers.Deps{Port: p, Handler: store, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	var addr string
	for addr == "" {
		runtime.Gosched()
		addr = p.(drivers.Listening).Addr()
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	for len(raw) > 0 {
		k := next(len(raw))
		if _, err := c.Write(raw[:k]); err != nil {
			t.Fatal(err)
		}
		raw = raw[k:]
	}
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("not everything arrived: %+v", d.Status())
	}
	c.(*net.TCPConn).CloseWrite()
	if answers, err = io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	cancel()
	c.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if st := d.Status(); st.Broken != 0 || st.Refused != 0 {
		t.Errorf("status %+v", st)
	}
	return store.All(drivers.Complete), answers
}
