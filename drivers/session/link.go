package session

import (
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Step is what a link wants done, in the order of its fields. Its slices are valid
// until the link is used again.
type Step struct {
	// Reply is what to send, nothing if empty.
	Reply []byte

	// Whole is the number of complete messages that are now stored and, where
	// there is a Reply, acknowledged by it.
	Whole int

	// Refused is why something is not taken, in words without content.
	Refused string

	// Close, if not empty, is why the connection must be closed.
	Close string

	// Store are pieces to be put on stable storage, in order. When there are
	// any, Link.Stored must be called with the outcome before anything else.
	Store []Piece
}

// Asks reports whether anything is to be done.
func (s Step) Asks() bool {
	return len(s.Store) > 0 || len(s.Reply) > 0 || s.Whole > 0 || s.Refused != "" || s.Close != ""
}

// Piece is something to be stored.
type Piece struct {
	Stage   drivers.Stage
	Payload []byte // valid until the link is used again
	Fault   string // for drivers.Broken
}

// Link is the receiving side of a protocol: events go in, steps come out. It is
// pure, which means that it does no input or output, starts nothing, and knows no
// time but what it is told. It is not safe for concurrent use.
type Link interface {
	Hearing
	Ending

	// Counts hands out what was counted since it was last called.
	Counts() map[string]uint64
}

// Hearing takes what comes from the line.
type Hearing interface {
	// Wait is how long to wait for the next byte before calling Silence; 0: for
	// ever.
	Wait() time.Duration

	// Feed takes bytes until one of them asks for something, or all. It returns
	// how many it took.
	Feed(now time.Time, p []byte) (n int, s Step)

	// Silence tells that nothing came for as long as Wait said.
	Silence(now time.Time) Step
}

// Ending takes how things ended.
type Ending interface {
	// Stored tells how storing Step.Store went.
	Stored(now time.Time, err error) Step

	// HangUp tells that the connection is gone. It is called until it asks for
	// nothing more.
	HangUp(now time.Time) Step
}

// Sequel is what a [Link] does once it is told how Step.Store went. A Link that
// embeds one has its Stored.
type Sequel struct{ after func(error) Step }

// After sets what follows the next Step.Store.
func (q *Sequel) After(then func(error) Step) { q.after = then }

// Stored tells how storing Step.Store went.
func (q *Sequel) Stored(_ time.Time, err error) Step {
	after := q.after
	q.after = nil
	if after == nil {
		return Step{}
	}
	return after(err)
}

// Unanswered is implemented by links whose analyzer may get no answers. Such an
// analyzer never sends anything twice.
type Unanswered interface {
	// Unanswered reports whether this one gets none. What it sends while it
	// cannot be stored is held in memory, up to a limit beyond which nothing more
	// is read; Stored is called with nil as soon as a piece is held, and a message
	// counts as received when it is on stable storage.
	Unanswered() bool
}

func unanswered(l Link) bool {
	u, ok := l.(Unanswered)
	return ok && u.Unanswered()
}

// hangUps is more than the steps that the end of a connection ever asks for: a
// frame cut off, a message that could not be stored before, and the one that was
// coming in.
const hangUps = 8
