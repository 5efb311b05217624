package text

import (
	"bytes"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// add adds a good frame to a message of several.
func (l *Link) add(text, end []byte) session.Step {
	if l.first != nil && l.first.Match(text) && (len(l.msg) > 0 || l.skipped || l.broken != "") {
		return l.restart(text, end)
	}
	if len(l.msg) == 0 && len(bytes.TrimSpace(text)) == 0 {
		return session.Step{Reply: l.Ack}
	}
	ends := l.last != nil && l.last.Match(text)
	before := len(l.msg)
	if l.skipped || before+len(text)+len(end) > l.framing.max {
		return l.overflow(ends)
	}
	l.msg = append(append(l.msg, text...), end...)
	l.pieces = l.pieces[:0]
	done := 0
	switch {
	case ends:
		p, _ := l.leftover("")
		if l.pieces = append(l.pieces, p); p.Stage == drivers.Complete {
			done = 1
		}
	case l.last == nil && l.answers():
		l.pieces = append(l.pieces, session.Piece{Stage: drivers.Draft, Payload: l.msg})
	}
	settled := func(err error) session.Step {
		if err != nil {
			l.msg = l.msg[:before]
			return l.busy(err)
		}
		if ends {
			l.forget()
		}
		return session.Step{Reply: l.Ack, Whole: done}
	}
	if len(l.pieces) == 0 {
		return settled(nil)
	}
	l.After(settled)
	return session.Step{Store: l.pieces}
}

// restart ends the message that is coming in, since a frame is the first of
// another. Where a silence ends messages, so does this.
func (l *Link) restart(text, end []byte) session.Step {
	fault := "the next message began before this one had ended"
	if l.Message.Idle > 0 {
		fault = ""
	}
	left, ok := l.end(fault)
	switch {
	case !ok:
		return l.add(text, end)
	case left.Stage == drivers.Complete:
		l.unsettled = left.Payload
		return l.settle(l.busy, func() session.Step { return l.add(text, end) })
	}
	l.After(func(error) session.Step { return l.add(text, end) })
	return l.store(left)
}

// overflow refuses what does not fit into the message, and all that follows of
// it: a message with a hole in it would look whole.
func (l *Link) overflow(ends bool) session.Step {
	const why = "the message is longer than max_message"
	l.skipped, l.broken = true, or(l.broken, why)
	refused := session.Step{Reply: l.Nak, Refused: why}
	if !ends {
		return refused
	}
	left, ok := l.end(why)
	if !ok {
		return refused
	}
	l.After(func(error) session.Step { return refused })
	return l.store(left)
}

// leftover is the message that is coming in. Without a fault it is whole, unless
// something of it is missing.
func (l *Link) leftover(fault string) (session.Piece, bool) {
	if len(bytes.TrimSpace(l.msg)) == 0 {
		return session.Piece{}, false
	}
	if l.broken != "" {
		return session.Piece{Stage: drivers.Broken, Payload: l.msg, Fault: l.broken}, true
	}
	if fault == "" {
		return session.Piece{Stage: drivers.Complete, Payload: l.msg}, true
	}
	return session.Piece{Stage: drivers.Broken, Payload: l.msg, Fault: fault}, true
}

// forget makes room for the next message.
func (l *Link) forget() {
	l.msg, l.broken, l.skipped = l.msg[:0], "", false
	if cap(l.msg) > 1<<20 {
		l.msg = nil
	}
}
