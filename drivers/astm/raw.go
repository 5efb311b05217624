package astm

import (
	"bytes"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// rawLink receives LIS02 records that come bare, without the frames and the
// handshake of LIS01, as some analyzers send them over TCP (framing = "none").
//
// A message begins with an H record, wherever that stands, and ends with the end
// of its L record. What stands between messages is noise. Nothing but a line end
// tells that an L record is whole: without one it could be cut off before the code
// that says so. With the option idle_end silence ends a message as well, and so
// does the next H record.
//
// There is no checksum and no frame number, so bytes that were disturbed on the
// way are not seen: TCP sees to that, a serial line does not.
type rawLink struct {
	session.Tally
	session.Sequel

	opts Options
	head headerFinder
	msg  []byte // the message that is coming in; empty: none is
	tail int    // where its unfinished record begins

	pieces []session.Piece
	reply  [1]byte
}

var (
	_ session.Link       = (*rawLink)(nil)
	_ session.Unanswered = (*rawLink)(nil)
)

func newRawLink(o Options) *rawLink {
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	return &rawLink{opts: o}
}

// Unanswered reports whether messages are not acknowledged: the analyzers of
// which public texts speak expect nothing.
func (l *rawLink) Unanswered() bool { return l.opts.Answer != "ack" }

// Wait is how long to wait for the next byte before calling Silence; 0: for ever.
func (l *rawLink) Wait() time.Duration {
	switch {
	case len(l.msg) == 0:
		return 0
	case l.opts.IdleEnd > 0:
		return l.opts.IdleEnd
	}
	return ReceiveTimeout
}

// Feed takes bytes up to the end of a message, or all. It returns how many.
func (l *rawLink) Feed(_ time.Time, p []byte) (n int, s session.Step) {
	for n < len(p) {
		if len(l.msg) == 0 {
			c := p[n]
			n++
			if c == ENQ {
				return n, session.Step{Reply: l.byte(NAK), Refused: "the analyzer asks for frames with ENQ (take framing = \"none\" out)"}
			}
			if header := l.head.next(c); header != nil {
				l.begin(header)
			}
			continue
		}
		used, s := l.text(p[n:])
		if n += used; s.Asks() {
			return n, s
		}
	}
	return n, session.Step{}
}

func (l *rawLink) begin(header []byte) {
	l.msg, l.tail = append(l.msg, header...), 0
	if end := header[len(header)-1]; end == CR || end == LF {
		l.tail = len(l.msg)
	}
}

// text takes bytes of a message up to a line end.
func (l *rawLink) text(p []byte) (n int, s session.Step) {
	n = len(p)
	end := bytes.IndexAny(p, "\r\n")
	if end >= 0 {
		n = end + 1
	}
	if len(l.msg)+n > l.opts.MaxMessage {
		return n, l.breakOff("the message is longer than max_message")
	}
	l.msg = append(l.msg, p[:n]...)
	if end < 0 {
		return n, s
	}
	begin := l.tail
	l.tail = len(l.msg)
	switch record := l.msg[begin : l.tail-1]; {
	case isTerminator(l.msg, record):
		return n, l.complete(len(l.msg))
	case begin > 0 && isHeader(record):
		if l.opts.IdleEnd > 0 {
			return n, l.complete(begin)
		}
		return n, l.put(session.Piece{Stage: drivers.Broken, Payload: l.msg[:begin], Fault: "the analyzer began a new message before the L record of this one (if it never sends one: astm = { idle_end = \"2s\" })"}, begin)
	}
	return n, s
}

// Silence tells that nothing came for as long as Wait said.
func (l *rawLink) Silence(time.Time) session.Step {
	switch {
	case len(l.msg) == 0:
		return session.Step{}
	case l.opts.IdleEnd > 0:
		return l.complete(len(l.msg))
	}
	l.Count("timeouts", 1)
	return l.breakOff("nothing came for 30 s in the middle of the message (if its L record has no line end, or if it never sends one: astm = { idle_end = \"2s\" })")
}

// HangUp tells that the connection is gone. A last L record without a line end is
// whole where silence would have ended it.
func (l *rawLink) HangUp(time.Time) session.Step {
	switch {
	case len(l.msg) == 0:
		return session.Step{}
	case l.opts.IdleEnd > 0 && isTerminator(l.msg, l.msg[l.tail:]):
		return l.complete(len(l.msg))
	}
	return l.breakOff("the connection ended in the middle of the message")
}

// complete stores the first n bytes of what came as a message.
func (l *rawLink) complete(n int) session.Step {
	return l.put(session.Piece{Stage: drivers.Complete, Payload: l.msg[:n]}, n)
}

func (l *rawLink) breakOff(why string) session.Step {
	return l.put(session.Piece{Stage: drivers.Broken, Payload: l.msg, Fault: why}, len(l.msg))
}

// put stores a piece of n bytes and then forgets them, also when that failed: an
// analyzer that is answered keeps its message, and for another one the session
// holds it.
func (l *rawLink) put(p session.Piece, n int) session.Step {
	l.After(func(err error) session.Step {
		rest := copy(l.msg, l.msg[n:])
		l.msg, l.tail = l.msg[:rest], rest
		if p.Stage != drivers.Complete {
			return session.Step{}
		}
		s := session.Step{Whole: 1}
		answer := byte(ACK)
		if err != nil {
			s, answer = session.Step{Refused: "cannot store now: " + err.Error()}, NAK
		}
		if !l.Unanswered() {
			s.Reply = l.byte(answer)
		}
		return s
	})
	l.pieces = append(l.pieces[:0], p)
	return session.Step{Store: l.pieces}
}

func (l *rawLink) byte(c byte) []byte {
	l.reply[0] = c
	return l.reply[:]
}

// Counts hands out what was counted since it was last called.
func (l *rawLink) Counts() map[string]uint64 {
	l.Count("noise_bytes", l.head.noise)
	l.head.noise = 0
	return l.Tally.Counts()
}

// headerFinder looks for the beginning of an H record among bytes that come one by
// one. At the beginning of a line that is H and a delimiter; elsewhere it is H, a
// delimiter, the other delimiters, and the first one again (LIS02-A2 6.2), which
// noise does not look like.
type headerFinder struct {
	seen  [maxHeader]byte
	n     int
	mid   bool   // what was seen began in the middle of a line
	noise uint64 // bytes that belong to no header
}

// maxHeader is how long a beginning is at the most.
const maxHeader = 7

// next takes a byte and returns the beginning of a header that it completes.
func (f *headerFinder) next(c byte) []byte {
	f.seen[f.n] = c
	f.n++
	for f.n > 0 {
		switch whole, begun := headerAt(f.seen[:f.n], !f.mid); {
		case whole:
			n := f.n
			f.n, f.mid = 0, false
			return f.seen[:n]
		case begun && f.n < maxHeader:
			return nil
		}
		f.noise += noise(f.seen[:1])
		f.mid = f.seen[0] != CR && f.seen[0] != LF
		f.n = copy(f.seen[:], f.seen[1:f.n])
	}
	return nil
}

// isHeader reports whether a line is an H record.
func isHeader(line []byte) bool {
	line = bytes.TrimLeft(line, "\n")
	whole, _ := headerAt(line[:min(2, len(line))], true)
	return whole
}

// headerAt reports whether b is the beginning of an H record, or may yet become
// one.
func headerAt(b []byte, lineStart bool) (whole, begun bool) {
	for i, c := range b {
		switch {
		case i == 0:
			if c != 'H' {
				return false, false
			}
		case i > 2 && (c == b[1] || c == CR || c == LF):
			return i+1 == len(b), false
		case c <= ' ' || c >= 0x7F || isAlphanumeric(c) || i > 1 && c == b[1]:
			return false, false
		case lineStart:
			return len(b) == 2, false
		}
	}
	return false, len(b) > 0
}
