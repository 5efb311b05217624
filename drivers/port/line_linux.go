package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"github.com/labcourier/labcourier/drivers"
)

// Characters that stop and restart the other side (DC1, DC3). tarm/serial sets
// every control character to NUL.
const (
	xon  = 0x11
	xoff = 0x13
)

// drainTime is how long Close waits for the last bytes to leave: an
// acknowledgement that was written should reach the analyzer.
const drainTime = 2 * time.Second

// errNotSerial is what a device that is no terminal comes to.
var errNotSerial = errors.New("not a serial line")

// errSetting is what an adapter that does not take a setting comes to.
var errSetting = errors.New("the adapter does not know")

// stopBits lists what tarm/serial can set on Linux.
func stopBits() []string { return []string{"1", "2"} }

// ttyLine is a line that tarm/serial opened, set up and reads, with a second
// descriptor of the same line beside it. The settings belong to the line, so
// that the second can add what tarm/serial lacks. It also writes: a write
// through tarm/serial cannot be called back once flow control holds it, one
// through a descriptor that does not block can.
type ttyLine struct {
	port   *serial.Port
	beside *os.File
	pseudo bool // a pseudo terminal
	closed atomic.Bool
}

// openLine claims the line before tarm/serial changes its settings, for they
// would change under whoever has it.
func openLine(c SerialConfig) (_ line, err error) {
	path, err := filepath.EvalSymlinks(c.Device) // both descriptors must be of one line
	if err != nil {
		return nil, err
	}
	beside, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	l := &ttyLine{beside: beside}
	defer func() {
		if err != nil {
			_ = l.Close()
		}
	}()
	if l.pseudo, err = isPseudo(beside); err != nil {
		return nil, err
	}
	if err = control(beside, func(fd int) error { return claim(fd, l.pseudo) }); err != nil {
		return nil, err
	}
	t := tarmConfig(c, path)
	if c.Parity == mark || c.Parity == space {
		t.Parity = serial.ParityNone // unknown to tarm/serial on Linux; settings adds it
	}
	if l.port, err = serial.OpenPort(t); err != nil {
		return nil, err
	}
	if err = control(beside, func(fd int) error { return settings(fd, c) }); err != nil {
		return nil, err
	}
	if !l.pseudo {
		err = control(beside, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0) })
	}
	return l, err
}

// isPseudo reports whether f is a pseudo terminal. The mark of exclusive use
// stays on one after the process died that set it, for as long as the program
// at the other end (socat, say) lives; a service that was killed would lock
// itself out with it.
func isPseudo(f *os.File) (bool, error) {
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || st.Mode()&fs.ModeCharDevice == 0 {
		return false, errNotSerial
	}
	major := unix.Major(sys.Rdev)
	return major >= 136 && major <= 143, nil // UNIX98_PTY_SLAVE_MAJOR and its seven followers
}

// claim refuses a line that somebody has. The kernel lets root past the mark of
// exclusive use, so it is asked for; the advisory lock is what terminal programs
// and a second agent go by.
func claim(fd int, pseudo bool) error {
	taken, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL)
	switch {
	case errors.Is(err, unix.ENOTTY):
		return errNotSerial
	case err != nil:
		return err
	case taken != 0 && !pseudo:
		return unix.EBUSY
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return unix.EBUSY
	}
	return nil // a file system without locks is no reason to refuse
}

// settings adds what tarm/serial cannot say.
func settings(fd int, c SerialConfig) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	// A damaged byte shall be read as NUL. tarm/serial asks for it to be left
	// out, which makes a shorter, still plausible value of a longer one.
	t.Iflag = t.Iflag&^unix.IGNPAR | unix.INPCK
	var asked uint32
	switch c.Parity {
	case mark:
		asked |= unix.CMSPAR
		t.Cflag |= unix.PARENB | unix.PARODD
	case space:
		asked |= unix.CMSPAR
		t.Cflag |= unix.PARENB
	}
	switch c.FlowControl {
	case rtsCts:
		asked |= unix.CRTSCTS
	case xonXoff:
		t.Iflag |= unix.IXON | unix.IXOFF
		t.Cc[unix.VSTART], t.Cc[unix.VSTOP] = xon, xoff
	}
	t.Cflag |= asked
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	// The call succeeds when any of the settings was taken: look.
	if t, err = unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return err
	}
	switch missing := asked &^ t.Cflag; {
	case missing&unix.CRTSCTS != 0:
		return fmt.Errorf("%w flow control %s", errSetting, c.FlowControl)
	case missing&unix.CMSPAR != 0:
		return fmt.Errorf("%w parity %s", errSetting, c.Parity)
	}
	return nil
}

// control runs f with the descriptor, which stays open meanwhile.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	ferr := error(nil)
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

func (l *ttyLine) Read(p []byte) (int, error) { return l.port.Read(p) }

// Write throws away what the kernel still holds when the deadline has passed,
// so that it does not leave in the middle of something later.
func (l *ttyLine) Write(p []byte) (int, error) {
	n, err := l.beside.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.discard()
	}
	return n, err
}

func (l *ttyLine) SetWriteDeadline(t time.Time) error {
	if l.closed.Load() {
		return os.ErrClosed // or it would undo the deadline that Close set
	}
	return l.beside.SetWriteDeadline(t)
}

func (l *ttyLine) discard() {
	_ = control(l.beside, func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH) })
}

// Close ends a Write that runs, lets the last bytes leave, and waits for a Read
// that runs, which takes at most pollTime. A line that is gone already makes
// every step but the closing itself fail, and that is no news.
func (l *ttyLine) Close() error {
	l.closed.Store(true)
	_ = l.beside.SetWriteDeadline(time.Unix(1, 0))
	if l.port == nil {
		return l.beside.Close()
	}
	l.drain()
	err := l.port.Close()
	if !l.pseudo {
		_ = control(l.beside, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) })
	}
	return errors.Join(err, l.beside.Close())
}

// drain waits until the kernel has sent everything, or throws the rest away
// when flow control does not let it out: the kernel would wait half a minute.
func (l *ttyLine) drain() {
	tick := time.NewTicker(pollTime / 10)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < drainTime; <-tick.C {
		left := 0
		err := control(l.beside, func(fd int) (err error) {
			left, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			return err
		})
		if err != nil || left == 0 {
			return
		}
	}
	l.discard()
}

// explainOpen says what to do when the line cannot be opened.
func explainOpen(device string, err error) error {
	what := "open serial " + device
	switch {
	case errors.Is(err, fs.ErrNotExist) || isAny(err, unix.ENODEV, unix.ENXIO):
		return hinted(what, bare(err), "is the adapter plugged in? List the ports with `labcourier ports`")
	case errors.Is(err, fs.ErrPermission):
		return hinted(what, bare(err), "add the user that labcourier runs as to the group dialout (usermod -aG dialout USER), then start it again")
	case isAny(err, unix.EBUSY):
		return hinted(what, drivers.ErrPortBusy, "find the program with `fuser "+device+"` and stop it; ModemManager also takes lines")
	case isAny(err, unix.EIO):
		return hinted(what, bare(err), "no hardware answers there; list the ports with `labcourier ports`")
	case errors.Is(err, errNotSerial):
		return hinted(what, err, "list the ports with `labcourier ports`")
	case errors.Is(err, errSetting):
		return hinted(what, err, "leave it out, or use an adapter that has it")
	}
	return hinted(what, bare(err), "")
}
