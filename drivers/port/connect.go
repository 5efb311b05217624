package port

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// ConnectConfig describes a TCP server that the analyzer, or a serial device
// server in front of it, runs.
type ConnectConfig struct {
	// Address is host:port. The host may be a name; it is looked up at each Open.
	Address string

	// DialTimeout limits one attempt; 0 means 10 s.
	DialTimeout time.Duration

	// KeepAlive is the silence after which the system asks whether the peer is
	// still there; 0 means 15 s, below 0 means never. A peer that does not
	// answer is given up after twice that time.
	KeepAlive time.Duration
}

const defaultDialTimeout = 10 * time.Second

// Connect returns a port that connects to c.Address. It opens nothing.
func Connect(c ConnectConfig) (drivers.Port, error) {
	if err := checkAddress(c.Address, true); err != nil {
		return nil, fmt.Errorf("tcp connect: %w", err)
	}
	if c.DialTimeout < 0 {
		return nil, fmt.Errorf("tcp connect: dial timeout %v is negative: leave it out for %v", c.DialTimeout, defaultDialTimeout)
	}
	p := &connectPort{address: c.Address, timeout: cmp.Or(c.DialTimeout, defaultDialTimeout)}
	k := keepAlive(c.KeepAlive)
	d := &net.Dialer{Timeout: p.timeout, KeepAlive: noKeepAlive, KeepAliveConfig: k, Control: unconfirmed(k)}
	d.SetMultipathTCP(false)
	p.dial = d.DialContext
	return p, nil
}

type connectPort struct {
	address string
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

var _ drivers.Port = (*connectPort)(nil)

// Open connects, within the timeout and while ctx lasts.
func (p *connectPort) Open(ctx context.Context) (drivers.Conn, error) {
	what := "connect " + p.address
	if ctx.Err() != nil {
		return nil, ended(ctx, what)
	}
	c, err := p.dial(ctx, "tcp", p.address)
	switch {
	case err == nil:
		return newTCPConn(c), nil
	case ctx.Err() != nil:
		return nil, ended(ctx, what)
	}
	return nil, p.explain(what, err)
}

// explain says what to look at when the analyzer cannot be reached.
func (p *connectPort) explain(what string, err error) error {
	dns, isName := errors.AsType[*net.DNSError](err)
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case isName && dns.IsNotFound:
		return hinted(what, bare(err), "check the host name, or write the analyzer's IP address")
	case isName:
		return hinted(what, bare(err), "the name service did not answer; an IP address does without it")
	case isRefused(err):
		return hinted(what, bare(err), "the machine is there but nothing listens on this port; check the port and the analyzer's host setting")
	case isUnreachable(err):
		return hinted(what, bare(err), "check the address, the cable and the route")
	case timeout != nil && timeout.Timeout():
		return fmt.Errorf("%s: no answer within %v: check that the analyzer is on, its address, and firewalls between", what, p.timeout)
	}
	return hinted(what, bare(err), "")
}

// Close has nothing to release: a port that connects holds nothing between
// connections.
func (p *connectPort) Close() error { return nil }

func (p *connectPort) String() string { return "tcp connect " + p.address }
