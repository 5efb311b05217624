package drivers

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"
)

// Line keeps a Port open for a driver and counts what passes. It opens the
// port, hands each connection to a serve function in a goroutine of its own,
// and opens again: at once after a peer has come, with growing pauses after a
// failure. One driver owns one Line.
type Line struct {
	port Port
	log  zerolog.Logger

	mu       sync.Mutex
	status   Status
	open     int    // connections being served
	sessions uint64 // connections ever served
}

// NewLine returns a Line over p. Nothing is opened before Run. The options are
// those of Status.Options.
func NewLine(p Port, log zerolog.Logger, options ...string) *Line {
	l := &Line{port: p, log: log}
	l.status = Status{Link: LinkDown, Since: time.Now(), Reason: "not started", Options: options, Counters: map[string]uint64{}}
	if p != nil {
		l.status.Port = p.String()
	}
	return l
}

// Pauses between attempts to open a port that fails, in growing steps. A
// connection that lasted less than minUseful counts as such a failure, so that
// a peer which takes and drops connections does not make the line spin.
const (
	minReopen = 500 * time.Millisecond
	maxReopen = 30 * time.Second
	minUseful = 2 * time.Second
)

// ServeFunc serves one connection until ctx ends or the connection fails. The
// session number is one that no other connection of the line has had.
type ServeFunc func(ctx context.Context, session uint64, c Conn) error

// Run serves the port until ctx ends; it then waits for every connection's
// serve to return, closes the port, and returns nil. Run closes connections,
// also when ctx ends, so that serve never hangs in a read.
func (l *Line) Run(ctx context.Context, serve ServeFunc) error {
	var conns sync.WaitGroup
	defer func() {
		conns.Wait()
		l.port.Close() // nobody is left to be told of a fault
		l.set(LinkDown, "stopped")
	}()
	_, listens := l.port.(Listening)
	l.set(l.idle(), "")
	if len(l.status.Options) > 0 {
		l.log.Info().Strs("options", l.status.Options).Msg("options in force that bend the protocol")
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minReopen, maxReopen
	for ctx.Err() == nil {
		c, err := l.port.Open(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
		case err != nil:
			l.failed(err)
			Pause(ctx, pause.NextBackOff())
		case listens:
			pause.Reset()
			conns.Go(func() { l.serve(ctx, c, serve) })
		default:
			opened := time.Now()
			l.serve(ctx, c, serve)
			if time.Since(opened) >= minUseful {
				pause.Reset()
			}
			Pause(ctx, pause.NextBackOff())
		}
	}
	return nil
}

func (l *Line) serve(ctx context.Context, c Conn, serve ServeFunc) {
	session := l.opened(c)
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err := serve(ctx, session, &meteredConn{Conn: c, line: l})
	stop()
	c.Close()
	l.closed(ctx, err)
}

// Status returns a copy of the counts and the state of the link.
func (l *Line) Status() Status {
	l.mu.Lock()
	s := l.status
	s.Options, s.Counters = slices.Clone(s.Options), maps.Clone(s.Counters)
	l.mu.Unlock()
	if g, guarded := l.port.(Guarded); guarded {
		s.turnedAway(g.Refusals())
	}
	return s
}

// turnedAway adds what the port did not keep. While nobody is connected, the last
// peer that was not let in may well be the analyzer: the reason names it.
func (s *Status) turnedAway(r Refusals) {
	if r.Displaced > 0 {
		s.Counters["peers_displaced"] = r.Displaced
	}
	if r.Refused == 0 {
		return
	}
	s.Counters["peers_not_allowed"] = r.Refused
	if s.Link == LinkListening && s.Reason == "" {
		s.Reason = "turned " + r.LastRefused.String() + " away, which is not on the list: if that is the analyzer, add it to allow in its tcp"
	}
}

// Acknowledged counts a message that was stored and acknowledged.
func (l *Line) Acknowledged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Acknowledged++
	l.status.LastMessage = time.Now()
}

// Refused counts a refusal and keeps its reason for the status.
func (l *Line) Refused(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Refused++
	l.status.Reason = reason
}

// Broken counts a message that ended before it was whole.
func (l *Line) Broken(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Broken++
	l.status.Reason = reason
}

// Count adds n to the driver's own counter of that name.
func (l *Line) Count(name string, n uint64) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Counters[name] += n
}

func (l *Line) set(s LinkState, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(s, reason)
}

func (l *Line) setLocked(s LinkState, reason string) {
	if l.status.Link != s {
		l.status.Link, l.status.Since = s, time.Now()
	}
	l.status.Reason = reason
}

// idle is the state of a line without a connection that is not at fault.
func (l *Line) idle() LinkState {
	if _, listens := l.port.(Listening); listens {
		return LinkListening
	}
	return LinkConnecting
}

func (l *Line) failed(err error) {
	l.mu.Lock()
	first := l.status.Link != LinkDown || l.status.Reason != err.Error()
	l.setLocked(LinkDown, err.Error())
	l.mu.Unlock()
	if first { // one line per fault, not one per attempt
		l.log.Warn().Err(err).Msg("link down; trying again until it opens")
	}
}

func (l *Line) opened(c Conn) (session uint64) {
	l.mu.Lock()
	l.open++
	l.sessions++
	session = l.sessions
	l.setLocked(LinkConnected, "")
	l.status.Peer = c.Peer()
	l.mu.Unlock()
	l.log.Info().Str("peer", c.Peer()).Uint64("session", session).Msg("link open")
	return session
}

func (l *Line) closed(ctx context.Context, err error) {
	reason := ""
	if err != nil && ctx.Err() == nil {
		reason = err.Error()
	}
	l.mu.Lock()
	l.open--
	if l.open == 0 {
		l.setLocked(l.idle(), reason)
		l.status.Peer = ""
	}
	l.mu.Unlock()
	l.log.Info().Str("reason", reason).Msg("link closed")
}

// meteredConn tells its Line when bytes come.
type meteredConn struct {
	Conn
	line *Line
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.line.mu.Lock()
		c.line.status.LastByte = time.Now()
		c.line.mu.Unlock()
	}
	if n == 0 && err == nil {
		err = errors.New("port read nothing without an error")
	}
	return n, err
}
