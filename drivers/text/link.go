package text

import (
	"bytes"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// Link receives from one analyzer: bytes, silences, hang-up and the outcome of a
// store go in, steps come out. It is pure: it does no input or output and knows
// no time. It is not safe for concurrent use.
type Link struct {
	session.Tally
	session.Sequel

	*description
	dec       decoder
	accepting func() error

	msg     []byte // frames of the message that is coming in
	broken  string // why that message cannot be whole any more
	skipped bool   // a frame of it was refused: nothing more of it is taken

	unsettled []byte // a message that a mark without answer ended, and that is not stored yet
	pieces    []session.Piece
}

var (
	_ session.Link       = (*Link)(nil)
	_ session.Unanswered = (*Link)(nil)
)

// NewLink returns a link for the analyzer that o describes. Accepting is asked
// whenever the analyzer asks whether it may begin.
func NewLink(o Options, accepting func() error) (*Link, error) {
	d, err := describe(o)
	if err != nil {
		return nil, err
	}
	return newLink(d, accepting), nil
}

func newLink(d *description, accepting func() error) *Link {
	l := &Link{description: d, dec: decoder{framing: d.framing}, accepting: accepting}
	l.dec.reset()
	return l
}

// Wait is how long to wait for the next byte before calling Silence; 0: for ever.
func (l *Link) Wait() time.Duration {
	switch {
	case l.dec.inside() && l.framing.kind == byIdle:
		return l.Frame.Idle
	case l.dec.inside():
		return l.Timeout
	case l.unsettled != nil:
		return l.Timeout
	case len(l.msg) == 0 && l.broken == "" && !l.skipped:
		return 0
	case l.Message.Idle > 0:
		return l.Message.Idle
	}
	return l.Timeout
}

// Feed takes bytes from the line until one of them asks for something, or all.
// It returns how many it took.
func (l *Link) Feed(_ time.Time, p []byte) (n int, s session.Step) {
	for n < len(p) {
		used, e := l.dec.feed(p[n:])
		n += used
		if e.kind == nothing {
			continue
		}
		if s = l.found(e); s.Asks() {
			break
		}
	}
	if l.dec.noise > 0 {
		l.Count("noise_bytes", l.dec.noise)
		l.dec.noise = 0
	}
	return n, s
}

func (l *Link) found(e event) session.Step {
	switch e.kind {
	case whole:
		return l.frame(e.text, e.end)
	case badCheck:
		l.Count("check_errors", 1)
		return l.refuseFrame(e.text, "the check of a frame differs from its text (frame.check says how it is computed)")
	case tooLong:
		l.Count("long_frames", 1)
		return l.refuseFrame(e.text, "a frame is longer than max_message, or its end mark is missing")
	case cut:
		l.Count("cut_frames", 1)
		return l.cutFrame(e.text, "a frame began before the one before it had ended")
	}
	if bytes.IndexByte(l.Enquiry, e.byte) >= 0 {
		return l.enquiry()
	}
	return l.endMark()
}

// Unanswered reports whether the analyzer gets no answers; see session.Unanswered.
func (l *Link) Unanswered() bool { return !l.answers() }

// answers reports whether the analyzer waits to be answered, and so keeps what
// is not acknowledged.
func (l *Link) answers() bool { return len(l.Ack) > 0 }

// refuseFrame deals with a frame that cannot be taken.
func (l *Link) refuseFrame(text []byte, why string) session.Step {
	if l.answers() {
		return session.Step{Reply: l.Nak, Refused: why}
	}
	s := l.cutFrame(text, why)
	s.Refused = why
	return s
}

// cutFrame keeps a frame of which only a part came, unless the analyzer will send
// it again.
func (l *Link) cutFrame(text []byte, why string) session.Step {
	if l.answers() {
		return session.Step{}
	}
	if len(text) > l.framing.max {
		text = text[:l.framing.max]
	}
	if l.many() {
		l.broken = or(l.broken, why)
		if len(l.msg)+len(text) <= l.framing.max {
			l.msg = append(append(l.msg, text...), l.framing.end...)
		}
		if l.last != nil && l.last.Match(text) {
			return l.finish(why)
		}
		return session.Step{}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return session.Step{}
	}
	return l.store(session.Piece{Stage: drivers.Broken, Payload: text, Fault: why})
}

func (l *Link) store(p ...session.Piece) session.Step {
	l.pieces = append(l.pieces[:0], p...)
	return session.Step{Store: l.pieces}
}

func (l *Link) busy(err error) session.Step {
	return session.Step{Reply: l.Nak, Refused: "cannot store now: " + err.Error()}
}

// frame takes a good frame.
func (l *Link) frame(text, end []byte) session.Step {
	l.Count("frames", 1)
	if l.unsettled != nil {
		return l.settle(l.busy, func() session.Step { return l.frame(text, end) })
	}
	if l.many() {
		return l.add(text, end)
	}
	if len(bytes.TrimSpace(text)) == 0 { // a blank line is no message
		return session.Step{Reply: l.Ack}
	}
	l.After(func(err error) session.Step {
		if err != nil {
			return l.busy(err)
		}
		return session.Step{Reply: l.Ack, Whole: 1}
	})
	return l.store(session.Piece{Stage: drivers.Complete, Payload: text})
}

// enquiry answers an analyzer that asks whether it may begin.
func (l *Link) enquiry() session.Step {
	if l.unsettled != nil {
		return l.settle(l.busy, l.enquiry)
	}
	left, ok := l.end("the analyzer began anew before it had ended the message")
	if !ok {
		return l.grant()
	}
	// It is kept if it can be; the analyzer is about to send it again.
	l.After(func(error) session.Step { return l.grant() })
	return l.store(left)
}

func (l *Link) grant() session.Step {
	if err := l.accepting(); err != nil {
		return l.busy(err)
	}
	return session.Step{Reply: l.Ack}
}

// endMark ends the message. The mark has no answer: a message that cannot be
// stored now stays a durable draft, and what the analyzer sends next is refused
// until it is.
func (l *Link) endMark() session.Step {
	if l.unsettled != nil {
		return l.settleQuietly()
	}
	return l.finish("")
}
