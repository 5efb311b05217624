package port

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// defaultKeepAlive is how long a TCP connection may be silent before the
// system asks whether the peer is still there.
const defaultKeepAlive = 15 * time.Second

// keepAliveProbes is how many such questions may go unanswered.
const keepAliveProbes = 3

// keepAlive makes the probing from its idle time: zero is the default, a
// negative one turns it off.
func keepAlive(idle time.Duration) net.KeepAliveConfig {
	idle = cmp.Or(idle, defaultKeepAlive)
	if idle < 0 {
		return net.KeepAliveConfig{}
	}
	return net.KeepAliveConfig{
		Enable:   true,
		Idle:     idle,
		Interval: max(idle/keepAliveProbes, time.Second),
		Count:    keepAliveProbes,
	}
}

// noKeepAlive is what net.Dialer and net.ListenConfig want beside an empty
// configuration so that they do not turn probing on by themselves.
const noKeepAlive = -1

// unconfirmed limits how long bytes that we sent may stay unconfirmed. Probing
// alone does not find a peer that died just as it was answered: the system does
// not probe while it still repeats data, which it does for a quarter of an hour.
func unconfirmed(k net.KeepAliveConfig) func(network, address string, c syscall.RawConn) error {
	if !k.Enable {
		return nil
	}
	limit := k.Idle + time.Duration(k.Count)*k.Interval
	return func(_, _ string, c syscall.RawConn) error {
		// A system without this option still has a link that works, only slower
		// to notice the peer's death: no reason to refuse.
		_ = c.Control(func(fd uintptr) { _ = setUnconfirmed(fd, limit) })
		return nil
	}
}

// checkAddress refuses what could never be opened.
func checkAddress(address string, hostNeeded bool) error {
	host, port, err := net.SplitHostPort(address)
	switch n, numErr := strconv.ParseUint(port, 10, 16); {
	case address == "":
		return errors.New("the address is empty: write host:port, e.g. 10.0.5.12:4001")
	case err != nil:
		return fmt.Errorf("address %q is not host:port: write e.g. 10.0.5.12:4001, [fd00::12]:4001 or, to listen, :2575", address)
	case numErr != nil:
		return fmt.Errorf("address %q: port %q is not a number from 1 to 65535", address, port)
	case hostNeeded && host == "":
		return fmt.Errorf("address %q names no host: write the analyzer's address before the colon", address)
	case hostNeeded && n == 0:
		return fmt.Errorf("address %q: port 0 cannot be connected to", address)
	}
	return nil
}

// Stream is implemented by the connections of [Listen] and [Connect]: what a link
// that passes everything on has to know, beyond what a driver needs.
type Stream interface {
	drivers.Conn

	// CloseWrite tells the peer that no more will come, and leaves the other
	// direction open.
	CloseWrite() error

	// Abort closes the connection so that the peer sees it reset.
	Abort() error

	// WasReset reports whether the io.EOF that Read returned was no orderly end.
	WasReset() bool
}

// tcpConn is a TCP connection that reads as drivers.Conn promises.
type tcpConn struct {
	net.Conn
	peer  string
	reset atomic.Bool
}

var _ Stream = (*tcpConn)(nil)

func newTCPConn(c net.Conn) *tcpConn {
	return &tcpConn{Conn: c, peer: c.RemoteAddr().String()}
}

// Read reads at least one byte, or tells why not. A reset connection reads as
// one that ended: an analyzer that is switched off does either.
func (c *tcpConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case n > 0:
		return n, nil // an error is told again by the next Read
	case err == nil:
		return 0, io.ErrShortBuffer // p has no room
	case errors.Is(err, io.EOF):
		return 0, io.EOF
	case hungUp(err):
		c.reset.Store(true)
		return 0, io.EOF
	}
	return 0, err
}

// CloseWrite ends what we send.
func (c *tcpConn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Abort resets the connection.
func (c *tcpConn) Abort() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a connection that is gone
	}
	return c.Conn.Close()
}

// WasReset tells a connection that was broken off from one that ended.
func (c *tcpConn) WasReset() bool { return c.reset.Load() }

// Peer returns the other end's address.
func (c *tcpConn) Peer() string { return c.peer }
