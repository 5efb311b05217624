package detect

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const records = "H|\\^&|||XN-550^1||||||||E1394-97\rP|1\rO|1|S1||^^^WBC\rR|1|^^^WBC|5.4\rL|1|N\r"

func frames() []byte {
	var raw []byte
	for _, f := range astm.Frames([]byte(records), 0, true) {
		raw = append(raw, f...)
	}
	return raw
}

func TestLook(t *testing.T) {
	good := string(frames())
	for _, c := range []struct {
		name, raw, driver, framing string
		options                    string
	}{
		{"nothing", "\x00\r\n", "", "nothing", ""},
		{"ENQ alone", "\x05\x05", "astm", "ENQ and nothing else", ""},
		{"frames", "\x05" + good + "\x04", "astm", "LIS01", ""},
		{"one frame of many", "\x05" + good[:60], "astm", "LIS01", ""},
		{"lower case", "\x021H|\\^&\r\x03e5\r\n", "astm", "LIS01", `checksum="any-case"`},
		{"no checksum", "\x021H|\\^&|||X\r\x03\x022L|1|N\r\x03", "astm", "LIS01", `checksum="none"`},
		{"no CR LF", "\x021H|\\^&\r\x03E5\x04\x021L|1|N\r\x0304", "astm", "LIS01", `frame_end="any"`},
		{"no L record", "\x05\x021H|\\^&\r\x03E5\r\n\x04", "astm", "LIS01", `end="eot"`},
		{"records", records, "astm", "records without frames", `framing="none"`},
		{"MLLP", "\x0bMSH|^~\\&|BA400|Biosystems|Host||1||OUL^R22|1|P|2.5.1\r\x1c\r", "hl7", "MLLP", ""},
		{"noise before MLLP", "\x02\x02\x02\x0bMSH|^~\\&|A|B\r\x1c\r", "hl7", "MLLP", ""},
		{"HL7 alone", "MSH|^~\\&|A|B\nPID|1\n", "hl7", "without MLLP", ""},
		{"POCT1-A", `<?xml version="1.0"?><HEL.R01><DEV><DEV.device_name V="DCA Vantage"/></DEV></HEL.R01>`, "poct", "XML", ""},
		{"STX ETX with XOR", "\x02abc\x03\x63\x02abd\x03\x64", "text", "check (xor)", ""},
		{"STX ETX", "\x02abc\x03\r\n\x02abd\x03\r\n", "text", "STX and ETX", ""},
		{"lines", "WBC,5.4\r\nRBC,4.1\r\n", "text", "lines", ""},
		{"anything", "5.4", "text", "silence", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Look([]byte(c.raw))
			var options []string
			for _, o := range f.Options {
				if f.Driver == "astm" {
					options = append(options, o.Key+"="+o.Value)
				}
			}
			if f.Driver != c.driver || !strings.Contains(f.Framing, c.framing) || strings.Join(options, " ") != c.options {
				t.Errorf("%+v", f)
			}
		})
	}
}

func FuzzLook(f *testing.F) {
	f.Add(frames())
	f.Add([]byte("\x0bMSH|^~\\&|A|B\r\x1c\r"))
	f.Add([]byte("MSH|"))
	f.Add([]byte("\x02abc\x03\x63"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := Look(raw)
		if got.Framing == "" {
			t.Errorf("no word about %q", raw)
		}
		l := NewLadder(0)
		for range 50 {
			if l.Judge(raw) {
				break
			}
		}
	})
}

// uart is what a receiver makes of bytes that a sender put on the line, bit by bit
// at their speeds. A byte without a stop bit, or of wrong parity, is read as NUL.
func uart(data []byte, tx, rx Settings) (out []byte) {
	var bits []bool // at 1/16 of the faster one's bits
	const fine = 16
	fast := max(tx.Baud, rx.Baud)
	put := func(bit bool) {
		for range fine * fast / tx.Baud {
			bits = append(bits, bit)
		}
	}
	put(true)
	put(true)
	for _, b := range data {
		put(false)
		ones := 0
		for i := range tx.DataBits {
			bit := b>>i&1 == 1
			if bit {
				ones++
			}
			put(bit)
		}
		if tx.Parity != "none" {
			put((ones%2 == 1) == (tx.Parity == "even"))
		}
		put(true)
	}
	for range 40 {
		put(true)
	}
	width := fine * fast / rx.Baud
	for i := 1; i < len(bits)-14*width; i++ {
		if !bits[i-1] || bits[i] { // the edge of a start bit
			continue
		}
		at := func(n int) bool { return bits[i+n*width+width/2] }
		var b byte
		ones, n := 0, 1
		for j := range rx.DataBits {
			if at(n) {
				b |= 1 << j
				ones++
			}
			n++
		}
		good := true
		if rx.Parity != "none" {
			good = at(n) == ((ones%2 == 1) == (rx.Parity == "even"))
			n++
		}
		if !good || !at(n) {
			b = 0
		}
		out = append(out, b)
		i += n*width + width/2
	}
	return out
}

