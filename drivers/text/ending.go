package text

import (
	"bytes"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// finish ends the message that is coming in.
func (l *Link) finish(fault string) session.Step {
	left, ok := l.end(fault)
	if !ok {
		return session.Step{}
	}
	if left.Stage == drivers.Complete {
		l.unsettled = left.Payload
		return l.settleQuietly()
	}
	return l.store(left)
}

// end takes the message that is coming in out of the link.
func (l *Link) end(fault string) (session.Piece, bool) {
	left, ok := l.leftover(fault)
	left.Payload = bytes.Clone(left.Payload)
	l.forget()
	return left, ok
}

// settle stores what an end mark or a silence ended, and goes on with then, or
// with refuse if it cannot be stored.
func (l *Link) settle(refuse func(error) session.Step, then func() session.Step) session.Step {
	l.After(func(err error) session.Step {
		if err != nil {
			return refuse(err)
		}
		l.unsettled = nil
		s := then()
		s.Whole++
		return s
	})
	return l.store(session.Piece{Stage: drivers.Complete, Payload: l.unsettled})
}

// settleQuietly is settle where the analyzer waits for no answer.
func (l *Link) settleQuietly() session.Step {
	refuse := func(err error) session.Step { return session.Step{Refused: "cannot store now: " + err.Error()} }
	return l.settle(refuse, func() session.Step { return session.Step{} })
}

// Silence tells that nothing came for as long as Wait said.
func (l *Link) Silence(time.Time) session.Step {
	if l.dec.inside() {
		text := l.dec.silence()
		if l.framing.kind == byIdle {
			return l.idleFrame(text)
		}
		if !l.many() || l.answers() {
			l.Count("cut_frames", 1)
		}
		why := fmt.Sprintf("nothing came for %s in the middle of a frame", l.Timeout)
		if s := l.cutFrame(text, why); s.Asks() {
			return s
		}
		if !l.many() {
			return session.Step{}
		}
	}
	if l.unsettled != nil {
		return l.settleQuietly()
	}
	if l.Message.Idle > 0 {
		return l.finish("")
	}
	l.Count("timeouts", 1)
	return l.finish(fmt.Sprintf("nothing came for %s in the middle of a message", l.Timeout))
}

// idleFrame is a frame that silence ended. Of one that was too long nothing is
// left.
func (l *Link) idleFrame(text []byte) session.Step {
	if len(text) == 0 {
		return session.Step{}
	}
	return l.frame(text, nil)
}

// HangUp tells that the connection is gone. It is called again until the step
// asks for nothing.
func (l *Link) HangUp(time.Time) session.Step {
	const why = "the connection ended in the middle of a message"
	if text := l.dec.silence(); len(text) > 0 {
		if l.CloseEnds && l.framing.kind == byIdle {
			if s := l.idleFrame(text); s.Asks() {
				return s
			}
		} else if s := l.cutFrame(text, why); s.Asks() {
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
