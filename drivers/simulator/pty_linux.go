package simulator

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/labcourier/labcourier/drivers"
)

// OpenPTY makes a pair of pseudo-terminals: a port on which a simulated
// analyzer speaks, and the name of the device at which labcourier opens the
// other end as a serial line. Close the port to unplug it.
func OpenPTY() (port *PTY, device string, err error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, "", fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	// The slave stays open here: without it a master whose other end is not
	// open yet reads as hung up, and its settings would be lost.
	if err := makeRaw(slave); err != nil {
		_ = master.Close()
		_ = slave.Close()
		return nil, "", err
	}
	if master, err = pollable(master); err != nil {
		_ = slave.Close()
		return nil, "", err
	}
	return &PTY{master: master, slave: slave}, slave.Name(), nil
}

// pollable gives back f so that reads end at their deadline, and closes f
// itself: the package pty leaves it blocking, and an analyzer would wait for an
// agent that died for ever.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// PTY is the analyzer's end of a simulated serial line.
type PTY struct{ master, slave *os.File }

var _ drivers.Port = (*PTY)(nil)

// Open returns the line, which is one and the same each time.
func (p *PTY) Open(ctx context.Context) (drivers.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return ptyConn{p.master}, nil
}

// Close unplugs the line.
func (p *PTY) Close() error {
	_ = p.slave.Close()
	return p.master.Close()
}

func (p *PTY) String() string { return "pseudo-terminal " + p.slave.Name() }

// ptyConn is a conversation over the line. Its Close leaves the line plugged in.
type ptyConn struct{ *os.File }

func (c ptyConn) Close() error { return c.SetReadDeadline(time.Unix(1, 0)) }

func (c ptyConn) Peer() string { return c.Name() }

// makeRaw stops the terminal from changing what passes.
func makeRaw(f *os.File) error {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read the settings of %s: %w", f.Name(), err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return fmt.Errorf("set %s raw: %w", f.Name(), err)
	}
	return nil
}
