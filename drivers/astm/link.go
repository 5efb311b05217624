package astm

import (
	"bytes"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// Times of LIS01-A2 6.5, and of ours where the standard has none.
const (
	// ReceiveTimeout is how long a receiver waits for the next frame or EOT
	// (LIS01-A2 6.5.2.3). It is counted from the last byte, since a long frame
	// takes longer than that at 9600 baud.
	ReceiveTimeout = 30 * time.Second

	// endTimeout is how long CR LF may follow a checksum.
	endTimeout = 500 * time.Millisecond

	// stallTimeout is how long an ENQ or EOT inside a frame must be the last
	// byte to be taken for one. A disturbed byte can look like ENQ while the
	// frame goes on, and an answer to it would be taken for the frame's ACK.
	stallTimeout = time.Second

	// doubleENQ is how soon after our ACK another ENQ is the same bid sent
	// twice (Beckman Access 2) and not a new one, which comes after a second at
	// the earliest (6.2.7.1). A second ACK would be taken for that of frame 1.
	doubleENQ = time.Second
)

// Link is the receiving half of LIS01-A2 section 6: establishment, transfer and
// termination. It is not safe for concurrent use.
type Link struct {
	session.Tally
	session.Sequel

	opts      Options
	dec       Decoder
	msg       assembler
	accepting func() error

	awake    bool   // ENQ was acknowledged, EOT has not come
	expect   byte   // the frame number that comes next
	last     byte   // the frame number accepted last, 0 for none
	lastText []byte // its text, to know a repetition from another frame
	open     bool   // the last frame ended with ETB
	skipped  bool   // the sender left a frame out: nothing more of this session is taken
	ackedENQ time.Time
	fresh    bool // nothing came since ENQ was acknowledged

	unsettled []byte // a message ended by EOT that could not be stored yet

	gone bool // the connection is, and storing that was tried a last time

	bare   headerFinder // among what stands outside of sessions
	pieces []session.Piece
	reply  [1]byte
}

var _ session.Link = (*Link)(nil)

// NewLink returns a receiver in the neutral state. Accepting is asked at every
// ENQ; an error makes the answer NAK, which LIS01-A2 6.2.4 calls busy.
func NewLink(o Options, accepting func() error) *Link {
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	return &Link{
		opts: o,
		dec: Decoder{
			MaxText:    o.MaxFrame,
			NoChecksum: o.Checksum == "none",
			AnyCase:    o.Checksum == "any-case",
			NoCRLF:     o.FrameEnd == "any",
		},
		accepting: accepting,
	}
}

// Wait is how long to wait for the next byte before calling Silence; 0: for ever.
func (l *Link) Wait() time.Duration {
	switch c := l.dec.Stalled(); {
	case !l.awake:
		return 0
	case l.dec.Ending():
		return endTimeout
	case c == ENQ || c == EOT:
		return stallTimeout
	}
	return ReceiveTimeout
}

// Feed takes bytes from the line until one of them asks for something, or all.
// It returns how many it took.
func (l *Link) Feed(now time.Time, p []byte) (n int, s session.Step) {
	for n < len(p) {
		if !l.awake {
			c := p[n]
			n++
			switch {
			case c == ENQ:
				return n, l.enquiry(now)
			case l.bare.next(c) != nil:
				return n, session.Step{Refused: "records come without frames (if this analyzer sends them so: astm = { framing = \"none\" })"}
			}
			l.Count("noise_bytes", noise(p[n-1:n]))
			continue
		}
		if c := p[n]; !l.dec.Inside() && c != STX {
			n++
			switch c {
			case ENQ:
				if s, asked := l.repeatedEnquiry(now); asked {
					return n, s
				}
			case EOT:
				return n, l.endOfTransmission()
			default:
				l.Count("noise_bytes", noise(p[n-1:n]))
			}
			continue
		}
		l.fresh = false
		used, f, done := l.dec.Feed(p[n:])
		n += used
		if done {
			return n, l.frame(f)
		}
	}
	return n, session.Step{}
}

// Silence tells that nothing came for as long as Wait said.
func (l *Link) Silence(now time.Time) session.Step {
	if !l.awake {
		return session.Step{}
	}
	c := l.dec.Stalled()
	if f, done := l.dec.Silence(); done {
		return l.frame(f)
	}
	switch c {
	case ENQ:
		l.dec.Reset()
		l.Count("cut_frames", 1)
		return l.enquiry(now)
	case EOT:
		l.dec.Reset()
		l.Count("cut_frames", 1)
		return l.endOfTransmission()
	}
	l.Count("timeouts", 1)
	return l.end("nothing came for 30 s in the middle of the session")
}

// HangUp tells that the connection is gone. It may have gone with the CR LF of the
// last frame.
func (l *Link) HangUp(now time.Time) session.Step {
	switch {
	case l.awake && l.dec.Ending():
		return l.Silence(now)
	case l.unsettled != nil && !l.gone:
		l.gone = true
		return l.settle()
	}
	return l.end("the connection ended in the middle of the session")
}

// byte is an answer of one byte.
func (l *Link) byte(c byte) []byte {
	l.reply[0] = c
	return l.reply[:]
}

// noise counts the bytes between frames that mean something is wrong: CR and LF
// end frames and records, NUL is what idle lines send.
func noise(p []byte) (n uint64) {
	for _, c := range p {
		if c != CR && c != LF && c != 0 && c != EOT {
			n++
		}
	}
	return n
}

// restricted counts the characters that a text must not hold (6.6.2). CR is
// allowed there and LF is so common that it says nothing. They are taken as they
// are: the checksum vouches for them.
func restricted(text []byte) (n uint64) {
	const set = 1<<0x01 | 1<<STX | 1<<ETX | 1<<EOT | 1<<ENQ | 1<<ACK | 1<<0x10 |
		1<<0x11 | 1<<0x12 | 1<<0x13 | 1<<0x14 | 1<<NAK | 1<<0x16 | 1<<ETB
	for _, c := range text {
		if c < 0x20 && set>>c&1 != 0 {
			n++
		}
	}
	return n
}

// enquiry answers ENQ. What an earlier session left is brought to an end first.
func (l *Link) enquiry(now time.Time) session.Step {
	if l.awake {
		l.Count("restarts", 1)
	}
	if l.unsettled != nil {
		l.After(func(err error) session.Step {
			if err != nil {
				return l.busy(err)
			}
			l.unsettled = nil
			s := l.bid(now)
			s.Whole = 1
			return s
		})
		return l.store(session.Piece{Stage: drivers.Complete, Payload: l.unsettled})
	}
	if left, ok := l.leftover("the analyzer began a new session before it ended the message"); ok {
		// It is kept if it can be; the analyzer is about to send it again.
		l.After(func(error) session.Step { return l.bid(now) })
		return l.store(left)
	}
	return l.bid(now)
}

// bid grants or refuses the session that ENQ asks for (6.2.2, 6.2.4).
func (l *Link) bid(now time.Time) session.Step {
	if err := l.accepting(); err != nil {
		return l.busy(err)
	}
	l.neutral()
	l.awake, l.fresh, l.ackedENQ = true, true, now
	l.expect, l.last, l.open, l.skipped = '1', 0, false, false
	return session.Step{Reply: l.byte(ACK)}
}

func (l *Link) busy(err error) session.Step {
	l.neutral()
	return session.Step{Reply: l.byte(NAK), Refused: "cannot store now: " + err.Error()}
}

func (l *Link) store(p ...session.Piece) session.Step {
	l.pieces = append(l.pieces[:0], p...)
	return session.Step{Store: l.pieces}
}

// repeatedEnquiry answers ENQ in a session, unless it is the same bid twice.
func (l *Link) repeatedEnquiry(now time.Time) (s session.Step, asked bool) {
	if l.fresh && now.Sub(l.ackedENQ) < doubleENQ {
		l.Count("double_enq", 1)
		return session.Step{}, false
	}
	return l.enquiry(now), true
}

func (l *Link) neutral() {
	l.awake = false
	l.dec.Reset()
	l.msg.reset()
}

// frame judges a frame by LIS01-A2 6.3.2 and 6.3.3.
func (l *Link) frame(f Frame) session.Step {
	l.Count("frames", 1)
	if f.Fault != FaultNone {
		if f.Fault == FaultChecksum {
			l.Count("checksum_errors", 1)
		}
		return session.Step{Reply: l.byte(NAK), Refused: string(f.Fault)}
	}
	if f.Number == l.last && bytes.Equal(f.Text, l.lastText) {
		// Our ACK was lost and the frame sent again (6.3.2.2): it is in already.
		l.Count("repeated_frames", 1)
		return session.Step{Reply: l.byte(ACK)}
	}
	if f.Number != l.expect || l.skipped {
		// The checksum covers the number, so the sender really left a frame out.
		// Seven frames later its numbers would fit again, and a message with a
		// hole in it would look whole: refuse all until it begins anew.
		l.skipped = true
		l.Count("wrong_frame_numbers", 1)
		return session.Step{Reply: l.byte(NAK), Refused: "frame number out of order"}
	}
	if len(l.msg.buf)+len(f.Text) > l.opts.MaxMessage {
		return session.Step{Reply: l.byte(NAK), Refused: "message is longer than max_message"}
	}
	return l.take(f)
}

// take adds a good frame to its message. What it completes is stored first.
func (l *Link) take(f Frame) session.Step {
	whole, rest, before := l.msg.add(f.Text, f.Final)
	l.pieces = l.pieces[:0]
	for _, m := range whole {
		l.pieces = append(l.pieces, session.Piece{Stage: drivers.Complete, Payload: m})
	}
	if l.opts.End == "eot" && f.Final {
		if draft := trimLead(l.msg.buf[rest:]); len(draft) > 0 {
			l.pieces = append(l.pieces, session.Piece{Stage: drivers.Draft, Payload: draft})
		}
	}
	accept := func(err error) session.Step {
		if err != nil {
			l.msg.undo(before)
			return session.Step{Reply: l.byte(NAK), Refused: "cannot store now: " + err.Error()}
		}
		l.msg.keep(rest)
		l.Count("restricted_characters", restricted(f.Text))
		l.last, l.lastText, l.open = f.Number, append(l.lastText[:0], f.Text...), !f.Final
		l.expect = '0' + (l.expect-'0'+1)&7
		return session.Step{Reply: l.byte(ACK), Whole: len(whole)}
	}
	if len(l.pieces) == 0 {
		return accept(nil)
	}
	l.After(accept)
	return session.Step{Store: l.pieces}
}

// endOfTransmission ends the session as the sender wishes (6.4).
func (l *Link) endOfTransmission() session.Step {
	switch {
	case l.skipped:
		return l.end("the analyzer left a frame out")
	case l.open:
		return l.end("the analyzer ended the session in the middle of a record")
	case l.opts.End == "eot" && len(l.msg.pending()) > 0:
		l.unsettled = bytes.Clone(l.msg.pending())
		l.neutral()
		return l.settle()
	}
	return l.end("the analyzer ended the session without an L record (if it never sends one: astm = { end = \"eot\" })")
}

// settle stores a message that EOT ended. EOT has no answer, so when that fails
// the message stays a durable draft, and the next ENQ tries again before it is
// acknowledged.
func (l *Link) settle() session.Step {
	l.After(func(err error) session.Step {
		if err != nil {
			return session.Step{}
		}
		l.unsettled = nil
		return session.Step{Whole: 1}
	})
	return l.store(session.Piece{Stage: drivers.Complete, Payload: l.unsettled})
}

// end goes back to the neutral state and keeps what was not whole.
func (l *Link) end(fault string) session.Step {
	left, ok := l.leftover(fault)
	l.neutral()
	if !ok {
		return session.Step{}
	}
	return l.store(left)
}

// leftover is the message that is coming in, as a broken one.
func (l *Link) leftover(fault string) (session.Piece, bool) {
	p := l.msg.pending()
	if !l.awake || len(p) == 0 {
		return session.Piece{}, false
	}
	return session.Piece{Stage: drivers.Broken, Payload: bytes.Clone(p), Fault: fault}, true
}
