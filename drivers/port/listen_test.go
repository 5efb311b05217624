package port

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// listening returns a port that listens already, so that peers may come.
func listening(t *testing.T, c ListenConfig) *listenPort {
	t.Helper()
	p := must(Listen(c))(t).(*listenPort)
	t.Cleanup(func() { p.Close() })
	must(p.listening(t.Context()))(t)
	return p
}

func dial(t *testing.T, p *listenPort) net.Conn {
	t.Helper()
	c := must(net.Dial("tcp", p.Addr()))(t)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestListenConfig(t *testing.T) {
	tests := []struct {
		name string
		cfg  ListenConfig
		err  string
	}{
		{"every address", ListenConfig{Address: ":2575"}, ""},
		{"any port", ListenConfig{Address: "127.0.0.1:0"}, ""},
		{"IPv6", ListenConfig{Address: "[::1]:2575"}, ""},
		{"no address", ListenConfig{}, "address is empty"},
		{"no port", ListenConfig{Address: "2575"}, "to listen, :2575"},
		{"bare IPv6", ListenConfig{Address: "fd00::1:2575"}, "not host:port"},
		{"port by name", ListenConfig{Address: ":http"}, "not a number"},
		{"port too high", ListenConfig{Address: ":65536"}, "not a number"},
		{"cap below zero", ListenConfig{Address: ":1", MaxConns: -1}, "negative"},
		{"empty network", ListenConfig{Address: ":1", Allow: []netip.Prefix{{}}}, "entry 1 is not a network"},
		{"more than IPv4", ListenConfig{Address: ":1", Allow: []netip.Prefix{netip.MustParsePrefix("::ffff:0:0/95")}}, "more than IPv4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Listen(tt.cfg)
			switch {
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err == "":
				if got := p.String(); got != "tcp listen "+tt.cfg.Address {
					t.Errorf("String = %q", got)
				}
				if got := p.(drivers.Listening).Addr(); got != "" {
					t.Errorf("Addr before Open = %q", got)
				}
			case err == nil || !strings.Contains(err.Error(), tt.err):
				t.Errorf("Listen = %v, want an error that says %q", err, tt.err)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	tests := []struct {
		name, peer string
		allow      []string
		want       bool
	}{
		{"nobody named", "192.0.2.1", nil, true},
		{"inside", "10.0.5.12", []string{"10.0.5.0/24"}, true},
		{"outside", "10.0.6.12", []string{"10.0.5.0/24"}, false},
		{"second network", "10.0.6.12", []string{"10.0.5.0/24", "10.0.6.12/32"}, true},
		{"IPv4 by way of IPv6", "::ffff:10.0.5.12", []string{"10.0.5.0/24"}, true},
		{"list in IPv6's words", "10.0.5.12", []string{"::ffff:10.0.5.0/120"}, true},
		{"host bits set", "10.0.5.12", []string{"10.0.5.7/24"}, true},
		{"IPv6", "fd00::12", []string{"fd00::/8"}, true},
		{"IPv6 with a zone", "fe80::12%eth0", []string{"fe80::/10"}, true},
		{"all of IPv4 only", "fd00::12", []string{"0.0.0.0/0"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c ListenConfig
			for _, s := range tt.allow {
				c.Allow = append(c.Allow, netip.MustParsePrefix(s))
			}
			d := door{allow: must(unmapped(c.Allow))(t)}
			peer := netip.MustParseAddr(tt.peer)
			addr := &net.TCPAddr{IP: peer.AsSlice(), Zone: peer.Zone()}
			if got := d.allowed(peerAddr(addressed{addr: addr})); got != tt.want {
				t.Errorf("allowed = %v", got)
			}
		})
	}
}

// addressed is a connection of which only the address matters.
type addressed struct {
	net.Conn
	addr net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.addr }

// A peer that may not come in is hung up on and counted, and Open goes on
// waiting for one that may.
func TestRefuse(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	opened := make(chan drivers.Conn, 1)
	go func() {
		c, _ := p.Open(t.Context())
		opened <- c
	}()
	for range 3 {
		if n, err := dial(t, p).Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatalf("a peer that is not allowed read %d, %v", n, err)
		}
	}
	if r := p.Refusals(); r.Refused != 3 || r.LastRefused.String() != "127.0.0.1" || r.LastAt.IsZero() || r.Displaced != 0 {
		t.Errorf("Refusals = %+v", r)
	}
	select {
	case c := <-opened:
		t.Fatalf("Open returned %v for a peer that is not allowed", c)
	default:
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	peer := must(from.Dial("tcp", p.Addr()))(t)
	defer peer.Close()
	c := receive(t, opened, "the peer that is allowed")
	defer c.Close()
	if c.Peer() != peer.LocalAddr().String() {
		t.Errorf("Peer = %q, want %q", c.Peer(), peer.LocalAddr())
	}
}

// Quirk: half-open sockets. The connections of an analyzer that was switched
// off stay, and must not keep it out.
func TestDisplace(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0", MaxConns: 3})
	var peers []net.Conn
	var conns []drivers.Conn
	join := func() {
		peers = append(peers, dial(t, p))
		conns = append(conns, open(t, p))
	}
	say := func(i int) {
		must(peers[i].Write([]byte("x")))(t)
		wantRead(t, conns[i], []byte("x"))
	}
	gone := func(i int) {
		t.Helper()
		_, err := conns[i].Read(make([]byte, 1))
		if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "newer connection") {
			t.Errorf("connection %d reads %v, want to be told that it had to go", i, err)
		}
		if _, err := peers[i].Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("peer %d reads %v, want EOF", i, err)
		}
	}
	join()
	join()
	join()
	say(0)
	join() // 1 came first of those that never spoke
	gone(1)
	say(2)
	say(3)
	join()
	gone(0)
	for _, i := range []int{2, 3, 4} {
		say(i)
	}
	if r := p.Refusals(); r.Displaced != 2 || r.Refused != 0 {
		t.Errorf("Refusals = %+v", r)
	}
	conns[3].Close()
	join() // into the room that 3 left
	for _, i := range []int{2, 4, 5} {
		say(i)
	}
}

func TestListenReopen(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0"})
	peer := dial(t, p)
	c := open(t, p)
	first := p.Addr()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if p.Addr() != "" {
		t.Errorf("Addr after Close = %q", p.Addr())
	}
	if _, err := net.Dial("tcp", first); err == nil {
		t.Error("a closed port still takes connections")
	}
	must(peer.Write([]byte("x")))(t)
	wantRead(t, c, []byte("x")) // connections stay

	must(p.listening(t.Context()))(t)
	dial(t, p)
	open(t, p)
}

// TestBind: the address is known before a peer comes, and is that of the next Open;
// a port that connects has none.
func TestBind(t *testing.T) {
	p, err := Listen(ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	address := must(Bind(t.Context(), p))(t)
	if again := must(Bind(t.Context(), p))(t); again != address || p.(*listenPort).Addr() != address {
		t.Errorf("%s, then %s, and it listens on %s", address, again, p.(*listenPort).Addr())
	}
	dial(t, p.(*listenPort))
	open(t, p)
	taken, err := Listen(ListenConfig{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Bind(t.Context(), taken); !errors.Is(err, drivers.ErrPortBusy) {
		t.Errorf("where another listens: %v", err)
	}
	other, err := Connect(ConnectConfig{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Bind(t.Context(), other); err == nil {
		t.Error("a port that connects has an address to be connected to")
	}
}

// watchedListener tells when somebody begins to accept.
type watchedListener struct {
	listener
	accepting chan struct{}
}

func (l watchedListener) Accept() (net.Conn, error) {
	close(l.accepting)
	return l.listener.Accept()
}

// Close ends an Open that waits.
func TestListenCloseWakesOpen(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0"})
	watched := watchedListener{p.ln, make(chan struct{})}
	p.ln = watched
	done := inBackground(func() error { _, err := p.Open(t.Context()); return err })
	receive(t, watched.accepting, "Open to accept")
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := receive(t, done, "Open to return"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Open = %v, want net.ErrClosed", err)
	}
}

// The end of one Open's context neither harms the listener nor loses the peer
// that comes next, and two that wait do not hinder each other's ending.
func TestListenContext(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0"})
	addr := p.Addr()
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		first := inBackground(func() error { _, err := p.Open(ctx); return err })
		second := inBackground(func() error { _, err := p.Open(ctx); return err })
		cancel()
		for _, done := range []<-chan error{first, second} {
			if err := receive(t, done, "Open to return"); !errors.Is(err, context.Canceled) {
				t.Fatalf("Open = %v", err)
			}
		}
		peer := dial(t, p)
		c := open(t, p)
		must(peer.Write([]byte("x")))(t)
		wantRead(t, c, []byte("x"))
		c.Close()
	}
	if p.Addr() != addr {
		t.Errorf("the listener moved from %s to %s", addr, p.Addr())
	}
}

// A peer that came between two Opens waits.
func TestListenQueue(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dial(t, p)
	if _, err := p.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Open = %v", err)
	}
	open(t, p)
}

func TestListenInUse(t *testing.T) {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0"})
	second := must(Listen(ListenConfig{Address: p.Addr()}))(t)
	_, err := second.Open(t.Context())
	if !errors.Is(err, drivers.ErrPortBusy) || !strings.Contains(err.Error(), p.Addr()) {
		t.Errorf("Open = %v", err)
	}
	p.Close()
	must(second.(*listenPort).listening(t.Context()))(t)
	second.Close()
}

func TestListenElsewhere(t *testing.T) {
	p := must(Listen(ListenConfig{Address: "192.0.2.1:0"}))(t) // TEST-NET-1, nobody's
	if _, err := p.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "does not have the address") {
		t.Errorf("Open = %v", err)
	}
}

func TestListenIPv6(t *testing.T) {
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	} else {
		ln.Close()
	}
	p := listening(t, ListenConfig{Address: "[::1]:0", Allow: []netip.Prefix{netip.MustParsePrefix("::1/128")}})
	dial(t, p)
	if c := open(t, p); !strings.HasPrefix(c.Peer(), "[::1]:") {
		t.Errorf("Peer = %q", c.Peer())
	}
}

// fakeListener is a listener made of a function.
type fakeListener struct {
	accept      func() (net.Conn, error)
	setDeadline func(time.Time) error // nil: takes any
	closed      int
}

func (l *fakeListener) Accept() (net.Conn, error) { return l.accept() }
func (l *fakeListener) SetDeadline(t time.Time) error {
	if l.setDeadline == nil {
		return nil
	}
	return l.setDeadline(t)
}
func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{} }
func (l *fakeListener) Close() error   { l.closed++; return nil }

// Short of descriptors, Open says so, takes its time, and keeps the listener;
// after other faults the next Open listens anew.
func TestAcceptFaults(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		listens int
		pauses  bool
	}{
		{"out of descriptors", errShort, 1, true},
		{"broken listener", errOther, 5, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := must(Listen(ListenConfig{Address: ":2575"}))(t).(*listenPort)
				accepts, listens := 0, 0
				ln := &fakeListener{accept: func() (net.Conn, error) {
					accepts++
					return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", tt.err)}
				}}
				p.listen = func(context.Context, string) (listener, error) { listens++; return ln, nil }
				began := time.Now()
				for i := range 5 {
					if _, err := p.Open(t.Context()); !errors.Is(err, tt.err) || !strings.HasPrefix(err.Error(), "accept on tcp listen :2575: ") {
						t.Fatalf("Open = %v", err)
					}
					if accepts != i+1 {
						t.Fatalf("%d accepts in %d Opens", accepts, i+1)
					}
				}
				if listens != tt.listens || (time.Since(began) > 0) != tt.pauses {
					t.Errorf("%d listeners in %v", listens, time.Since(began))
				}
				if kept := ln.closed == 0; kept != tt.pauses {
					t.Errorf("the listener was closed %d times", ln.closed)
				}
			})
		})
	}
}

// What wakes one Open must be over when it returns, or it would wake the next.
func TestListenWakesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		woken := false
		ln := &fakeListener{
			accept: func() (net.Conn, error) {
				cancel()
				return nil, os.ErrDeadlineExceeded
			},
			setDeadline: func(by time.Time) error {
				if !by.IsZero() {
					time.Sleep(time.Second)
					woken = true
				}
				return nil
			},
		}
		if _, err := accept(ctx, ln); !errors.Is(err, os.ErrDeadlineExceeded) || !woken {
			t.Errorf("accept = %v before the deadline was set: %v", err, !woken)
		}
		synctest.Wait()
	})
}

// With many peers at once, as many stay as may.
func TestListenCrowd(t *testing.T) {
	const limit, crowd = 4, 20
	p := listening(t, ListenConfig{Address: "127.0.0.1:0", MaxConns: limit})
	for range crowd {
		dial(t, p)
		open(t, p)
	}
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	if n := len(p.door.guests); n != limit || p.door.told.Displaced != crowd-limit {
		t.Errorf("%d connections are open, %+v", n, p.door.told)
	}
}
