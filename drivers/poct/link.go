package poct

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// Times of a conversation. The standard leaves them to the parties: a device says
// in DCP.application_timeout how long it waits, 60 s and more in practice.
const (
	HelloTimeout    = 60 * time.Second  // for HEL after the connection or END
	ResponseTimeout = 30 * time.Second  // for the answer to what we asked, and within a document
	IdleTimeout     = 300 * time.Second // before we ask with KPA whether the device is still there
)

// Link is the data manager's side of POCT1-A2. It is pure: it does no input or
// output and knows no time but what it is told. It is not safe for concurrent use.
type Link struct {
	session.Tally

	opts      Options
	split     Splitter
	accepting func() error
	out       writer

	greeted    bool      // HEL has come, END has not
	device     []byte    // what HEL says of the device
	payload    []byte    // of a message, with device before it
	continuous bool      // the device can send results as they come
	clockSet   bool      // SET_TIME was sent in this conversation
	started    bool      // START_CONTINUOUS was
	asked      []request // what the device has not answered; the first one was sent
	over       bool      // the connection is to be closed

	after  func(error, time.Time) session.Step
	pieces []session.Piece
}

// request is something that we want of the device.
type request struct {
	kind requestKind
	id   string // its control id, once it was sent
}

type requestKind uint8

const (
	observations requestKind = iota // REQ: ended by EOT
	setTime                         // DTV
	startContinuous
	keepAlive // KPA
)

// NewLink returns a link before a conversation. Accepting is asked when a device
// greets or has something new; an error refuses it.
func NewLink(o Options, accepting func() error) *Link {
	return &Link{opts: o, split: Splitter{Max: o.MaxMessage}, accepting: accepting}
}

// Wait is how long to wait for the next byte before calling Silence.
func (l *Link) Wait() time.Duration {
	switch {
	case l.split.Inside() || len(l.asked) > 0:
		return ResponseTimeout
	case !l.greeted:
		return HelloTimeout
	}
	return IdleTimeout
}

// Feed takes bytes from the line until one of them asks for something, or all. It
// returns how many it took.
func (l *Link) Feed(now time.Time, p []byte) (n int, s session.Step) {
	for n < len(p) && !l.over {
		used, d, done := l.split.Feed(p[n:])
		n += used
		if !done {
			continue
		}
		if s = l.document(now, d); s.Asks() {
			break
		}
	}
	l.Count("noise_bytes", l.split.Noise())
	if l.over {
		n = len(p)
	}
	return n, s
}

// document judges a document.
func (l *Link) document(now time.Time, d Document) session.Step {
	l.Count("documents", 1)
	root := rootName(d.Raw)
	if d.Fault == FaultNone {
		e, err := readDocument(d.Raw, nil)
		if err == nil {
			return l.message(now, d.Raw, e)
		}
		d.Fault = Fault(err.Error())
	}
	l.Count("bad_documents", 1)
	s := session.Step{Refused: string(d.Fault)}
	if d.Fault.Fatal() {
		l.over, s.Close = true, string(d.Fault)
	} else if d.Fault != FaultCut {
		s.Reply = l.out.ack(nil, now, refused, controlID(d.Raw), "the message cannot be read")
	}
	if !keeps(root) || d.Fault.Fatal() {
		return s
	}
	l.after = func(error, time.Time) session.Step { return s } // it is kept if it can be
	return l.store(session.Piece{Stage: drivers.Broken, Payload: d.Raw, Fault: string(d.Fault)})
}

// keeps reports whether a message of that name is stored: results, and the events
// that a device forgets once they are acknowledged.
func keeps(name string) bool { return kindOf(name) == "OBS" || kindOf(name) == "EVS" }

func kindOf(name string) string { return name[:min(3, len(name))] }

func (l *Link) store(p ...session.Piece) session.Step {
	l.pieces = append(l.pieces[:0], p...)
	return session.Step{Store: l.pieces}
}

// message answers a message.
func (l *Link) message(now time.Time, raw []byte, e *element) session.Step {
	id := e.child("HDR").value("HDR.control_id")
	ack := func(kind, note string) []byte { return l.out.ack(nil, now, kind, id, note) }
	if keeps(e.name) {
		return l.keep(raw, id)
	}
	switch kindOf(e.name) {
	case "HEL":
		l.hello(e)
		l.device = identity(raw)
		if err := l.accepting(); err != nil {
			return session.Step{Reply: ack(refused, "cannot store now"), Refused: "cannot store now: " + err.Error()}
		}
		return session.Step{Reply: ack(accepted, "")}
	case "DST":
		l.status(e)
		return session.Step{Reply: l.next(now, ack(accepted, ""))}
	case "EOT":
		l.ended(observations, "")
		return session.Step{Reply: l.next(now, ack(accepted, ""))}
	case "END":
		l.greeted, l.asked, l.clockSet, l.started = false, nil, false, false
		return session.Step{Reply: ack(accepted, "")}
	case "KPA":
		return session.Step{Reply: ack(accepted, "")}
	case "ACK":
		return l.answered(now, e.child("ACK"))
	case "ESC": // the device cannot do what we asked
		l.Count("refused_requests", 1)
		l.ended(0, or(e.child("ESC").value("ESC.esc_control_id"), e.child("ESC").value("ESC.control_id")))
		return session.Step{Reply: l.next(now, ack(accepted, ""))}
	}
	l.Count("unknown_messages", 1)
	return session.Step{Reply: ack(refused, "this message is not supported"), Refused: "a message of a kind that is not known here"}
}

