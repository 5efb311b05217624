package sandbox

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// What an interaction costs of the units of a minute.
const (
	createUnits = 100
	updateUnits = 100
	searchUnits = 20
	readUnits   = 1
)

// window counts what was used in the minute that began with the first use. A
// limit of 0 counts nothing and refuses nothing.
type window struct {
	limit int

	mu   sync.Mutex
	used int
	ends time.Time
}

// take uses n and reports whether that was within the limit. What is refused
// counts as well.
func (w *window) take(n int, now time.Time) bool {
	if w.limit <= 0 {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roll(now)
	w.used += n
	return w.used <= w.limit
}

func (w *window) roll(now time.Time) {
	if !now.Before(w.ends) {
		w.used, w.ends = 0, now.Add(time.Minute)
	}
}

// wait is how long the window still lasts.
func (w *window) wait(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.ends.Sub(now), time.Second) // a fault may throttle without a window
}

// header adds the window's RateLimit line.
func (w *window) header(h http.Header, name string, now time.Time) {
	if w.limit <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roll(now)
	left := max(w.limit-w.used, 0)
	seconds := (w.ends.Sub(now) + time.Second - 1) / time.Second
	// Medplum spells it RateLimit; net/http's canonical key differs in case only.
	h["Ratelimit"] = append(h["Ratelimit"], fmt.Sprintf(`"%s";r=%d;t=%d`, name, left, seconds))
}

// charge uses n units of the client's minute.
func (s *Server) charge(n int) *outcome {
	if s.unitWindow.take(n, s.o.Now()) {
		return nil
	}
	return s.throttled(&s.unitWindow)
}
