package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/windows"

	"github.com/labcourier/labcourier/drivers"
)

// Bits of DCB.Flags that x/sys has no names for.
const (
	dcbParityCheck = 1 << 1  // fParity
	dcbOutCTS      = 1 << 2  // fOutxCtsFlow
	dcbOutX        = 1 << 8  // fOutX
	dcbInX         = 1 << 9  // fInX
	dcbErrorChar   = 1 << 10 // fErrorChar
	dcbRTS         = 3 << 12 // fRtsControl
)

// queueSize is the input and output queue asked for; tarm/serial asks for 64
// bytes, less than one frame.
const queueSize = 4096

// stopBits lists what Windows can set; 1.5 goes with 5 data bits only.
func stopBits() []string { return []string{"1", "1.5", "2"} }

// comLine is a line that tarm/serial opened, reads and writes. Windows opens a
// line once only, so that what tarm/serial lacks is set through its own handle.
type comLine struct {
	port   *serial.Port
	handle windows.Handle
	events []windows.Handle // tarm/serial's, which it never closes

	users   sync.RWMutex // read-held while the handle is in use
	closed  atomic.Bool
	mu      sync.Mutex
	writeBy time.Time
}

// openLine opens the line. tarm/serial puts \\.\ before the name, without which
// COM10 and above cannot be opened; MODE's trailing colon is not part of it.
func openLine(c SerialConfig) (_ line, err error) {
	p, err := serial.OpenPort(tarmConfig(c, strings.TrimSuffix(c.Device, ":")))
	if err != nil {
		return nil, err
	}
	l := &comLine{port: p}
	if err := l.unwrap(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if err := l.settings(c); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// unwrap finds the handles in tarm/serial's port, whose last version is of 2018
// and exposes none.
func (l *comLine) unwrap() error {
	v := reflect.ValueOf(l.port).Elem()
	fd := v.FieldByName("fd")
	if fd.Kind() != reflect.Uintptr {
		return errors.New("this version of tarm/serial keeps its handle elsewhere")
	}
	l.handle = windows.Handle(fd.Uint())
	for _, name := range []string{"ro", "wo"} {
		if o := v.FieldByName(name); o.Kind() == reflect.Pointer && !o.IsNil() {
			if e := o.Elem().FieldByName("HEvent"); e.Kind() == reflect.Uintptr {
				l.events = append(l.events, windows.Handle(e.Uint()))
			}
		}
	}
	return nil
}

// settings adds what tarm/serial cannot say. RTS is raised, as Linux does on
// opening: many an analyzer does not send without it.
func (l *comLine) settings(c SerialConfig) error {
	var dcb windows.DCB
	dcb.DCBlength = uint32(reflect.TypeOf(dcb).Size())
	if err := windows.GetCommState(l.handle, &dcb); err != nil {
		return fmt.Errorf("read the line's settings: %w", err)
	}
	dcb.Flags = dcb.Flags&^dcbRTS | windows.RTS_CONTROL_ENABLE
	if c.Parity != none { // a damaged byte shall be read as NUL
		dcb.Flags |= dcbParityCheck | dcbErrorChar
		dcb.ErrorChar = 0
	}
	switch c.FlowControl {
	case rtsCts:
		dcb.Flags = dcb.Flags&^dcbRTS | windows.RTS_CONTROL_HANDSHAKE | dcbOutCTS
	case xonXoff:
		dcb.Flags |= dcbOutX | dcbInX
		dcb.XonChar, dcb.XoffChar = 0x11, 0x13
	}
	dcb.XonLim, dcb.XoffLim = queueSize/4, queueSize/4
	// The queue is a wish that a driver may refuse; the line works without.
	_ = windows.SetupComm(l.handle, queueSize, queueSize)
	if err := windows.SetCommState(l.handle, &dcb); err != nil {
		return fmt.Errorf("set flow control %s: %w", c.FlowControl, err)
	}
	return nil
}

func (l *comLine) Read(p []byte) (int, error) {
	l.users.RLock()
	defer l.users.RUnlock()
	if l.closed.Load() {
		return 0, net.ErrClosed
	}
	return l.port.Read(p)
}

// Write writes until the deadline, which the driver of the line keeps: a write
// that it ends early is short, not an error.
func (l *comLine) Write(p []byte) (int, error) {
	l.users.RLock()
	defer l.users.RUnlock()
	if l.closed.Load() {
		return 0, net.ErrClosed
	}
	l.mu.Lock()
	left := time.Until(l.writeBy)
	l.mu.Unlock()
	if left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if err := l.limitWrites(left); err != nil {
		return 0, err
	}
	n, err := l.port.Write(p)
	if err == nil && n < len(p) {
		_ = windows.PurgeComm(l.handle, windows.PURGE_TXABORT|windows.PURGE_TXCLEAR)
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// limitWrites sets how long one write may take. The limits of reads are
// written back as they are.
func (l *comLine) limitWrites(d time.Duration) error {
	var t windows.CommTimeouts
	if err := windows.GetCommTimeouts(l.handle, &t); err != nil {
		return err
	}
	t.WriteTotalTimeoutMultiplier = 0
	t.WriteTotalTimeoutConstant = uint32(min(max(d.Milliseconds(), 1), 1<<31))
	return windows.SetCommTimeouts(l.handle, &t)
}

func (l *comLine) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeBy = t
	return nil
}

// Close ends what runs before it closes the handle, which tarm/serial uses
// bare: the number may belong to another file a moment later.
func (l *comLine) Close() error {
	l.closed.Store(true)
	for !l.users.TryLock() {
		_ = windows.PurgeComm(l.handle, windows.PURGE_TXABORT|windows.PURGE_RXABORT)
		time.Sleep(pollTime / 10) //nolint:forbidigo // Close has no cancellation to hear; each turn ends a call that began after the last
	}
	defer l.users.Unlock()
	errs := []error{l.port.Close()}
	for _, e := range l.events {
		errs = append(errs, windows.CloseHandle(e))
	}
	return errors.Join(errs...)
}

// explainOpen says what to do when the line cannot be opened.
func explainOpen(device string, err error) error {
	what := "open serial " + device
	switch {
	case isAny(err, windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND, windows.ERROR_INVALID_NAME):
		return hinted(what, bare(err), "is the adapter plugged in? List the ports with `labcourier ports`")
	case isAny(err, windows.ERROR_ACCESS_DENIED, windows.ERROR_SHARING_VIOLATION, windows.ERROR_BUSY):
		return hinted(what, drivers.ErrPortBusy, "close the program that has it: a terminal program, the analyzer's own software, a second labcourier")
	case isAny(err, windows.ERROR_INVALID_PARAMETER):
		return hinted(what, bare(err), "the adapter does not take these settings; check baud, data bits, parity and stop bits")
	case isAny(err, windows.ERROR_GEN_FAILURE, windows.ERROR_SEM_TIMEOUT, windows.ERROR_IO_DEVICE):
		return hinted(what, bare(err), "the adapter does not answer; pull it out and put it back")
	}
	return hinted(what, bare(err), "")
}
