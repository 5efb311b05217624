package text

import (
	"strings"
	"time"
)

// frame checks Options.Frame.
func (f *faults) frame(o Options) *framing {
	w := o.Frame
	f.oneOf("frame.by", w.By, byMarks, byLine, byEnd, byLength, byIdle, byFile)
	if w.By == byMarks && w.Start == nil {
		w.Start = Bytes{0x02}
	}
	if w.By == byMarks && w.End == nil {
		w.End = Bytes{0x03}
	}
	if len(w.Start) > maxMark || len(w.End) > maxMark {
		f.add("frame.start and frame.end may be %d bytes long: give the part that tells them from the text", maxMark)
		w.Start, w.End = nil, Bytes{0x03}
	}
	has := func(key string, set bool, by ...string) {
		fits := false
		for _, b := range by {
			fits = fits || w.By == b
		}
		switch {
		case set && !fits:
			f.add("frame.%s has no meaning with by = %q: remove it, or use by = %q", key, w.By, by[0])
		case !set && fits && by[0] != byMarks:
			f.add("frame.%s is missing: by = %q needs it", key, w.By)
		}
	}
	if w.By != byLength || len(w.Start) > 0 {
		has("start", len(w.Start) > 0, byMarks, byLength)
	}
	if w.By == byMarks && (len(w.Start) == 0 || len(w.End) == 0) {
		f.add("frame.start or frame.end is empty: leave it out for STX and ETX, or use by = \"end\"")
		w.Start, w.End = Bytes{0x02}, Bytes{0x03}
	}
	if w.By != byMarks {
		has("end", len(w.End) > 0, byEnd)
	}
	has("length", w.Length > 0, byLength)
	has("idle", w.Idle > 0, byIdle)
	f.span("frame.idle", w.Idle, 20*time.Millisecond, 10*time.Minute)
	if w.By == byLength && w.Length > o.MaxMessage {
		f.add("frame.length is above max_message: raise max_message")
	}
	if w.By == byEnd && len(w.End) == 0 {
		w.End = Bytes{0x03} // told above; what follows needs one
	}
	kind := w.By
	if kind == byFile {
		kind = byIdle // whose silence never comes
	}
	g := &framing{kind: kind, start: w.Start, end: w.End, length: max(w.Length, 1), max: o.MaxMessage, check: f.check(w), keep: w.KeepMarks}
	m := o.Message
	if w.KeepMarks && (w.By != byMarks && w.By != byEnd || g.check.kind != "" || m.Last != "" || len(m.End) > 0 || m.Idle > 0) {
		f.add("frame.keep_marks is for frames by = \"stx-etx\" or \"end\" that have no check and are one message each: remove it")
	}
	g.outside = append(append(g.outside, o.Enquiry...), o.Message.End...)
	g.prepare()
	return g
}

// check checks what protects a frame.
func (f *faults) check(w Frame) checker {
	var c checker
	_, isCRC := crcNamed(w.Check)
	switch {
	case w.Check == "" || w.Check == "none":
		if w.CheckForm+w.CheckAt+w.CheckOver != "" || w.CheckLowFirst {
			f.add("frame.check is missing, but how it looks is given: use check = \"xor\", \"sum\" or \"crc16\"")
		}
		return c
	case w.Check == "xor" || w.Check == "sum" || isCRC:
	default:
		f.oneOf("frame.check", w.Check, "none", "xor", "sum", "crc16", "crc16-modbus", "crc16-ccitt", "crc16-xmodem")
	}
	f.oneOf("frame.check_form", or(w.CheckForm, "byte"), "byte", "hex")
	f.oneOf("frame.check_at", or(w.CheckAt, "after"), "after", "before")
	f.oneOf("frame.check_over", or(w.CheckOver, "text+end"), "text", "text+end", "start+text", "start+text+end")
	over := or(w.CheckOver, "text+end")
	c = checker{
		kind: w.Check, hex: w.CheckForm == "hex", lowFirst: w.CheckLowFirst, before: w.CheckAt == "before",
		withStart: strings.HasPrefix(over, "start"), withEnd: strings.HasSuffix(over, "end"),
	}
	if w.CheckLowFirst && !isCRC {
		f.add("frame.check_low_first is only for a CRC: remove it")
	}
	switch {
	case unmarked(w.By):
		f.add("frame.check cannot be found in a frame that nothing marks the end of: use by = \"stx-etx\" or \"end\"")
	case w.By == byLine && !c.before:
		f.add("frame.check_at must be \"before\" with by = \"line\": a check behind the line end would be taken for the next line")
	case c.before && w.By == byLength:
		f.add("frame.check_at must be \"after\" with by = \"length\": length does not count the check")
	case c.before && !c.hex:
		f.add("frame.check_form must be \"hex\" where check_at is \"before\": a check byte could look like the end mark")
	}
	return c
}

// answers checks Ack, Nak and Enquiry.
func (f *faults) answers(o Options) {
	if len(o.Nak) > 0 && len(o.Ack) == 0 {
		f.add("nak is set without ack: an analyzer that is refused must also be told when it is not; set ack")
	}
	if len(o.Enquiry) > 1 {
		f.add("enquiry is more than one byte: give the one byte, such as \"<ENQ>\"")
	}
	if len(o.Enquiry) > 0 && len(o.Ack) == 0 {
		f.add("enquiry is set without ack: set ack to the answer")
	}
	if o.Frame.By == byFile && len(o.Ack) > 0 {
		f.add("ack is set, but frame.by = \"file\" ends with the connection: nobody is left to be answered; remove it")
	}
	if unmarked(o.Frame.By) && len(o.Enquiry)+len(o.Message.End) > 0 {
		f.add("enquiry and message.end cannot be told from the text of frames that silence ends: use frame.by = \"stx-etx\" or \"line\"")
	}
}

// assembly checks Options.Message.
func (f *faults) assembly(d *description) {
	m := d.Message
	d.first, d.last = f.pattern("message.first", m.First), f.pattern("message.last", m.Last)
	ends := 0
	for _, set := range []bool{m.Last != "", len(m.End) > 0, m.Idle > 0} {
		if set {
			ends++
		}
	}
	switch {
	case ends > 1:
		f.add("message has more than one end: use one of last, end and idle")
	case ends == 0 && m.First != "":
		f.add("message.first is set, but not where a message ends: add last, end or idle")
	case ends > 0 && unmarked(d.Frame.By):
		f.add("message cannot be put together from frames that nothing marks the end of: leave the message table out")
	}
	if len(m.End) > 1 {
		f.add("message.end is more than one byte: give the one byte, such as \"<EOT>\", or use last")
	}
	if d.CloseEnds && d.Frame.By != byIdle && m.Idle == 0 {
		f.add("close_ends has no meaning where a mark ends a message: remove it, or use frame.by = \"idle\" or message.idle")
	}
	f.span("message.idle", m.Idle, 20*time.Millisecond, 10*time.Minute)
}

// unmarked tells the frames that no byte ends.
func unmarked(by string) bool { return by == byIdle || by == byFile }