// hello begins a conversation.
func (l *Link) hello(e *element) {
	if l.greeted {
		l.Count("restarts", 1)
	}
	l.greeted, l.asked, l.clockSet, l.started, l.continuous = true, nil, false, false, false
	for _, d := range e.find("DSC").all("DSC.directives_supported_cd") {
		l.continuous = l.continuous || d.attr("V") == "START_CONTINUOUS"
	}
}

// status plans what to ask of a device that tells how it does.
func (l *Link) status(e *element) {
	has := func(kind requestKind) bool {
		return slices.ContainsFunc(l.asked, func(r request) bool { return r.kind == kind })
	}
	if n, err := strconv.Atoi(e.child("DST").value("DST.new_observations_qty")); err == nil && n > 0 && !has(observations) {
		l.asked = append(l.asked, request{kind: observations})
	}
	if l.opts.SetClock && !l.clockSet {
		l.clockSet = true
		l.asked = append(l.asked, request{kind: setTime})
	}
	always := l.opts.Continuous == "always" || l.opts.Continuous != "never" && l.continuous
	if always && !l.started {
		l.started = true
		l.asked = append(l.asked, request{kind: startContinuous})
	}
}

// next appends the first thing that we want of the device, if it was not sent yet.
func (l *Link) next(now time.Time, out []byte) []byte {
	if len(l.asked) == 0 || l.asked[0].id != "" {
		return out
	}
	r := &l.asked[0]
	switch r.kind {
	case observations:
		out, r.id = l.out.message(out, now, "REQ.R01", "<REQ>"+v("REQ.request_cd", "ROBS")+"</REQ>")
	case setTime:
		out, r.id = l.out.message(out, now, "DTV.R02", "<DTV>"+v("DTV.command_cd", "SET_TIME")+"</DTV><TM>"+v("TM.dttm", now.Format(wallFormat))+"</TM>")
	case startContinuous:
		out, r.id = l.out.message(out, now, "DTV.R01", "<DTV>"+v("DTV.command_cd", "START_CONTINUOUS")+"</DTV>")
	case keepAlive:
		out, r.id = l.out.message(out, now, "KPA.R01", "")
	}
	return out
}

// ended takes what was asked off the list: by the control id, or without one the
// first of that kind.
func (l *Link) ended(kind requestKind, id string) {
	i := slices.IndexFunc(l.asked, func(r request) bool {
		return r.id != "" && (id != "" && r.id == id || id == "" && r.kind == kind)
	})
	if i >= 0 {
		l.asked = slices.Delete(l.asked, i, i+1)
	}
}

// answered takes the device's acknowledgement of something that we sent. The one
// of a request for observations only says that they will come. AA with an error
// code, as a DCA Vantage answers SET_TIME (300), is AA.
func (l *Link) answered(now time.Time, ack *element) session.Step {
	id := or(ack.value("ACK.ack_control_id"), ack.value("ACK.control_id"))
	i := slices.IndexFunc(l.asked, func(r request) bool { return r.id != "" && r.id == id })
	if i < 0 {
		l.Count("stray_acks", 1)
		return session.Step{}
	}
	if kind := or(ack.value("ACK.type_cd"), ack.value("ACK.type_id")); kind != accepted {
		l.Count("refused_requests", 1)
	} else if l.asked[i].kind == observations {
		return session.Step{}
	}
	l.ended(0, id)
	return session.Step{Reply: l.next(now, nil)}
}

// keep stores a message before it is acknowledged.
func (l *Link) keep(raw []byte, id string) session.Step {
	l.after = func(err error, now time.Time) session.Step {
		if err != nil {
			return session.Step{Reply: l.out.ack(nil, now, refused, id, "cannot store now"), Refused: "cannot store now: " + err.Error()}
		}
		return session.Step{Reply: l.out.ack(nil, now, accepted, id, ""), Whole: 1}
	}
	l.payload = append(append(l.payload[:0], l.device...), raw...)
	return l.store(session.Piece{Stage: drivers.Complete, Payload: l.payload})
}

// Stored tells how storing Step.Store went.
func (l *Link) Stored(now time.Time, err error) session.Step {
	after := l.after
	l.after = nil
	if after == nil {
		return session.Step{}
	}
	return after(err, now)
}

// Silence tells that nothing came for as long as Wait said.
func (l *Link) Silence(now time.Time) session.Step {
	switch {
	case l.over:
		return session.Step{}
	case l.split.Inside():
		return l.give("nothing came for 30 s in the middle of a document")
	case len(l.asked) > 0:
		return l.give("the device did not answer within 30 s")
	case !l.greeted:
		return l.give("no HEL within 60 s")
	}
	l.asked = append(l.asked, request{kind: keepAlive})
	return session.Step{Reply: l.next(now, nil)}
}

// give ends a connection that is good for nothing any more.
func (l *Link) give(why string) session.Step {
	l.over = true
	l.Count("timeouts", 1)
	s := l.cutOff(why)
	l.after = func(error, time.Time) session.Step { return session.Step{Close: why} }
	if len(s.Store) > 0 {
		return s
	}
	return l.after(nil, time.Time{})
}

// HangUp tells that the connection is gone.
func (l *Link) HangUp(time.Time) session.Step {
	return l.cutOff("the connection ended in the middle of the document")
}

// cutOff keeps what came of a document.
func (l *Link) cutOff(why string) session.Step {
	l.over = true
	rest := l.split.Rest()
	if !keeps(rootName(rest)) {
		return session.Step{}
	}
	return l.store(session.Piece{Stage: drivers.Broken, Payload: bytes.Clone(rest), Fault: why})
}
