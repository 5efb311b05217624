package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/poct"
	"github.com/labcourier/labcourier/drivers/text"
)

// What a model makes up is read by its driver, value for value.
func TestModelsAreReadable(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for _, m := range Models() {
		kind := map[string]drivers.Kind{
			astm.KindName: astm.Kind(), hl7.KindName: hl7.Kind(), poct.KindName: poct.Kind(), text.KindName: text.Kind(),
		}[m.Driver]
		o := drivers.ParseOptions{}
		if m.Driver == text.KindName {
			if _, err := m.Renders(); err == nil {
				t.Error("messages of a text analyzer that nobody described")
			}
			described := urine()
			m = m.Described(described)
			o.Section = drivertest.Section(func(dst any) error { *dst.(*text.Options) = described; return nil })
		}
		if n, err := m.Renders(); err != nil || n != len(m.Tests) {
			t.Fatalf("%s: %d results, %v", m.Name, n, err)
		}
		g := NewGenerator(m, "SIM-", 1)
		seen := map[string]bool{}
		for range 50 {
			message := g.Next(now)
			if seen[string(message)] {
				t.Fatalf("%s: the same message twice", m.Name)
			}
			seen[string(message)] = true
			reports, err := kind.Parse(message, o)
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

// The specimen id is made up where the driver's options say that it stands.
func TestSpecimenPlaces(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	read := func(m Model, kind drivers.Kind, place string, decode func(dst any) error) {
		reports, err := kind.Parse(NewGenerator(m, "SIM-", 1).Next(now), drivers.ParseOptions{Section: drivertest.Section(decode)})
		if err != nil || len(reports) != 1 {
			t.Fatalf("%s: %d reports, %v", place, len(reports), err)
		}
		if r := reports[0]; r.Specimen.ID != "SIM-000001" || r.Hold != "" || len(r.Results) != len(m.Tests) {
			t.Errorf("%s: %+v", place, r)
		}
	}
	for _, place := range []string{"", "O.3", "O.3.2", "O.4", "O.4.3", "O.12", "O.33", "P.4", "P.3.2"} {
		o := astm.Options{SpecimenID: place, Decimal: ","}
		m, _ := ModelNamed("immunology")
		read(m.Optioned(o), astm.Kind(), place, func(dst any) error { *dst.(*astm.Options) = o; return nil })
	}
	for _, place := range []string{"", "OBR-2", "OBR-3", "OBR-3.2", "OBR-18", "PID-3.1.2", "ORC-2", "SPM-2", "SPM-2.2", "SPM-30", "SAC-3"} {
		o := hl7.Options{SpecimenID: place}
		m, _ := ModelNamed("blood-gas")
		read(m.Placed(o), hl7.Kind(), place, func(dst any) error { *dst.(*hl7.Options) = o; return nil })
	}
}

// Frames without checksums are read by who wants none, and by nobody else.
func TestNoChecksum(t *testing.T) {
	m, _ := ModelNamed("chemistry")
	message := NewGenerator(m, "SIM-", 1).Next(time.Now())
	for _, sum := range []string{"", "none"} {
		o := astm.Options{Checksum: sum, MaxFrame: 240}
		a := m.Optioned(o).Sender().(ASTM)
		if a.NoChecksum != (sum == "none") || a.FrameText != 240 {
			t.Errorf("%q: %+v", sum, a)
		}
		here, there := net.Pipe()
		sent := make(chan []byte)
		go func() {
			var all []byte
			buf := make([]byte, 4096)
			for {
				n, err := there.Read(buf)
				if all = append(all, buf[:n]...); err != nil || bytes.HasSuffix(all, []byte{astm.EOT}) {
					sent <- all
					return
				}
				there.Write([]byte{astm.ACK})
			}
		}()
		if err := a.Send(t.Context(), pipeConn{here}, message); err != nil {
			t.Fatal(err)
		}
		section := drivertest.Section(func(dst any) error { *dst.(*astm.Options) = o; return nil })
		messages, faults := astm.Kind().Split(<-sent, section)
		if len(messages) != 1 || !bytes.Equal(messages[0].Payload, message) || len(faults) > 0 {
			t.Errorf("%q: %d messages, %v", sum, len(messages), faults)
		}
	}
}

// urine is a description of lines between STX and ETX.
func urine() text.Options {
	return text.Options{
		Frame: text.Frame{By: "stx-etx", Check: "sum", CheckForm: "hex"}, Ack: text.Bytes{0x06}, Nak: text.Bytes{0x15}, Records: "lines",
		Record: []text.Rule{{
			Layout: "delimited", Delimiter: text.Bytes(";"),
			Fields: map[string]string{"specimen": "1", "time": "2", "test": "3", "value": "4", "unit": "5", "range": "6", "flag": "7"},
		}},
	}
}

// A file is acknowledged when somebody moved it away, and taken back if nobody
// does.
func TestDropper(t *testing.T) {
	d := &Dropper{Dir: t.TempDir()}
	moved := make(chan string, 1)
	go func() {
		for {
			found, _ := filepath.Glob(filepath.Join(d.Dir, "*.csv"))
			if len(found) == 1 {
				text, _ := os.ReadFile(found[0])
				moved <- string(text)
				os.Remove(found[0])
				return
			}
			runtime.Gosched()
		}
	}()
	if err := d.Send(t.Context(), nil, []byte("1")); err != nil || <-moved != "1" {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := d.Send(t.Context(), nil, []byte("2")); err == nil {
			t.Error("acknowledged by nobody")
		}
	})
	if left, _ := filepath.Glob(filepath.Join(d.Dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
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

// Bare records need no handshake; where an answer is waited for, only ACK will do.
func TestBare(t *testing.T) {
	for answer, want := range map[string]error{"\x06": nil, "\x15": astm.ErrRefused} {
		here, there := net.Pipe()
		got := make(chan string, 1)
		go func() {
			buf := make([]byte, 64)
			n, _ := there.Read(buf)
			got <- string(buf[:n])
			there.Write([]byte(answer))
		}()
		if err := (Bare{Answered: true}).Send(t.Context(), pipeConn{here}, []byte("H|\\^&\rL|1|N\r")); !errors.Is(err, want) {
			t.Errorf("after %q: %v, want %v", answer, err, want)
		}
		if sent := <-got; sent != "H|\\^&\rL|1|N\r" {
			t.Errorf("sent %q", sent)
		}
	}
	m, _ := ModelNamed("haematology")
	if bare := m.Optioned(astm.Options{Framing: "none"}); bare.Answered() || bare.Sender() != (Bare{}) {
		t.Errorf("%+v", bare.Sender())
	}
	if !m.Optioned(astm.Options{}).Answered() {
		t.Error("frames are answered")
	}
}
