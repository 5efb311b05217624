package astm

import (
	"bytes"
	"errors"
	"time"
)

// Times and counts of a sender (LIS01-A2 6.2 to 6.5).
const (
	ReplyTimeout      = 15 * time.Second // for the answer to ENQ or a frame (6.5.2.1, 6.5.2.2)
	BusyPause         = 10 * time.Second // after NAK to ENQ (6.2.4)
	ContentionPause   = time.Second      // after ENQ to ENQ, on the instrument's side (6.2.7.1)
	MaxRetransmission = 6                // of one frame (6.5.1.2)
	maxBids           = 6                // for the line, before a session ends with ErrBusy
)

// Errors with which a Sender ends.
var (
	// ErrNoAnswer: nothing came within ReplyTimeout.
	ErrNoAnswer = errors.New("no answer from the receiver")

	// ErrRefused: a frame was refused seven times.
	ErrRefused = errors.New("the receiver refused a frame")

	// ErrBusy: the receiver did not grant a session.
	ErrBusy = errors.New("the receiver is busy")
)

// Action is what a Sender wants done: send, then wait for one byte that long.
type Action struct {
	Send []byte // nil: nothing
	Wait time.Duration
	Done bool  // the session is over
	Err  error // why it failed; nil: every frame was acknowledged
}

// Sender is the sending half of LIS01-A2 section 6 for one session, as a pure
// state machine. It speaks as the instrument does in contention.
type Sender struct {
	frames [][]byte
	next   int // the frame to send, or sent and not yet answered
	tries  int // of this frame, or of ENQ
	state  sendState
}

type sendState uint8

const (
	bidding      sendState = iota // ENQ was sent
	pausing                       // before another ENQ
	transferring                  // a frame was sent
	over
)

// DefaultFrameText is how much text a frame carries that every receiver takes
// (E1381-95 6.3.1.1).
const DefaultFrameText = 240

// Frames cuts text into frames. With perRecord each record has frames of its
// own, the last of them ending with ETX; without, only the last frame of all
// does, which many analyzers send so. MaxText 0 means DefaultFrameText.
func Frames(text []byte, maxText int, perRecord bool) [][]byte {
	if maxText <= 0 {
		maxText = DefaultFrameText
	}
	units := [][]byte{text}
	if perRecord {
		units = bytes.SplitAfter(text, []byte{CR})
	}
	var frames [][]byte
	for _, u := range units {
		for len(u) > 0 {
			n := min(len(u), maxText)
			frames = append(frames, AppendFrame(nil, len(frames)+1, u[:n], n == len(u)))
			u = u[n:]
		}
	}
	return frames
}

// NewSender returns a sender of one session that transfers frames.
func NewSender(frames [][]byte) *Sender { return &Sender{frames: frames} }

// Start bids for the session.
func (s *Sender) Start() Action {
	s.state = bidding
	s.tries++
	return Action{Send: []byte{ENQ}, Wait: ReplyTimeout}
}

// Reply takes one byte from the receiver.
func (s *Sender) Reply(c byte) Action {
	switch s.state {
	case bidding:
		switch c {
		case ACK:
			s.state, s.tries = transferring, 0
			return s.send()
		case NAK:
			return s.pause(BusyPause)
		case ENQ:
			return s.pause(ContentionPause)
		}
		return Action{Wait: ReplyTimeout}
	case transferring:
		if c == ACK || c == EOT { // EOT: acknowledged, and the receiver wants to speak (6.5.4)
			s.next, s.tries = s.next+1, 0
			return s.send()
		}
		if s.tries++; s.tries > MaxRetransmission {
			return s.give(ErrRefused)
		}
		return Action{Send: s.frames[s.next], Wait: ReplyTimeout}
	case pausing:
		return Action{Wait: BusyPause} // stray bytes in a pause mean nothing
	}
	return Action{Done: true}
}

// Silence tells that nothing came for as long as the last Action said.
func (s *Sender) Silence() Action {
	switch s.state {
	case pausing:
		if s.tries >= maxBids {
			return s.give(ErrBusy)
		}
		return s.Start()
	case over:
		return Action{Done: true}
	}
	return s.give(ErrNoAnswer)
}

func (s *Sender) send() Action {
	if s.next == len(s.frames) {
		return s.give(nil)
	}
	return Action{Send: s.frames[s.next], Wait: ReplyTimeout}
}

func (s *Sender) pause(d time.Duration) Action {
	s.state = pausing
	return Action{Wait: d}
}

func (s *Sender) give(err error) Action {
	s.state = over
	return Action{Send: []byte{EOT}, Done: true, Err: err}
}
