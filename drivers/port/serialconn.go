package port

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// hangUpReads is how many reads in a row must come back empty and too early
// before the line counts as gone. A line that hung up answers at once, millions
// of times a second; one that is only quiet takes its whole pollTime.
const hangUpReads = 4

// writeGrace is added to the time that a write must take at the line's speed.
const writeGrace = 10 * time.Second

// serialConn is a drivers.Conn over a line.
type serialConn struct {
	line    line
	device  string
	perByte time.Duration // at the line's speed

	done    chan struct{} // closed by Close
	closing sync.Once
	closed  error // what closing came to

	reading sync.Mutex // held by the one Read that runs; guards early and fault
	early   int        // reads in a row that came back empty too early
	fault   error      // why no read will ever succeed again

	mu      sync.Mutex
	readBy  time.Time
	writeBy time.Time
}

var _ drivers.Conn = (*serialConn)(nil)

func newSerialConn(l line, c SerialConfig) *serialConn {
	const longest = 12 // bits: start, 8 data, parity, 2 stop
	return &serialConn{
		line:    l,
		device:  c.Device,
		perByte: longest * time.Second / time.Duration(c.Baud),
		done:    make(chan struct{}),
	}
}

// Read reads what has come, and otherwise waits for it, its deadline or Close.
func (c *serialConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, io.ErrShortBuffer
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		if err := c.stopped(); err != nil {
			return 0, err
		}
		if n := c.poll(p); n > 0 {
			return n, nil
		}
	}
}

// stopped says why not to ask the line again.
func (c *serialConn) stopped() error {
	if c.isClosed() {
		return fmt.Errorf("read serial %s: %w", c.device, net.ErrClosed)
	}
	if c.fault != nil {
		return c.fault
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.readBy.IsZero() && !time.Now().Before(c.readBy) {
		return fmt.Errorf("read serial %s: %w", c.device, os.ErrDeadlineExceeded)
	}
	return nil
}

// poll asks the line once and judges an answer without bytes.
func (c *serialConn) poll(p []byte) int {
	began := time.Now()
	n, err := c.line.Read(p)
	switch {
	case n > 0: // an error beside bytes comes again
		c.early = 0
	case err != nil && !errors.Is(err, io.EOF):
		c.fault = fmt.Errorf("read serial %s: %w", c.device, bare(err))
		if hungUp(err) {
			c.fault = io.EOF
		}
	case time.Since(began) >= pollTime/2:
		c.early = 0
	default:
		if c.early++; c.early >= hangUpReads {
			c.fault = io.EOF
		}
	}
	return n
}

// Write writes p. Without a deadline it gives up when the line should long have
// been done with it. How much of an unfinished write reached the analyzer is
// not known.
func (c *serialConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	by := c.writeBy
	if by.IsZero() {
		by = time.Now().Add(writeGrace + time.Duration(len(p))*c.perByte)
	}
	err := c.line.SetWriteDeadline(by)
	c.mu.Unlock()
	if c.isClosed() {
		return 0, fmt.Errorf("write serial %s: %w", c.device, net.ErrClosed)
	}
	if err != nil {
		return 0, fmt.Errorf("write serial %s: %w", c.device, bare(err))
	}
	n, err := c.line.Write(p)
	switch {
	case err == nil:
		return n, nil
	case c.isClosed():
		return n, fmt.Errorf("write serial %s: %w", c.device, net.ErrClosed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, hinted("write serial "+c.device, os.ErrDeadlineExceeded, "the analyzer does not take bytes; check the flow control setting and the cable")
	}
	return n, fmt.Errorf("write serial %s: %w", c.device, bare(err))
}

// SetReadDeadline sets the time after which Read gives up, to within pollTime.
func (c *serialConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = t
	return nil
}

// SetWriteDeadline sets the time after which Write gives up. Taking a deadline
// away does not concern a Write that runs already.
func (c *serialConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeBy = t
	if t.IsZero() || c.isClosed() {
		return nil
	}
	if err := c.line.SetWriteDeadline(t); err != nil {
		return fmt.Errorf("set write deadline of serial %s: %w", c.device, bare(err))
	}
	return nil
}

// Close closes the line once; every call returns what that came to.
func (c *serialConn) Close() error {
	c.closing.Do(func() {
		close(c.done)
		if err := c.line.Close(); err != nil {
			c.closed = fmt.Errorf("close serial %s: %w", c.device, bare(err))
		}
	})
	return c.closed
}

func (c *serialConn) isClosed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Peer returns the line's device.
func (c *serialConn) Peer() string { return c.device }
