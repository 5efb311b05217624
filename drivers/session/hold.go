package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// maxHeld is how many bytes of messages are held for an analyzer that is not
// answered while they cannot be stored. Then nothing more is read: over TCP the
// analyzer has to wait, over a serial line it does not notice.
const maxHeld = 16 << 20

// lastTry is how long storing what is held is tried once the agent stops.
const lastTry = 3 * time.Second

// Pauses before a message that nobody will send again is tried once more, in
// doubling steps.
const (
	minRetry = time.Second
	maxRetry = 30 * time.Second
	endRetry = 200 * time.Millisecond // while the agent stops
)

// hold keeps, in memory and in order, what an analyzer that is not answered sent
// while it could not be stored.
type hold struct {
	mu    sync.Mutex
	queue []drivers.Message
	bytes int
	moved chan struct{} // holds a token when the queue changed
	room  chan struct{} // holds a token when the queue got shorter
}

func newHold() *hold { return &hold{moved: make(chan struct{}, 1), room: make(chan struct{}, 1)} }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add takes m, which it owns from then on, unless that is too much and not forced.
// One message is always taken.
func (h *hold) add(m drivers.Message, force bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !force && len(h.queue) > 0 && h.bytes+len(m.Payload) > maxHeld {
		return false
	}
	h.queue, h.bytes = append(h.queue, m), h.bytes+len(m.Payload)
	notify(h.moved)
	return true
}

// first is the oldest message; it stays until drop.
func (h *hold) first() (m drivers.Message, left int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) > 0 {
		m = h.queue[0]
	}
	return m, len(h.queue)
}

func (h *hold) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes -= len(h.queue[0].Payload)
	h.queue[0] = drivers.Message{}
	h.queue = h.queue[1:]
	notify(h.room)
}

// hold puts a message into the hold. It waits for room until the agent stops; what
// is in the hands of a connection then goes in as well.
func (d *Driver) hold(stop context.Context, m drivers.Message) {
	for !d.held.add(m, stop.Err() != nil) {
		select {
		case <-d.held.room:
		case <-stop.Done():
		}
	}
}

// settle stores what is held, until all has come and is stored. Once the agent
// stops, that is tried for lastTry; what cannot be stored by then is lost, since
// nobody will send it again.
func (d *Driver) settle(stop, coming context.Context) {
	var pause time.Duration
	var end time.Time // zero: the agent does not stop
	for {
		m, left := d.held.first()
		if left == 0 {
			select {
			case <-d.held.moved:
			case <-coming.Done():
				if _, left = d.held.first(); left == 0 {
					return
				}
			}
			continue
		}
		err := d.receive(m)
		if err == nil || errors.Is(err, drivers.ErrTooLarge) {
			d.settled(m, err)
			d.held.drop()
			pause = 0
			continue
		}
		d.line.Refused(fmt.Sprintf("cannot store now, trying again: %v; held in memory only, and lost if this computer stops: %d messages", err, left))
		if stop.Err() != nil && end.IsZero() {
			end = time.Now().Add(lastTry)
		}
		if !end.IsZero() && !time.Now().Before(end) && coming.Err() != nil {
			d.lose(err)
			return
		}
		pause = min(max(2*pause, minRetry), maxRetry)
		waiting := stop.Done()
		if !end.IsZero() {
			pause, waiting = endRetry, nil
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-waiting:
			t.Stop()
		}
	}
}

// receive hands one message over. That is finished also while the agent stops.
func (d *Driver) receive(m drivers.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.StoreTimeout)
	defer cancel()
	return d.Deps.Handler.Receive(ctx, m)
}

// settled notes that a message is stored, or is too large ever to be.
func (d *Driver) settled(m drivers.Message, err error) {
	p := Piece{Stage: m.Stage, Payload: m.Payload, Fault: m.Fault}
	k := Keeper{Log: d.Deps.Log}
	if p.Stage == drivers.Broken {
		d.line.Broken(p.Fault)
		k.Note(p, err, "message broken off")
	}
	switch {
	case err != nil:
		d.line.Refused("cannot store: " + err.Error())
		d.line.Count("lost_messages", 1)
		k.Note(p, err, "not stored, and nobody will send it again")
	case p.Stage == drivers.Complete:
		d.line.Acknowledged()
	}
}

// lose gives up what is held.
func (d *Driver) lose(err error) {
	k := Keeper{Log: d.Deps.Log}
	for m, left := d.held.first(); left > 0; m, left = d.held.first() {
		d.line.Count("lost_messages", 1)
		k.Note(Piece{Stage: m.Stage, Payload: m.Payload}, err,
			"lost: it could not be stored before the agent stopped, and nobody will send it again; have the analyzer print it anew")
		d.held.drop()
	}
}
