package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/trace"
)

// Replay sends again what an analyzer sent in a recording, over connections of its
// own, one after the other. It knows no protocol: where the other side had
// answered it waits for an answer, and sends the same whatever that is.
type Replay struct {
	Port   drivers.Port
	Events []trace.Event
	Timing bool          // keep the recorded pauses
	Wait   time.Duration // for each answer; 0: 15 seconds

	// Seen, if set, is told of each answer: how many bytes went before it, what
	// the recording has, and what came now, which is empty if nothing did.
	Seen func(sent int, recorded, now []byte)
}

// Run replays the recording and returns nil when it is over.
func (r *Replay) Run(ctx context.Context) error {
	var order []uint64
	byConn := map[uint64][]trace.Event{}
	for _, e := range r.Events {
		if e.Kind == trace.Gap || e.Kind == trace.Note {
			continue
		}
		if byConn[e.Conn] == nil {
			order = append(order, e.Conn)
		}
		byConn[e.Conn] = append(byConn[e.Conn], e)
	}
	for _, conn := range order {
		if err := r.connection(ctx, byConn[conn]); err != nil {
			return fmt.Errorf("connection %d of the recording: %w", conn, err)
		}
	}
	return nil
}

func (r *Replay) connection(ctx context.Context, events []trace.Event) error {
	c, err := r.Port.Open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	began, sent := time.Now(), 0
	for i := 0; i < len(events); i++ {
		e := events[i]
		switch {
		case e.Kind == trace.Data && e.From == trace.Analyzer:
			if r.Timing {
				drivers.Pause(ctx, time.Until(began.Add(e.At.Sub(events[0].At))))
			}
			if _, err := c.Write(e.Data); err != nil {
				return fmt.Errorf("send: %w", err)
			}
			sent += len(e.Data)
		case e.Kind == trace.Data:
			recorded := bytes.Clone(e.Data)
			for i+1 < len(events) && events[i+1].Kind == trace.Data && events[i+1].From == trace.Host {
				i++
				recorded = append(recorded, events[i].Data...)
			}
			now, err := r.answer(c, recorded)
			if err != nil {
				return fmt.Errorf("wait for the answer: %w", err)
			}
			if r.Seen != nil {
				r.Seen(sent, recorded, now)
			}
			sent = 0
		case e.Kind == trace.End && e.From == trace.Analyzer:
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				if err := half.CloseWrite(); err != nil {
					return fmt.Errorf("end: %w", err)
				}
			}
		case e.Kind == trace.Reset && e.From == trace.Analyzer:
			if whole, ok := c.(interface{ Abort() error }); ok {
				_ = whole.Abort() // the recording goes on with the next connection
			}
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// Times of an answer.
const (
	answerWait  = 15 * time.Second
	answerPause = 300 * time.Millisecond // ends an answer that is not the recorded one
)

// answer waits for what the recording has, or for whatever comes instead of it.
func (r *Replay) answer(c drivers.Conn, recorded []byte) (now []byte, err error) {
	wait := r.Wait
	if wait == 0 {
		wait = answerWait
	}
	buf := make([]byte, 4096)
	for !bytes.Equal(now, recorded) {
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return now, err
		}
		n, err := c.Read(buf)
		now = append(now, buf[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return now, nil
		case err != nil && len(now) == 0:
			return nil, err
		case err != nil:
			return now, nil //nolint:nilerr // the host hung up after an answer: that is for the caller to compare
		}
		if len(now) >= len(recorded) || !bytes.HasPrefix(recorded, now) {
			wait = min(wait, answerPause)
		}
	}
	return now, nil
}
