package port

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// SerialConfig describes a serial line. Zero fields mean 9600 8N1 without flow
// control.
type SerialConfig struct {
	// Device is the line's name: /dev/ttyUSB0, better /dev/serial/by-id/...,
	// or COM3. See List.
	Device string

	// Baud is the speed in bits per second; 0 means 9600. Only the usual speeds
	// are known.
	Baud int

	// DataBits is 5 to 8; 0 means 8.
	DataBits int

	// Parity is "none", "odd", "even", "mark" or "space"; "" means "none".
	Parity string

	// StopBits is "1", "1.5" (Windows only) or "2"; "" means "1".
	StopBits string

	// FlowControl is "none", "rts-cts" or "xon-xoff"; "" means "none".
	FlowControl string
}

// The words of the configuration.
const (
	none    = "none"
	odd     = "odd"
	even    = "even"
	mark    = "mark"
	space   = "space"
	rtsCts  = "rts-cts"
	xonXoff = "xon-xoff"
)

// pollTime is how long one read of the line waits. It has to be limited, since
// neither Close nor a deadline reaches into tarm/serial's read, and Linux counts
// it in steps of this size.
const pollTime = 100 * time.Millisecond

// bauds returns the speeds in tarm/serial's table for Linux. Windows would take
// others too, but a configuration should mean the same on both.
func bauds() []int {
	return []int{
		50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200,
		38400, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
		1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
	}
}

// Serial returns a port for a serial line. It opens nothing; a setting that no
// line of this system could have is refused, all of them at once.
func Serial(c SerialConfig) (drivers.Port, error) {
	c = c.whole()
	if err := c.check(); err != nil {
		return nil, err
	}
	return &serialPort{cfg: c, open: openLine}, nil
}

// whole is c with the defaults in the place of zero fields.
func (c SerialConfig) whole() SerialConfig {
	c.Baud = cmp.Or(c.Baud, 9600)
	c.DataBits = cmp.Or(c.DataBits, 8)
	c.Parity = cmp.Or(c.Parity, none)
	c.StopBits = cmp.Or(c.StopBits, "1")
	c.FlowControl = cmp.Or(c.FlowControl, none)
	return c
}

func (c SerialConfig) check() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("serial: "+format, args...))
	}
	if strings.TrimSpace(c.Device) == "" {
		fault("no device: list the ports of this machine with `labcourier ports`")
	}
	if !slices.Contains(bauds(), c.Baud) {
		fault("baud %d is not supported: use one of %s", c.Baud, strings.Trim(fmt.Sprint(bauds()), "[]"))
	}
	if c.DataBits < 5 || c.DataBits > 8 {
		fault("data bits %d: use 5, 6, 7 or 8", c.DataBits)
	}
	for _, w := range []struct {
		name, value string
		words       []string
	}{
		{"parity", c.Parity, []string{none, odd, even, mark, space}},
		{"stop bits", c.StopBits, stopBits()},
		{"flow control", c.FlowControl, []string{none, rtsCts, xonXoff}},
	} {
		if !slices.Contains(w.words, w.value) {
			fault("%s %q: use one of %s", w.name, w.value, strings.Join(w.words, ", "))
		}
	}
	return errors.Join(faults...)
}

// String names the line the way its manual does: COM3 9600 8N1.
func (c SerialConfig) String() string {
	c = c.whole()
	s := fmt.Sprintf("%s %d %d%s%s", c.Device, c.Baud, c.DataBits, strings.ToUpper(c.Parity[:1]), c.StopBits)
	if c.FlowControl != none {
		s += " " + c.FlowControl
	}
	return s
}

// line is an open serial line, set up, in the platform's own way.
//
// Read waits no longer than pollTime; 0 bytes with nil or io.EOF mean that
// nothing came, or that nothing ever will: how long it took tells. Write obeys
// its deadline. Close makes a Read or Write that runs return first.
type line interface {
	io.ReadWriteCloser
	SetWriteDeadline(t time.Time) error
}

type serialPort struct {
	cfg  SerialConfig
	open func(SerialConfig) (line, error)
}

var _ drivers.Port = (*serialPort)(nil)

// Open opens the line by its name, which is looked up each time: an adapter
// that was pulled out and put back is found under a stable name.
func (p *serialPort) Open(ctx context.Context) (drivers.Conn, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, "open serial "+p.cfg.Device)
	}
	l, err := p.open(p.cfg)
	if err != nil {
		return nil, explainOpen(p.cfg.Device, err)
	}
	return newSerialConn(l, p.cfg), nil
}

// Close has nothing to release: a serial port holds nothing between
// connections.
func (p *serialPort) Close() error { return nil }

func (p *serialPort) String() string { return "serial " + p.cfg.String() }
