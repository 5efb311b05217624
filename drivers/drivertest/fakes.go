package drivertest

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Port is a drivers.Port whose peers are in the test: Dial connects one.
type Port struct{ peers chan net.Conn }

var (
	_ drivers.Port      = (*Port)(nil)
	_ drivers.Listening = (*Port)(nil)
)

// NewPort returns a port without peers.
func NewPort() *Port { return &Port{peers: make(chan net.Conn)} }

// Open waits for a peer.
func (p *Port) Open(ctx context.Context) (drivers.Conn, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case c := <-p.peers:
		return Conn{c}, nil
	}
}

// Dial connects to the driver and returns the peer's end. It waits until the
// driver takes the connection.
func (p *Port) Dial() drivers.Conn {
	here, there := net.Pipe()
	p.peers <- there
	return Conn{here}
}

// Close does nothing.
func (*Port) Close() error { return nil }

// Addr names the port.
func (*Port) Addr() string { return "pipe" }

func (*Port) String() string { return "pipe" }

// Conn makes a drivers.Conn of a net.Conn.
type Conn struct{ net.Conn }

var _ drivers.Conn = Conn{}

// Peer names the other end.
func (c Conn) Peer() string { return c.RemoteAddr().String() }

// Store is a drivers.Handler that keeps messages in memory.
type Store struct {
	// Before, if set, runs before a message is kept; its error refuses it.
	Before func(ctx context.Context, m drivers.Message) error

	mu       sync.Mutex
	messages []drivers.Message
	refuse   error
}

var _ drivers.Handler = (*Store)(nil)

// Receive keeps a copy of m.
func (s *Store) Receive(ctx context.Context, m drivers.Message) error {
	if s.Before != nil {
		if err := s.Before(ctx, m); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	m.Payload = slices.Clone(m.Payload)
	s.messages = append(s.messages, m)
	return nil
}

// Accepting returns what Refuse set.
func (s *Store) Accepting() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}

// Refuse makes the store refuse everything with err; nil ends that.
func (s *Store) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

// All returns the messages of that stage, in the order of their storing.
func (s *Store) All(stage drivers.Stage) []drivers.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []drivers.Message
	for _, m := range s.messages {
		if m.Stage == stage {
			out = append(out, m)
		}
	}
	return out
}

// Payloads returns the payloads of the messages of that stage.
func (s *Store) Payloads(stage drivers.Stage) []string {
	var out []string
	for _, m := range s.All(stage) {
		out = append(out, string(m.Payload))
	}
	return out
}

// Section sets a driver's options in a test: Decode calls it.
type Section func(dst any) error

var _ drivers.Section = Section(nil)

// Decode calls f.
func (f Section) Decode(dst any) error { return f(dst) }

// longest is longer than any driver waits for anything.
const longest = 10 * time.Minute
