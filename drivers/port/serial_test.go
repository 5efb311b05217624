package port

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func soon() time.Time  { return time.Now().Add(50 * time.Millisecond) }
func never() time.Time { return time.Time{} }

func TestSerialConfig(t *testing.T) {
	tests := []struct {
		name string
		cfg  SerialConfig
		want string   // String
		errs []string // parts of the error
	}{
		{name: "defaults", cfg: SerialConfig{Device: "COM3"}, want: "serial COM3 9600 8N1"},
		{name: "all", cfg: SerialConfig{"/dev/ttyS0", 4800, 7, "even", "2", "rts-cts"}, want: "serial /dev/ttyS0 4800 7E2 rts-cts"},
		{name: "space", cfg: SerialConfig{Device: "COM12", Parity: "space", FlowControl: "none"}, want: "serial COM12 9600 8S1"},
		{name: "no device", errs: []string{"labcourier ports"}},
		{name: "unknown speed", cfg: SerialConfig{Device: "COM3", Baud: 9601}, errs: []string{"9601", "4800 9600 19200"}},
		{name: "all wrong", cfg: SerialConfig{"COM3", -1, 9, "Even", "3", "dtr-dsr"},
			errs: []string{"baud -1", "data bits 9", `parity "Even": use one of none, odd, even, mark, space`, `stop bits "3"`, `flow control "dtr-dsr"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Serial(tt.cfg)
			if tt.errs == nil {
				if err != nil || p.String() != tt.want {
					t.Errorf("Serial = %v, %v, want %s", p, err, tt.want)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.errs {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

// fakeLine is a line made of functions.
type fakeLine struct {
	read  func([]byte) (int, error)
	write func([]byte, time.Time) (int, error)
	by    time.Time
	reads int
}

func (l *fakeLine) Read(p []byte) (int, error)         { l.reads++; return l.read(p) }
func (l *fakeLine) Write(p []byte) (int, error)        { return l.write(p, l.by) }
func (l *fakeLine) SetWriteDeadline(t time.Time) error { l.by = t; return nil }
func (l *fakeLine) Close() error                       { return nil }

// answer is what a fake line says after a while.
type answer struct {
	after time.Duration
	bytes string
	err   error
}

// script reads as the answers say, and then stays quiet.
func script(answers ...answer) func([]byte) (int, error) {
	return func(p []byte) (int, error) {
		if len(answers) == 0 {
			time.Sleep(pollTime)
			return 0, io.EOF
		}
		a := answers[0]
		answers = answers[1:]
		time.Sleep(a.after)
		return copy(p, a.bytes), a.err
	}
}

func TestSerialRead(t *testing.T) {
	quiet := answer{pollTime, "", io.EOF}       // Linux
	quietNil := answer{pollTime, "", nil}       // Windows
	early := answer{pollTime/2 - 1, "", io.EOF} // as a line that hung up
	earlyNil := answer{0, "", nil}
	tests := []struct {
		name    string
		answers []answer
		want    string
		err     error
		reads   int
	}{
		{"bytes", []answer{{0, "ab", nil}}, "ab", nil, 1},
		{"bytes beside an end", []answer{{0, "ab", io.EOF}}, "ab", nil, 1},
		{"after silence", []answer{quiet, quietNil, quiet, {0, "ab", nil}}, "ab", nil, 4},
		{"silence to the deadline", nil, "", os.ErrDeadlineExceeded, 10},
		{"hang-up", []answer{early, early, early, early}, "", io.EOF, hangUpReads},
		{"hang-up without an error", []answer{earlyNil, earlyNil, earlyNil, earlyNil}, "", io.EOF, hangUpReads},
		{"early now and then", []answer{early, early, early, quiet, early, early, early, {0, "ab", nil}}, "ab", nil, 8},
		{"pulled out", []answer{quiet, {0, "", &os.PathError{Op: "read", Path: "x", Err: errPulled}}}, "", io.EOF, 2},
		{"another fault", []answer{{0, "", errOther}}, "", errOther, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &fakeLine{read: script(tt.answers...)}
				c := newSerialConn(l, SerialConfig{Device: "COM3"}.whole())
				c.SetReadDeadline(time.Now().Add(10 * pollTime))
				buf := make([]byte, 8)
				for again := range 3 {
					n, err := c.Read(buf)
					if got := string(buf[:n]); got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
						t.Fatalf("Read = %q, %v, want %q, %v", got, err, tt.want, tt.err)
					}
					if l.reads != tt.reads {
						t.Errorf("the line was asked %d times, want %d (call %d)", l.reads, tt.reads, again+1)
					}
					if tt.err == nil {
						break // only an end is told again
					}
				}
			})
		})
	}
}

// A deadline and Close both reach a Read that runs.
func TestSerialReadWakes(t *testing.T) {
	tests := []struct {
		name string
		wake func(*serialConn)
		want error
	}{
		{"deadline", func(c *serialConn) { c.SetReadDeadline(time.Now()) }, os.ErrDeadlineExceeded},
		{"close", func(c *serialConn) { c.Close() }, net.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newSerialConn(&fakeLine{read: script()}, SerialConfig{Device: "COM3"}.whole())
				done := make(chan error, 1)
				go func() {
					_, err := c.Read(make([]byte, 8))
					done <- err
				}()
				time.Sleep(time.Hour + pollTime/2)
				began := time.Now()
				tt.wake(c)
				if err := <-done; !errors.Is(err, tt.want) {
					t.Errorf("Read = %v, want %v", err, tt.want)
				}
				if took := time.Since(began); took > pollTime {
					t.Errorf("Read returned after %v", took)
				}
			})
		})
	}
}

// A write without a deadline still has a limit, which leaves a slow line time.
func TestSerialWriteLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, baud = 3000, 300
		l := &fakeLine{write: func(_ []byte, by time.Time) (int, error) {
			time.Sleep(time.Until(by))
			return 0, os.ErrDeadlineExceeded
		}}
		c := newSerialConn(l, SerialConfig{Device: "COM3", Baud: baud}.whole())
		began := time.Now()
		if _, err := c.Write(make([]byte, size)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
		if took, least := time.Since(began), size*10*time.Second/baud; took < least || took > 2*least {
			t.Errorf("Write gave up after %v, the line needs %v", took, least)
		}
	})
}
