package admin

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labcourier/labcourier/drivers/trace"
)

// Links is where what goes over the analyzers' links can be heard.
type Links interface {
	// Feed returns the feed of the analyzer of that name; ok is false if the agent
	// runs none.
	Feed(analyzer string) (feed *trace.Feed, ok bool)
}

// Limits of watching.
const (
	maxWatchers  = 16
	watchMemory  = 1 << 20 // bytes of events that wait for one slow reader
	watchPatient = 15 * time.Second
	watchAlive   = 10 * time.Second // between empty lines
)

// watchers counts those who watch.
type watchers struct{ n atomic.Int32 }

func (w *watchers) enter() bool {
	if w.n.Add(1) > maxWatchers {
		w.n.Add(-1)
		return false
	}
	return true
}

func (w *watchers) leave() { w.n.Add(-1) }

func (h *Handler) traffic(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if h.links == nil {
		return &Error{Status: http.StatusConflict, Text: "no agent runs: there is no link to watch"}
	}
	feed, ok := h.links.Feed(name)
	if !ok {
		return &Error{Status: http.StatusNotFound, Text: "this agent runs no analyzer of that name; `labcourier status` lists them"}
	}
	if !h.watchers.enter() {
		return &Error{Status: http.StatusServiceUnavailable, Text: "too many are watching already: end another capture first"}
	}
	defer h.watchers.leave()
	s := feed.Subscribe(watchMemory)
	defer s.Close()
	if err := h.spool.Audit(r.Context(), "watched", name, 0, "what goes over the link"); err != nil {
		return err // no look without its entry
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &line{w: w, c: http.NewResponseController(w)}
	began := time.Now()
	if out.write(trace.AppendHeader(nil, trace.Header{Began: began, Name: name})) != nil {
		return nil // the caller is gone
	}
	for {
		events, err := next(r.Context(), s)
		var text []byte
		for _, e := range events {
			text = trace.AppendEvent(text, began, e)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			text, err = []byte("\n"), nil
		}
		if err != nil || out.write(text) != nil {
			return nil // the link or the caller has ended, and the answer with it
		}
	}
}

// next waits for events as long as a caller may go without a sign.
func next(ctx context.Context, s *trace.Subscription) ([]trace.Event, error) {
	wait, cancel := context.WithTimeout(ctx, watchAlive)
	defer cancel()
	events, err := s.Next(wait)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return events, err
}

// line writes to a caller at once, and gives one up that does not read.
type line struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func (l *line) write(p []byte) error {
	_ = l.c.SetReadDeadline(time.Time{}) // not supported in process, where there is none
	_ = l.c.SetWriteDeadline(time.Now().Add(watchPatient))
	if _, err := l.w.Write(p); err != nil {
		return err
	}
	if err := l.c.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
