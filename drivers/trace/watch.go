package trace

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Feed is what passes over the connections of one port. It tells those who
// subscribed, and costs next to nothing while nobody has.
type Feed struct {
	readers atomic.Pointer[[]*Subscription] // nil: nobody listens

	mu    sync.Mutex
	conns uint64            // ever opened
	open  map[uint64]string // open now, with their peers
	over  bool
}

// Watch returns p with a Feed of what passes over its connections. The port it
// returns is a drivers.Listening, and drivers.Guarded, if p is. One that is
// drivers.Collecting has no connections: it is returned as it is, and the feed
// stays silent.
func Watch(p drivers.Port) (drivers.Port, *Feed) {
	f := &Feed{open: map[uint64]string{}}
	if _, collects := p.(drivers.Collecting); collects {
		return p, f
	}
	w := &watchedPort{Port: p, feed: f}
	if l, listens := p.(drivers.Listening); listens {
		return &watchedListening{watchedPort: w, listening: l}, f
	}
	return w, f
}

// Subscribe begins to listen. The first events say what connections are open.
// Memory bounds what is held for a reader that is slow, in bytes. The
// subscription has to be closed.
func (f *Feed) Subscribe(memory int) *Subscription {
	s := &Subscription{feed: f, queue: newQueue(memory)}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range sortedKeys(f.open) {
		s.queue.add(Event{At: now, Conn: conn, Kind: Open, Note: f.open[conn] + ", open already"})
	}
	if f.over {
		s.queue.close()
		return s
	}
	all := []*Subscription{s}
	if readers := f.readers.Load(); readers != nil {
		all = append(slices.Clone(*readers), s)
	}
	f.readers.Store(&all)
	return s
}

// Close ends all subscriptions, those that come later too.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if readers := f.readers.Swap(nil); readers != nil {
		for _, s := range *readers {
			s.queue.close()
		}
	}
}

func (f *Feed) leave(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	readers := f.readers.Load()
	if readers == nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(*readers), func(other *Subscription) bool { return other == s })
	if len(left) == 0 {
		f.readers.Store(nil)
		return
	}
	f.readers.Store(&left)
}

// tell gives an event to all who listen.
func (f *Feed) tell(e Event) {
	readers := f.readers.Load()
	if readers == nil {
		return
	}
	e.At = time.Now()
	for _, s := range *readers {
		s.queue.add(e)
	}
}

func sortedKeys(m map[uint64]string) (keys []uint64) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Subscription is one reader's view of a Feed.
type Subscription struct {
	feed  *Feed
	queue *queue
}

// Next waits for events and returns them. It returns io.EOF when there will be no
// more, and ctx's error when that ended first.
func (s *Subscription) Next(ctx context.Context) ([]Event, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.queue.wake:
		}
		events, over := s.queue.take("this reader was too slow")
		if len(events) > 0 {
			return events, nil
		}
		if over {
			return nil, io.EOF
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.feed.leave(s)
	s.queue.close()
}

type watchedPort struct {
	drivers.Port
	feed *Feed
}

var _ drivers.Port = (*watchedPort)(nil)

// Open opens a connection, and watches it.
func (p *watchedPort) Open(ctx context.Context) (drivers.Conn, error) {
	c, err := p.Port.Open(ctx)
	if err != nil {
		return nil, err
	}
	f := p.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns++
	f.open[f.conns] = c.Peer()
	f.tell(Event{Conn: f.conns, Kind: Open, Note: c.Peer()})
	return &watchedConn{Conn: c, feed: f, number: f.conns}, nil
}

type watchedListening struct {
	*watchedPort
	listening drivers.Listening
}

var (
	_ drivers.Listening = (*watchedListening)(nil)
	_ drivers.Guarded   = (*watchedListening)(nil)
)

// Addr is the address that is listened on.
func (p *watchedListening) Addr() string { return p.listening.Addr() }

// Refusals counts the peers that the port did not keep, if it turns any away.
func (p *watchedListening) Refusals() drivers.Refusals {
	if g, guarded := p.listening.(drivers.Guarded); guarded {
		return g.Refusals()
	}
	return drivers.Refusals{}
}

type watchedConn struct {
	drivers.Conn
	feed   *Feed
	number uint64
	ended  atomic.Bool
	closed sync.Once
}

// Read reads from the analyzer. What came is told before the driver can answer it.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.feed.readers.Load() != nil {
		c.heard(p[:n], err)
	}
	return n, err
}

func (c *watchedConn) heard(p []byte, err error) {
	if len(p) > 0 {
		c.feed.tell(Event{Conn: c.number, Kind: Data, From: Analyzer, Data: p})
	}
	if errors.Is(err, io.EOF) && !c.ended.Swap(true) {
		c.feed.tell(Event{Conn: c.number, Kind: End, From: Analyzer})
	}
}

// Write writes to the analyzer. It is told first: the answer may come before
// Write returns.
func (c *watchedConn) Write(p []byte) (int, error) {
	if c.feed.readers.Load() != nil {
		c.feed.tell(Event{Conn: c.number, Kind: Data, From: Host, Data: p})
	}
	return c.Conn.Write(p)
}

// Close closes the connection.
func (c *watchedConn) Close() error {
	c.closed.Do(func() {
		c.feed.mu.Lock()
		defer c.feed.mu.Unlock()
		delete(c.feed.open, c.number)
		c.feed.tell(Event{Conn: c.number, Kind: Close})
	})
	return c.Conn.Close()
}
