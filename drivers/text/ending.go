package text

import (
	"bytes"
	"fmt"

	"github.com/labcourier/labcourier/drivers"
)

// finish ends the message that is coming in.
func (l *Link) finish(fault string) Step {
	left, ok := l.end(fault)
	if !ok {
		return Step{}
	}
	if left.Stage == drivers.Complete {
		l.unsettled = left.Payload
		return l.settleQuietly()
	}
	return l.store(left)
}

// end takes the message that is coming in out of the link.
func (l *Link) end(fault string) (Piece, bool) {
	left, ok := l.leftover(fault)
	left.Payload = bytes.Clone(left.Payload)
	l.forget()
	return left, ok
}

// settle stores what an end mark or a silence ended, and goes on with then, or
// with refuse if it cannot be stored.
func (l *Link) settle(refuse func(error) Step, then func() Step) Step {
	l.after = func(err error) Step {
		if err != nil {
			return refuse(err)
		}
		l.unsettled = nil
		s := then()
		s.Whole++
		return s
	}
	return l.store(Piece{Stage: drivers.Complete, Payload: l.unsettled})
}

// settleQuietly is settle where the analyzer waits for no answer.
func (l *Link) settleQuietly() Step {
	refuse := func(err error) Step { return Step{Refused: "cannot store now: " + err.Error()} }
	return l.settle(refuse, func() Step { return Step{} })
}

// Silence tells that nothing came for as long as Wait said.
func (l *Link) Silence() Step {
	if l.dec.inside() {
		text := l.dec.silence()
		if l.framing.kind == byIdle {
			return l.idleFrame(text)
		}
		if !l.many() || l.answers() {
			l.count("cut_frames", 1)
		}
		why := fmt.Sprintf("nothing came for %s in the middle of a frame", l.Timeout)
		if s := l.cutFrame(text, why); s.asks() {
			return s
		}
		if !l.many() {
			return Step{}
		}
	}
	if l.unsettled != nil {
		return l.settleQuietly()
	}
	if l.Message.Idle > 0 {
		return l.finish("")
	}
	l.count("timeouts", 1)
	return l.finish(fmt.Sprintf("nothing came for %s in the middle of a message", l.Timeout))
}

// idleFrame is a frame that silence ended. Of one that was too long nothing is
// left.
func (l *Link) idleFrame(text []byte) Step {
	if len(text) == 0 {
		return Step{}
	}
	return l.frame(text, nil)
}

// HangUp tells that the connection is gone. It is called again until the step
// asks for nothing.
func (l *Link) HangUp() Step {
	const why = "the connection ended in the middle of a message"
	if text := l.dec.silence(); len(text) > 0 {
		if l.CloseEnds && l.framing.kind == byIdle {
			return l.idleFrame(text)
		}
		if s := l.cutFrame(text, why); s.asks() {
			return s
		}
	}
	if l.unsettled != nil {
		return l.settleQuietly()
	}
	if l.CloseEnds && l.Message.Idle > 0 {
		return l.finish("")
	}
	return l.finish(why)
}
