package trace

import (
	"bytes"
	"sync"
	"time"
)

// queue holds events for a reader that may be slow. Adding never waits: what
// finds no room is dropped and counted, and everything after it too until the
// reader has come, so that there is one gap and not many.
type queue struct {
	wake chan struct{} // holds a token while there is something to take

	mu     sync.Mutex
	events []Event
	size   int // of what events hold, about
	limit  int
	lost   uint64 // bytes dropped since the last take
	since  time.Time
	missed int // events dropped since the last take
	closed bool
}

// perEvent is what an event takes besides its data, about.
const perEvent = 160

func newQueue(limit int) *queue { return &queue{wake: make(chan struct{}, 1), limit: limit} }

// add keeps a copy of e, if there is room.
func (q *queue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if q.missed > 0 || q.size+perEvent+len(e.Data) > q.limit {
		if q.missed == 0 {
			q.since = e.At
		}
		q.missed++
		q.lost += uint64(len(e.Data))
		return
	}
	e.Data = bytes.Clone(e.Data)
	q.events = append(q.events, e)
	q.size += perEvent + len(e.Data)
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets the reader take what is left, and nothing more come in.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// take returns what there is, a gap at its end if anything was dropped, and
// whether nothing will come any more.
func (q *queue) take(why string) (events []Event, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, q.events, q.size = q.events, nil, 0
	if q.missed > 0 {
		events = append(events, Event{At: q.since, Kind: Gap, Lost: q.lost, Note: why})
		q.missed, q.lost = 0, 0
	}
	if q.closed {
		q.signal() // for whoever asks again
	}
	return events, q.closed
}
