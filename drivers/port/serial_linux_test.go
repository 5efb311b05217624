package port

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/labcourier/labcourier/drivers"
)

func addSerialBench(all map[string]func(t *testing.T) bench) { all["serial"] = serialBench }

// serialBench is a port whose device is a symbolic link, as below
// /dev/serial/by-id, to a pseudo terminal that is a new one at every plug.
func serialBench(t *testing.T) bench {
	link := filepath.Join(t.TempDir(), "usb-analyzer")
	p := must(Serial(SerialConfig{Device: link, Baud: 115200}))(t)
	return bench{port: p, plug: func(t *testing.T) io.ReadWriteCloser { return plug(t, link) }}
}

// plug makes link point to a new pseudo terminal and returns its other end.
// Closing that end is pulling the adapter out: the link goes too.
func plug(t *testing.T, link string) *adapter {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	// Raw before anybody looks: a terminal begins with echo. And open until the
	// end is closed: a pseudo terminal without a slave reads as hung up.
	a := &adapter{File: master, slave: slave, link: link}
	if err := control(slave, makeRaw); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(slave.Name(), link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

type adapter struct {
	*os.File
	slave  *os.File
	link   string
	pulled sync.Once
}

func (a *adapter) Close() error {
	a.pulled.Do(func() {
		os.Remove(a.link)
		a.slave.Close()
		a.File.Close()
	})
	return nil
}

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag, t.Iflag, t.Oflag = 0, 0, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

func termios(t *testing.T, f *os.File) *unix.Termios {
	t.Helper()
	var got *unix.Termios
	err := control(f, func(fd int) (err error) {
		got, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// countingLine counts how often the line is asked.
type countingLine struct {
	line
	reads *atomic.Int64
}

func (l countingLine) Read(p []byte) (int, error) {
	l.reads.Add(1)
	return l.line.Read(p)
}

// Quirk: a hang-up reads as EOF, millions of times a second.
func TestUnplugDoesNotSpin(t *testing.T) {
	link := filepath.Join(t.TempDir(), "usb-analyzer")
	p := must(Serial(SerialConfig{Device: link}))(t).(*serialPort)
	reads := new(atomic.Int64)
	p.open = func(c SerialConfig) (line, error) {
		l, err := openLine(c)
		return countingLine{l, reads}, err
	}
	a := plug(t, link)
	c := open(t, p)
	must(a.Write([]byte("x")))(t)
	wantRead(t, c, []byte("x"))

	a.Close()
	reads.Store(0)
	for range 1000 {
		if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
			t.Fatalf("Read = %d, %v, want 0, EOF", n, err)
		}
	}
	if n := reads.Load(); n == 0 || n > hangUpReads {
		t.Errorf("the line was asked %d times, want 1 to %d", n, hangUpReads)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a write to a line that is gone succeeded")
	}
}

// Quirk: a USB serial adapter disappears and comes back under another name.
func TestAdapterComesBack(t *testing.T) {
	link := filepath.Join(t.TempDir(), "usb-analyzer")
	p := must(Serial(SerialConfig{Device: link}))(t)
	for range 3 {
		_, err := p.Open(t.Context())
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "`labcourier ports`") {
			t.Fatalf("Open while the adapter is away: %v", err)
		}
		a := plug(t, link)
		c := open(t, p)
		must(a.Write([]byte("back")))(t)
		wantRead(t, c, []byte("back"))
		a.Close()
		if _, err := c.Read(make([]byte, 8)); err != io.EOF {
			t.Fatalf("Read = %v, want EOF", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close of a line that is gone: %v", err)
		}
	}
}

func TestSerialReopen(t *testing.T) {
	link := filepath.Join(t.TempDir(), "line")
	a := plug(t, link)
	p := must(Serial(SerialConfig{Device: link}))(t)
	for range 3 {
		c := open(t, p)
		must(a.Write([]byte("x")))(t)
		wantRead(t, c, []byte("x"))
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSerialInUse(t *testing.T) {
	link := filepath.Join(t.TempDir(), "line")
	a := plug(t, link)
	first := must(Serial(SerialConfig{Device: link, Baud: 19200}))(t)
	second := must(Serial(SerialConfig{Device: a.slave.Name(), Baud: 300}))(t)
	c := open(t, first)
	if _, err := second.Open(t.Context()); !errors.Is(err, drivers.ErrPortBusy) || !strings.Contains(err.Error(), "fuser") {
		t.Errorf("Open of a line in use: %v", err)
	}
	if baud := termios(t, a.slave).Cflag & unix.CBAUD; baud != unix.B19200 {
		t.Errorf("the second Open changed the first's speed to %#x", baud)
	}
	c.Close()
	open(t, second)
}

// A real line is marked besides; a pseudo terminal is not, see isPseudo.
func TestClaim(t *testing.T) {
	a := plug(t, filepath.Join(t.TempDir(), "line"))
	if pseudo, err := isPseudo(a.slave); !pseudo || err != nil {
		t.Errorf("isPseudo = %v, %v", pseudo, err)
	}
	tests := []struct {
		name   string
		mark   uint
		pseudo bool
		want   error
	}{
		{"free", unix.TIOCNXCL, false, nil},
		{"marked", unix.TIOCEXCL, false, unix.EBUSY},
		{"stale mark on a pseudo terminal", unix.TIOCEXCL, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := control(a.slave, func(fd int) error { return unix.IoctlSetInt(fd, tt.mark, 0) })
			if err != nil {
				t.Fatal(err)
			}
			err = control(a.slave, func(fd int) error { return claim(fd, tt.pseudo) })
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("claim = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestSerialSettings(t *testing.T) {
	tests := []struct {
		name         string
		cfg          SerialConfig
		cflag, iflag uint32 // set, beside INPCK
		notI         uint32 // not set, beside IGNPAR
	}{
		{"defaults", SerialConfig{}, unix.B9600 | unix.CS8, 0, unix.IXON | unix.IXOFF},
		{"two stop bits", SerialConfig{Baud: 1200, StopBits: "2"}, unix.B1200 | unix.CSTOPB, 0, 0},
		{"hardware flow control", SerialConfig{FlowControl: "rts-cts"}, unix.CRTSCTS, 0, unix.IXON},
		{"software flow control", SerialConfig{FlowControl: "xon-xoff"}, 0, unix.IXON | unix.IXOFF, 0},
		{"odd", SerialConfig{Parity: "odd"}, unix.PARODD, 0, 0}, // a pseudo terminal drops PARENB
		{"mark", SerialConfig{Parity: "mark"}, unix.CMSPAR | unix.PARODD, 0, 0},
		{"space", SerialConfig{Parity: "space"}, unix.CMSPAR, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			link := filepath.Join(t.TempDir(), "line")
			a := plug(t, link)
			tt.cfg.Device = link
			c := open(t, must(Serial(tt.cfg))(t))
			got := termios(t, a.slave)
			if got.Cflag&tt.cflag != tt.cflag {
				t.Errorf("cflag %#x lacks %#x", got.Cflag, tt.cflag&^got.Cflag)
			}
			if want := tt.iflag | unix.INPCK; got.Iflag&want != want || got.Iflag&(tt.notI|unix.IGNPAR) != 0 {
				t.Errorf("iflag %#x, want %#x", got.Iflag, want)
			}
			if tt.cfg.FlowControl == xonXoff && (got.Cc[unix.VSTART] != xon || got.Cc[unix.VSTOP] != xoff) {
				t.Errorf("start and stop characters are %#x, %#x", got.Cc[unix.VSTART], got.Cc[unix.VSTOP])
			}
			must(a.Write([]byte("x")))(t)
			wantRead(t, c, []byte("x"))
		})
	}
}

// XOFF holds a write for ever; the deadline calls it back, and the line works on
// after XON.
func TestStoppedLine(t *testing.T) {
	link := filepath.Join(t.TempDir(), "line")
	a := plug(t, link)
	c := open(t, must(Serial(SerialConfig{Device: link, FlowControl: "xon-xoff"}))(t))
	must(a.Write([]byte{xoff, 'x'}))(t)
	wantRead(t, c, []byte("x"))
	if err := c.SetWriteDeadline(soon()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("held")); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "flow control") {
		t.Fatalf("Write to a stopped line: %v", err)
	}
	must(a.Write([]byte{xon, 'y'}))(t)
	wantRead(t, c, []byte("y"))
	if err := c.SetWriteDeadline(never()); err != nil {
		t.Fatal(err)
	}
	must(c.Write([]byte("next")))(t)
	wantRead(t, a, []byte("next"))
}

// The list of speeds must be tarm/serial's own, no more and no less.
func TestBauds(t *testing.T) {
	link := filepath.Join(t.TempDir(), "line")
	plug(t, link)
	for _, baud := range append(bauds(), 14400, 31250, 128000, 256000, 1, 9601) {
		p, err := Serial(SerialConfig{Device: link, Baud: baud})
		if known := slices.Contains(bauds(), baud); known != (err == nil) {
			t.Errorf("Serial at %d: %v", baud, err)
		} else if !known {
			continue
		}
		c, err := p.Open(t.Context())
		if err != nil {
			t.Errorf("open at %d: %v", baud, err)
			continue
		}
		c.Close()
	}
}

func TestSerialOpenFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fails := func(err error) func(SerialConfig) (line, error) {
		return func(SerialConfig) (line, error) { return nil, &fs.PathError{Op: "open", Path: "/dev/ttyX", Err: err} }
	}
	tests := []struct {
		name, device string
		open         func(SerialConfig) (line, error)
		is           error
		says         string
	}{
		{"no such device", "/dev/ttyNONE", nil, fs.ErrNotExist, "labcourier ports"},
		{"a file", file, nil, errNotSerial, "labcourier ports"},
		{"not a terminal", "/dev/null", nil, errNotSerial, "labcourier ports"},
		{"not allowed", "ttyX", fails(syscall.EACCES), fs.ErrPermission, "dialout"},
		{"marked as taken", "ttyX", fails(syscall.EBUSY), drivers.ErrPortBusy, "fuser ttyX"},
		{"no UART", "ttyX", fails(syscall.EIO), syscall.EIO, "no hardware"},
		{"setting not taken", "ttyX", func(SerialConfig) (line, error) { return nil, fmt.Errorf("%w parity mark", errSetting) }, errSetting, "an adapter that has it"},
		{"driver gone", "ttyX", fails(syscall.ENODEV), syscall.ENODEV, "plugged in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := must(Serial(SerialConfig{Device: tt.device}))(t).(*serialPort)
			if tt.open != nil {
				p.open = tt.open
			}
			c, err := p.Open(t.Context())
			if c != nil || !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Open = %v, %v", c, err)
			}
			if !strings.HasPrefix(err.Error(), "open serial "+tt.device+": ") {
				t.Errorf("the error does not name the device: %v", err)
			}
		})
	}
}

func TestSerialOpenEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	link := filepath.Join(t.TempDir(), "line")
	plug(t, link)
	if _, err := must(Serial(SerialConfig{Device: link}))(t).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v", err)
	}
}
