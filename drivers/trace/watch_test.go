package trace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// loop is a port whose connections read the same bytes again and again.
type loop struct{ text []byte }

func (p *loop) Open(context.Context) (drivers.Conn, error) { return &loopConn{text: p.text}, nil }
func (*loop) Close() error                                 { return nil }
func (*loop) String() string                               { return "loop" }

type loopConn struct {
	text []byte
	over bool
}

func (c *loopConn) Read(p []byte) (int, error) {
	if c.over {
		return 0, io.EOF
	}
	return copy(p, c.text), nil
}
func (c *loopConn) Write(p []byte) (int, error)    { return len(p), nil }
func (*loopConn) Close() error                     { return nil }
func (*loopConn) SetReadDeadline(time.Time) error  { return nil }
func (*loopConn) SetWriteDeadline(time.Time) error { return nil }
func (*loopConn) Peer() string                     { return "peer" }

type listeningLoop struct{ loop }

func (*listeningLoop) Addr() string               { return "127.0.0.1:1" }
func (*listeningLoop) Refusals() drivers.Refusals { return drivers.Refusals{Refused: 3} }

func TestWatch(t *testing.T) {
	p, feed := Watch(&loop{text: []byte("abc")})
	if _, listens := p.(drivers.Listening); listens {
		t.Error("a port that does not listen says that it does")
	}
	early, err := p.Open(t.Context()) // before anybody listens
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	early.Read(buf)
	s := feed.Subscribe(1 << 20)
	defer s.Close()
	c, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Read(buf)
	c.Write([]byte("ack"))
	c.(*watchedConn).Conn.(*loopConn).over = true
	for range 3 { // told once
		if _, err := c.Read(buf); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
	c.Close()
	c.Close()
	early.Close()
	want := []Event{
		{Conn: 1, Kind: Open, Note: "peer, open already"},
		{Conn: 2, Kind: Open, Note: "peer"},
		{Conn: 2, Kind: Data, From: Analyzer, Data: []byte("abc")},
		{Conn: 2, Kind: Data, From: Host, Data: []byte("ack")},
		{Conn: 2, Kind: End, From: Analyzer},
		{Conn: 2, Kind: Close},
		{Conn: 1, Kind: Close},
	}
	got, err := s.Next(t.Context())
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, e := range got {
		w := want[i]
		if e.Conn != w.Conn || e.Kind != w.Kind || e.From != w.From || e.Note != w.Note || !bytes.Equal(e.Data, w.Data) || e.At.IsZero() {
			t.Errorf("event %d: %+v, want %+v", i, e, w)
		}
	}
	l, _ := Watch(&listeningLoop{})
	if at, listens := l.(drivers.Listening); !listens || at.Addr() != "127.0.0.1:1" {
		t.Error("a port that listens does not say so any more")
	}
	if g, guarded := l.(drivers.Guarded); !guarded || g.Refusals().Refused != 3 {
		t.Error("a port that turns peers away does not say so any more")
	}
}

// A reader that does not come costs a bounded piece of memory, and finds a gap.
func TestSlowReader(t *testing.T) {
	p, feed := Watch(&loop{text: make([]byte, 1000)})
	s := feed.Subscribe(20_000)
	defer s.Close()
	c, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	for range 1000 {
		c.Read(buf)
	}
	if s.queue.size > 20_000 {
		t.Errorf("%d bytes are held", s.queue.size)
	}
	events, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var data, lost uint64
	for _, e := range events {
		data, lost = data+uint64(len(e.Data)), lost+e.Lost
	}
	if data+lost != 1_000_000 || events[len(events)-1].Kind != Gap {
		t.Errorf("%d seen, %d in the gap", data, lost)
	}
	c.Read(buf)
	if events, err = s.Next(t.Context()); err != nil || len(events) != 1 || events[0].Kind != Data {
		t.Errorf("after the gap: %+v, %v", events, err)
	}
}

// BenchmarkWatch compares reads over a bare connection, over a watched one that
// nobody listens to, and over one that somebody does.
func BenchmarkWatch(b *testing.B) {
	bare := &loop{text: make([]byte, 64)}
	run := func(name string, p drivers.Port) {
		b.Run(name, func(b *testing.B) {
			c, err := p.Open(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				c.Read(buf)
			}
		})
	}
	run("bare", bare)
	watched, feed := Watch(bare)
	run("nobody listens", watched)
	s := feed.Subscribe(1 << 20)
	defer s.Close()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := s.Next(ctx); err != nil {
				return
			}
		}
	}()
	run("one listens", watched)
	cancel()
	<-done
}

type collectingLoop struct{ loop }

func (*collectingLoop) Collect(string, drivers.Kind, drivers.Section, drivers.Deps) (drivers.Driver, error) {
	return nil, nil
}

// A port without connections keeps what makes it one: else nobody would read it.
func TestWatchCollecting(t *testing.T) {
	p, feed := Watch(&collectingLoop{})
	if _, collects := p.(drivers.Collecting); !collects || feed == nil {
		t.Errorf("%T, %v", p, feed)
	}
}
