package tap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/trace"
)

// Tap passes on what goes over a link. Its exported fields are set before Run.
type Tap struct {
	Analyzer, Host drivers.Port

	// Many says that a side which does not listen can be opened several times at
	// once: it is a TCP port that is connected to.
	Many bool

	// Record takes what happened, in order for each connection. It must not wait
	// and must not keep e.Data. Nil: nothing is recorded.
	Record func(e trace.Event)

	conns  atomic.Uint64
	open   atomic.Int64
	passed [2]atomic.Uint64 // bytes from the analyzer, from the host
}

// Totals is what went through a Tap so far.
type Totals struct {
	FromAnalyzer, FromHost uint64 // bytes
	Conns                  uint64 // connections, those that are open included
	Open                   int64
}

// Totals may be called at any time.
func (t *Tap) Totals() Totals {
	return Totals{
		FromAnalyzer: t.passed[0].Load(), FromHost: t.passed[1].Load(), Conns: t.conns.Load(), Open: t.open.Load(),
	}
}

// Pauses between attempts to open a side that fails.
const (
	minPause = 200 * time.Millisecond
	maxPause = 10 * time.Second
)

// Run passes on until ctx ends, and returns nil then. It ends with an error only
// where going on is of no use: a listening side that cannot listen at the start.
func (t *Tap) Run(ctx context.Context) error {
	var pairs sync.WaitGroup
	defer func() {
		pairs.Wait()
		t.Analyzer.Close()
		t.Host.Close()
	}()
	first, second := t.Analyzer, t.Host
	_, hostListens := t.Host.(drivers.Listening)
	_, analyzerListens := t.Analyzer.(drivers.Listening)
	if hostListens && !analyzerListens {
		first, second = second, first
	}
	many := t.Many && analyzerListens != hostListens
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minPause, maxPause
	for started := false; ctx.Err() == nil; {
		c, err := first.Open(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
		case err != nil && !started && (hostListens || analyzerListens):
			return err
		case err != nil:
			t.note(err)
			drivers.Pause(ctx, pause.NextBackOff())
		case many:
			started = true
			pause.Reset()
			pairs.Go(func() { t.pair(ctx, c, second) })
		default:
			started = true
			if t.pair(ctx, c, second) {
				pause.Reset()
			}
			if !hostListens && !analyzerListens {
				drivers.Pause(ctx, pause.NextBackOff())
			}
		}
	}
	return nil
}

// pair opens the other side for c and passes on between the two. It reports
// whether there was a connection.
func (t *Tap) pair(ctx context.Context, c drivers.Conn, other drivers.Port) bool {
	d, err := other.Open(ctx)
	if err != nil {
		abort(c)
		t.note(err)
		return false
	}
	analyzer, host := c, d
	if other == t.Analyzer {
		analyzer, host = d, c
	}
	t.pass(ctx, analyzer, host)
	return true
}

// note records why a side could not be opened.
func (t *Tap) note(err error) {
	if !errors.Is(err, context.Canceled) {
		t.record(trace.Event{At: time.Now(), Kind: trace.Note, Note: err.Error()})
	}
}

func (t *Tap) record(e trace.Event) {
	if t.Record != nil {
		t.Record(e)
	}
}

// pass passes on between two open connections until both directions have ended,
// and closes them.
func (t *Tap) pass(ctx context.Context, analyzer, host drivers.Conn) {
	n := t.conns.Add(1)
	t.open.Add(1)
	defer t.open.Add(-1)
	t.record(trace.Event{At: time.Now(), Conn: n, Kind: trace.Open, Note: analyzer.Peer() + " - " + host.Peer()})
	stop := context.AfterFunc(ctx, func() { analyzer.Close(); host.Close() })
	defer stop()
	var ending atomic.Bool
	up := &pump{tap: t, conn: n, src: analyzer, dst: host, from: trace.Analyzer, count: &t.passed[0], ending: &ending}
	down := &pump{tap: t, conn: n, src: host, dst: analyzer, from: trace.Host, count: &t.passed[1], ending: &ending}
	var both sync.WaitGroup
	both.Go(up.run)
	both.Go(down.run)
	both.Wait()
	analyzer.Close()
	host.Close()
	t.record(trace.Event{At: time.Now(), Conn: n, Kind: trace.Close})
}

// pump is one direction of one connection.
type pump struct {
	tap      *Tap
	conn     uint64
	src, dst drivers.Conn
	from     trace.Side
	count    *atomic.Uint64
	ending   *atomic.Bool // a line is read only until it is silent
}

func (p *pump) run() {
	buf := make([]byte, 32<<10)
	for {
		n, err := p.src.Read(buf)
		if n > 0 {
			// Recorded first, which is a copy in memory: the answer to these bytes
			// may be read, and recorded, before Write returns.
			p.tap.record(trace.Event{At: time.Now(), Conn: p.conn, Kind: trace.Data, From: p.from, Data: buf[:n]})
			if _, werr := p.dst.Write(buf[:n]); werr != nil {
				p.failed(werr)
				return
			}
			p.count.Add(uint64(n))
			if p.ending.Load() {
				p.lastWords(p.src)
			}
		}
		if err != nil {
			p.ended(err)
			return
		}
	}
}

// failed ends a connection over which bytes could not be passed on: some of what
// is recorded has not arrived, and its sender must see that.
func (p *pump) failed(err error) {
	p.tap.record(trace.Event{At: time.Now(), Conn: p.conn, Kind: trace.Note, Note: fmt.Sprintf(
		"what the %s sent last may not have arrived: %v", p.from, plain(err))})
	abort(p.src)
	abort(p.dst)
}

// plain leaves out the addresses that net puts into its errors.
func plain(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, io.ErrClosedPipe):
		return io.ErrClosedPipe
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

// silentFor is how long a serial line may be silent after the TCP side sent its
// last.
const silentFor = 2 * time.Second

// lastWords lets a line be read until it is silent.
func (p *pump) lastWords(line drivers.Conn) {
	p.ending.Store(true)
	_ = line.SetReadDeadline(time.Now().Add(silentFor)) // fails only when it is closed
}

// ended passes the end of a direction on.
func (p *pump) ended(err error) {
	src, isStream := p.src.(port.Stream)
	kind := trace.End
	if isStream && src.WasReset() {
		kind = trace.Reset
	}
	if errors.Is(err, io.EOF) {
		p.tap.record(trace.Event{At: time.Now(), Conn: p.conn, Kind: kind, From: p.from})
	}
	dst, canHalf := p.dst.(port.Stream)
	switch {
	case kind == trace.Reset:
		abort(p.dst)
	case !errors.Is(err, io.EOF), !isStream: // closed by us, or a line that is gone
		p.src.Close()
		p.dst.Close()
	case canHalf:
		if dst.CloseWrite() != nil { // it is gone
			p.dst.Close()
		}
	default:
		p.lastWords(p.dst)
	}
}

// abort breaks a connection off, where its kind knows that.
func abort(c drivers.Conn) {
	if s, ok := c.(port.Stream); ok {
		_ = s.Abort() // nobody is left to tell
		return
	}
	c.Close()
}