func TestUART(t *testing.T) {
	s := Settings{9600, 8, "none"}
	if got := uart([]byte(records), s, s); string(got) != records {
		t.Errorf("%q", got)
	}
}

// Every usual setting of a line is found, from the ENQ and the frame behind it.
func TestLadder(t *testing.T) {
	frame := frames()[:40]
	for _, baud := range first() {
		for _, tx := range []Settings{{baud, 8, "none"}, {baud, 7, "even"}, {baud, 7, "odd"}, {baud, 8, "even"}, {baud, 8, "odd"}} {
			t.Run(tx.String(), func(t *testing.T) {
				l := NewLadder(0)
				tries := 0
				for good := 0; good < 3; tries++ {
					if tries > 80 {
						t.Fatalf("not found; last %s", l.Now())
					}
					said := []byte{astm.ENQ} // it asks until somebody answers
					if good > 0 {
						said = frame
					}
					if l.Judge(uart(said, tx, l.Now())) {
						good++
					} else {
						good = 0
					}
				}
				if got := string(uart(frame, tx, l.Now())); got != string(frame) {
					t.Errorf("settled for %s, which reads %q", l.Now(), got)
				}
			})
		}
	}
}

// instrument is an analyzer that keeps what is not acknowledged.
type instrument struct {
	net.Conn
	mu       sync.Mutex
	answers  []byte
	acked    bool // a frame was
	finished chan struct{}
}

type pipeConn struct{ net.Conn }

func (pipeConn) Peer() string { return "instrument" }

// run asks, sends a frame, and sends it again until it is taken or it gives up.
func (in *instrument) run() {
	defer close(in.finished)
	buf := make([]byte, 1)
	ask := func(what []byte) byte {
		if _, err := in.Write(what); err != nil {
			return 0
		}
		in.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := io.ReadFull(in, buf); err != nil {
			return 0
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.answers = append(in.answers, buf[0])
		return buf[0]
	}
	frame := astm.Frames([]byte(records), 0, true)[0]
	if ask([]byte{astm.ENQ}) != astm.ACK {
		return
	}
	for range 4 {
		if ask(frame) == astm.ACK {
			in.mu.Lock()
			in.acked = true
			in.mu.Unlock()
			return
		}
	}
}

// A probe gets a frame out of an analyzer and leaves it its results.
func TestProbeNeverAcknowledges(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent %t", silent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { probeOnce(t, silent) })
		})
	}
}

func probeOnce(t *testing.T, silent bool) {
	ours, theirs := net.Pipe()
	in := &instrument{Conn: theirs, finished: make(chan struct{})}
	go in.run()
	opened := false
	p := Probe{Silent: silent, Open: func(ctx context.Context, _ Settings) (drivers.Conn, error) {
		if opened {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		opened = true
		return pipeConn{ours}, nil
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	r, err := p.Run(ctx)
	cancel()
	theirs.Close()
	<-in.finished
	if err != nil || r.Driver != "astm" || in.acked {
		t.Errorf("%+v, %v, acknowledged %t", r, err, in.acked)
	}
	if silent && (len(in.answers) > 0 || r.Answers != (Answers{})) || !silent && (string(in.answers[:2]) != "\x06\x15" || !r.Sure || r.Sender[0] != "XN-550") {
		t.Errorf("answers %q, %+v", in.answers, r)
	}
}

func TestProbeCannotOpen(t *testing.T) {
	p := Probe{Open: func(context.Context, Settings) (drivers.Conn, error) { return nil, os.ErrNotExist }}
	if _, err := p.Run(t.Context()); err == nil {
		t.Error("no error")
	}
}
