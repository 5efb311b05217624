package status

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// How the stream of events goes.
const (
	eventEvery   = 2 * time.Second  // how often the page is compared with what it was
	eventShared  = time.Second      // for so long a look holds for other open pages
	eventAlive   = 15 * time.Second // a sign of life where nothing changes, so that a dead reader is noticed
	maxStreams   = 8                // open pages that are told; further ones ask by the clock
	eventTimeout = 5 * time.Second  // for one write
)

// serveEvents tells an open page when to ask for itself again, as server-sent
// events. What changed is not in the event: the page is rendered in one place.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		plain(w, http.StatusServiceUnavailable, "too many open pages; this one asks by the clock")
		return
	}
	c := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	var last uint64
	var spoke time.Time
	for first := true; ; first = false {
		sum, err := s.pageSum()
		if err != nil {
			s.o.Log.Error().Err(err).Msg("status page cannot be told from what it was")
			return
		}
		text := ""
		switch {
		case first:
			text = fmt.Sprintf("retry: %d\n\n", (2 * time.Second).Milliseconds())
		case sum != last:
			text = fmt.Sprintf("data: %x\n\n", sum)
		case time.Since(spoke) >= eventAlive:
			text = ":\n\n"
		}
		if last = sum; text != "" {
			spoke = time.Now()
			_ = c.SetWriteDeadline(spoke.Add(eventTimeout)) // not supported without a connection, where nothing waits
			if _, err := w.Write([]byte(text)); err != nil || c.Flush() != nil {
				return
			}
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		}
	}
}

// lastSum is what the page was when somebody last looked, for all open pages.
type lastSum struct {
	mu  sync.Mutex
	at  time.Time
	sum uint64
	err error
}

// pageSum is short for what the page shows now, by a clock that shows minutes: a
// page that changes each second because time goes by is not calm. It looks once for
// all pages that ask within eventShared.
func (s *Server) pageSum() (uint64, error) {
	s.last.mu.Lock()
	defer s.last.mu.Unlock()
	if s.last.at.IsZero() || time.Since(s.last.at) >= eventShared {
		snap := s.snapshot()
		snap.Agent.Now = At(snap.Agent.Now.Truncate(time.Minute))
		s.last.sum, s.last.err = s.page.sum(snap, s.arrivals(), s.o.Extra != nil)
		s.last.at = time.Now()
	}
	return s.last.sum, s.last.err
}
