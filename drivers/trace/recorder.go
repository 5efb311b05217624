package trace

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Recorder writes events to a file without ever making anybody wait for it.
type Recorder struct {
	out   io.Writer
	began time.Time
	queue *queue
	done  chan struct{}

	mu     sync.Mutex
	totals Totals
	carry  Event // what could not be written, to be told of before the next; Kind "" for none
}

// Totals is what became of a recording so far.
type Totals struct {
	Written uint64 // bytes of the link that are in the file
	Lost    uint64 // bytes of the link that are not
	Gaps    uint64
	Size    uint64 // bytes of the file that this recording wrote
	Err     error  // the last fault of writing; nil: none
}

// DefaultMemory is how many bytes of events a Recorder holds while its file is
// slow.
const DefaultMemory = 16 << 20

// syncEvery is how often the file is brought to the disk: as much as a power cut
// may cost.
const syncEvery = time.Second

// NewRecorder writes h to out and returns a Recorder that writes there. If out has
// a method Sync it is called about every second. Memory 0 means DefaultMemory.
func NewRecorder(out io.Writer, h Header, memory int) (*Recorder, error) {
	if memory == 0 {
		memory = DefaultMemory
	}
	line := AppendHeader(nil, h)
	if _, err := out.Write(line); err != nil {
		return nil, fmt.Errorf("begin the recording: %w", err)
	}
	r := &Recorder{out: out, began: h.Began, queue: newQueue(memory), done: make(chan struct{})}
	r.totals.Size = uint64(len(line))
	go r.run()
	return r, nil
}

// Add records e, at once and without waiting. Where the file is too slow, e is
// left out and a gap stands in its place.
func (r *Recorder) Add(e Event) { r.queue.add(e) }

// Totals tells how the recording does.
func (r *Recorder) Totals() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.totals
}

// Close writes what is left and returns how the recording went. The file stays
// open: it is the caller's.
func (r *Recorder) Close() Totals {
	r.queue.close()
	<-r.done
	return r.Totals()
}

func (r *Recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	dirty := false
	for {
		select {
		case <-r.queue.wake:
		case <-tick.C:
			if dirty {
				r.sync()
				dirty = false
			}
			continue
		}
		events, over := r.queue.take("the file was too slow")
		if len(events) > 0 || over {
			r.write(events)
			dirty = true
		}
		if over {
			r.sync()
			return
		}
	}
}

// write writes events as one piece, so that a fault costs all of them and leaves
// no half of one. They are then told of as a gap before the next.
func (r *Recorder) write(events []Event) {
	r.mu.Lock()
	carry := r.carry
	r.mu.Unlock()
	if carry.Kind != "" {
		events = append([]Event{carry}, events...)
	}
	if len(events) == 0 {
		return
	}
	var text []byte
	var data, lost, gaps uint64
	for _, e := range events {
		text = AppendEvent(text, r.began, e)
		data += uint64(len(e.Data))
		if e.Kind == Gap {
			lost, gaps = lost+e.Lost, gaps+1
		}
	}
	_, err := r.out.Write(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.totals.Err = err
		r.totals.Lost += data + lost - carry.Lost
		r.carry = Event{At: events[0].At, Kind: Gap, Lost: data + lost, Note: "the file could not be written"}
		return
	}
	r.carry = Event{}
	r.totals.Size += uint64(len(text))
	r.totals.Written += data
	r.totals.Gaps += gaps
	r.totals.Lost += lost - carry.Lost
}

func (r *Recorder) sync() {
	s, ok := r.out.(interface{ Sync() error })
	if !ok {
		return
	}
	if err := s.Sync(); err != nil {
		r.mu.Lock()
		r.totals.Err = err
		r.mu.Unlock()
	}
}
