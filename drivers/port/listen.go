package port

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// ListenConfig describes a TCP port that the analyzer connects to.
type ListenConfig struct {
	// Address is host:port. Without a host every address of this machine is
	// listened on, IPv4 and IPv6. Port 0 takes any free one, see Addr.
	Address string

	// Allow lists who may connect; empty means everybody. An IPv4 peer is
	// compared as IPv4 however it arrives.
	Allow []netip.Prefix

	// MaxConns is how many connections may be open at a time; 0 means 8. One
	// more closes the one that has been silent longest: an analyzer that was
	// switched off and on leaves dead connections behind, and must get in.
	MaxConns int

	// KeepAlive is the silence after which the system asks whether the peer is
	// still there; 0 means 15 s, below 0 means never. A peer that does not
	// answer is given up after twice that time.
	KeepAlive time.Duration
}

const defaultMaxConns = 8

// acceptPause is waited after accepting failed for want of descriptors or
// memory, so that not even a caller without a pause of its own makes it spin.
const acceptPause = 100 * time.Millisecond

// Listen returns a port that the analyzer connects to. It also is a
// drivers.Listening and drivers.Guarded. Listening begins with the first Open and
// lasts until Close; peers that come between two Opens wait.
func Listen(c ListenConfig) (drivers.Port, error) {
	if err := checkAddress(c.Address, false); err != nil {
		return nil, fmt.Errorf("tcp listen: %w", err)
	}
	if c.MaxConns < 0 {
		return nil, fmt.Errorf("tcp listen %s: max connections %d is negative: leave it out for %d", c.Address, c.MaxConns, defaultMaxConns)
	}
	allow, err := unmapped(c.Allow)
	if err != nil {
		return nil, fmt.Errorf("tcp listen %s: %w", c.Address, err)
	}
	k := keepAlive(c.KeepAlive)
	lc := &net.ListenConfig{KeepAlive: noKeepAlive, KeepAliveConfig: k, Control: unconfirmed(k)}
	lc.SetMultipathTCP(false)
	return &listenPort{
		address: c.Address,
		door:    door{allow: allow, limit: cmp.Or(c.MaxConns, defaultMaxConns), guests: map[*guest]struct{}{}},
		turn:    make(chan struct{}, 1),
		listen: func(ctx context.Context, address string) (listener, error) {
			ln, err := lc.Listen(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			return ln.(*net.TCPListener), nil
		},
	}, nil
}

// unmapped checks the allow list and turns IPv4 in IPv6's clothes into IPv4.
func unmapped(allow []netip.Prefix) ([]netip.Prefix, error) {
	allow = slices.Clone(allow)
	for i, p := range allow {
		switch a := p.Addr(); {
		case !p.IsValid():
			return nil, fmt.Errorf("allow: entry %d is not a network: write e.g. 10.0.5.0/24", i+1)
		case a.Is4In6() && p.Bits() < 96:
			return nil, fmt.Errorf("allow: %s spans more than IPv4: write the IPv4 network", p)
		case a.Is4In6():
			allow[i] = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
	}
	return allow, nil
}

// listener is what Open needs of a *net.TCPListener.
type listener interface {
	net.Listener
	SetDeadline(time.Time) error
}

type listenPort struct {
	address string
	door    door
	listen  func(ctx context.Context, address string) (listener, error)
	turn    chan struct{} // held by the one Open that accepts

	mu sync.Mutex
	ln listener // nil while closed
}

var (
	_ drivers.Listening = (*listenPort)(nil)
	_ drivers.Guarded   = (*listenPort)(nil)
)

// Open returns the next peer that is allowed in. When ctx ends the listener
// stays, and with it the peers that wait to be accepted.
func (p *listenPort) Open(ctx context.Context) (drivers.Conn, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ended(ctx, p.String())
	}
	ln, err := p.listening(ctx)
	if err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		c, err := accept(ctx, ln)
		if err != nil {
			return nil, p.failed(ctx, ln, err)
		}
		if g := p.door.admit(c); g != nil {
			return g, nil
		}
	}
	return nil, ended(ctx, p.String())
}

// Bind makes a port of [Listen] begin to listen, as its first Open does, and returns
// the address: who listens on port 0 can tell it before a peer has come.
func Bind(ctx context.Context, p drivers.Port) (address string, err error) {
	l, ok := p.(*listenPort)
	if !ok {
		return "", fmt.Errorf("listen on %s: peers do not connect to it", p)
	}
	ln, err := l.listening(ctx)
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), nil
}

// listening returns the listener, and begins to listen where there is none.
func (p *listenPort) listening(ctx context.Context) (listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		return p.ln, nil
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, p.String())
	}
	ln, err := p.listen(ctx, p.address)
	if err != nil {
		return nil, p.explain(err)
	}
	p.ln = ln
	return ln, nil
}

// accept waits for a peer while ctx lasts. A deadline in the past wakes it: the
// listener survives that, and so does whoever waits in its queue.
func accept(ctx context.Context, ln listener) (net.Conn, error) {
	if err := ln.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = ln.SetDeadline(time.Unix(1, 0)) // fails only when closed, which wakes too
	})
	c, err := ln.Accept()
	if !stop() {
		<-woken // or it would strike the next Open
	}
	return c, err
}

// failed sorts out why nobody was accepted. A listener that fails for other
// reasons than shortage is given up, so that the next Open makes a new one.
func (p *listenPort) failed(ctx context.Context, ln listener, err error) error {
	what := "accept on " + p.String()
	switch {
	case ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return ended(ctx, p.String())
	case isShortage(err):
		drivers.Pause(ctx, acceptPause)
		return hinted(what, bare(err), "the system is short of file descriptors or memory; see who uses them up")
	}
	p.mu.Lock()
	if p.ln == ln {
		p.ln = nil
	}
	p.mu.Unlock()
	_ = ln.Close() // it failed, or was closed already
	return hinted(what, bare(err), "")
}

// explain says what to do when the port cannot be listened on.
func (p *listenPort) explain(err error) error {
	what := p.String()
	switch {
	case isAddrInUse(err):
		return hinted(what, drivers.ErrPortBusy, "another program, or another analyzer of this one, listens there; choose a port of its own for each")
	case isAddrMissing(err):
		return hinted(what, bare(err), "this machine does not have the address; write :port to listen on all it has")
	case isDenied(err):
		return hinted(what, bare(err), "choose a port above 1023, or allow the service the lower ones")
	}
	return hinted(what, bare(err), "")
}

// Close stops listening. Connections stay open, and Open listens again.
func (p *listenPort) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln == nil {
		return nil
	}
	err := p.ln.Close()
	p.ln = nil
	if err != nil {
		return fmt.Errorf("close %s: %w", p, err)
	}
	return nil
}

// Addr returns the address that is listened on, "" while it is not.
func (p *listenPort) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln == nil {
		return ""
	}
	return p.ln.Addr().String()
}

// Refusals tells who was turned away or had to leave.
func (p *listenPort) Refusals() drivers.Refusals { return p.door.refusals() }

func (p *listenPort) String() string { return "tcp listen " + p.address }
