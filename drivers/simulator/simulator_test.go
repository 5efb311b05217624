package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/hl7"
)

// What a model makes up is read by its driver, value for value.
func TestModelsAreReadable(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for _, m := range Models() {
		kind := map[string]drivers.Kind{astm.KindName: astm.Kind(), hl7.KindName: hl7.Kind()}[m.Driver]
		g := NewGenerator(m, "SIM-", 1)
		seen := map[string]bool{}
		for range 50 {
			message := g.Next(now)
			if seen[string(message)] {
				t.Fatalf("%s: the same message twice", m.Name)
			}
			seen[string(message)] = true
			reports, err := kind.Parse(message, drivers.ParseOptions{})
			if err != nil || len(reports) != 1 || reports[0].Purpose != drivers.ForPatient || reports[0].Hold != "" || len(reports[0].Problems) > 0 {
				t.Fatalf("%s: %+v, %v", m.Name, reports, err)
			}
			if len(reports[0].Results) != len(m.Tests) {
				t.Fatalf("%s: %d results of %d tests", m.Name, len(reports[0].Results), len(m.Tests))
			}
			for i, r := range reports[0].Results {
				v, err := strconv.ParseFloat(r.Value.Number, 64)
				if test := m.Tests[i]; err != nil || r.Test.Code != test.Code || r.Unit != test.Unit || v < test.Low/4-1 {
					t.Errorf("%s: %+v of %+v", m.Name, r, test)
				}
			}
		}
		if again := NewGenerator(m, "SIM-", 1).Next(now); !seen[string(again)] {
			t.Errorf("%s: the same seed makes other results", m.Name)
		}
	}
}

func FuzzTurns(f *testing.F) {
	f.Add([]byte("\x05\x021H|\\^&\r\x0388\r\n\x04"))
	f.Add([]byte("\x021H\x17"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var joined []byte
		for _, turn := range Turns(raw) {
			if len(turn.Bytes) == 0 {
				t.Fatal("empty turn")
			}
			joined = append(joined, turn.Bytes...)
		}
		if !bytes.Equal(joined, raw) {
			t.Errorf("%q became %q", raw, joined)
		}
	})
}

// pipePort hands out one end of a pipe and a func the other.
type pipePort struct {
	opened int
	peer   func(n int, c net.Conn) // n counts the connections from 1
}

type pipeConn struct{ net.Conn }

func (pipeConn) Peer() string { return "pipe" }

func (p *pipePort) Open(context.Context) (drivers.Conn, error) {
	here, there := net.Pipe()
	p.opened++
	go p.peer(p.opened, there)
	return pipeConn{here}, nil
}
func (*pipePort) Close() error   { return nil }
func (*pipePort) String() string { return "pipe" }

// A message is sent until it is acknowledged, then the next.
func TestAnalyzerSendsUntilAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var acked []string
		var failures int
		p := &pipePort{peer: func(n int, c net.Conn) {
			defer c.Close()
			if n == 2 {
				return // hangs up
			}
			buf := make([]byte, 1024)
			for {
				if _, err := c.Read(buf); err != nil {
					return
				}
				answer := byte(astm.ACK)
				if n == 1 && buf[0] == astm.STX {
					answer = astm.NAK
				}
				if buf[0] != astm.EOT {
					c.Write([]byte{answer})
				}
			}
		}}
		a := Analyzer{
			Port:         p,
			Sender:       ASTM{},
			Acknowledged: func(m []byte) { acked = append(acked, string(m)) },
			Failed:       func(error) { failures++ },
		}
		left := []string{"H|1\rL|1\r", "H|2\rL|1\r"}
		a.Next = func(context.Context) ([]byte, error) {
			if len(left) == 0 {
				return nil, io.EOF
			}
			m := left[0]
			left = left[1:]
			return []byte(m), nil
		}
		if err := a.Run(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if len(acked) != 2 || acked[0] != "H|1\rL|1\r" || failures != 2 || p.opened != 3 {
			t.Errorf("acknowledged %q after %d failures over %d connections", acked, failures, p.opened)
		}
	})
}
