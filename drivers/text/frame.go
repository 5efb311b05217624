package text

import (
	"bytes"
	"slices"
)

// framing is a Frame, checked and ready for use.
type framing struct {
	kind       string
	start, end []byte
	length     int // of the text, for kind "length"
	check      checker
	max        int
	outside    []byte // bytes that mean something between frames
	keep       bool   // the marks are part of the text

	watch [256]bool    // bytes at which a mark may be complete, in a frame
	means [256]meaning // of bytes between frames
}

func (f *framing) prepare() {
	switch f.kind {
	case byLine:
		f.watch['\r'], f.watch['\n'] = true, true
	case byMarks, byEnd:
		f.watch[f.end[len(f.end)-1]] = true
	}
	if len(f.start) > 0 {
		f.watch[f.start[len(f.start)-1]] = true
	}
	// Bytes that links send between frames without meaning anything that we have
	// to know.
	for _, c := range []byte{0, '\r', '\n', ' ', 0x03, 0x04, 0x05, 0x06} {
		f.means[c] = quiet
	}
	if len(f.start) == 1 {
		f.means[f.start[0]] = mark
	}
	for _, c := range f.outside {
		f.means[c] = mark
	}
}

// meaning is what a byte between frames may be.
type meaning uint8

const (
	noise meaning = iota // counted
	quiet                // not counted
	mark                 // a start mark, or something that asks for an answer
)

// event is what a decoder found.
type event struct {
	kind eventKind
	text []byte // of a frame, whole or cut; valid until the decoder is used again
	end  []byte // the mark that ended it
	byte byte   // for outside
}

type eventKind uint8

const (
	nothing   eventKind = iota
	whole               // a frame with a good check, or without any
	badCheck            // a frame whose check differs
	cut                 // a frame that another one interrupts
	tooLong             // a frame longer than the longest message
	betweenIt           // a byte between frames that means something
)

// decoder finds frames in a stream of bytes, however it is split.
type decoder struct {
	*framing
	state   decoderState
	buf     []byte        // the text that is coming in, and its end mark while a check is awaited
	text    int           // length of the text in buf, while a check is awaited
	recent  [maxMark]byte // the last bytes between frames, to find a start mark in
	seen    int           // how many of them there are
	afterCR bool
	noise   uint64
}

type decoderState uint8

const (
	seeking  decoderState = iota // for a start mark
	inText                       // between start and end
	inCheck                      // behind the end mark
	skipping                     // through a frame that is too long and has no start mark
)

// maxMark is the longest start or end mark.
const maxMark = 32

// reset goes to where a frame may begin.
func (d *decoder) reset() {
	d.buf, d.seen, d.text = d.buf[:0], 0, 0
	if cap(d.buf) > 1<<20 {
		d.buf = nil
	}
	d.state = seeking
	if len(d.start) == 0 {
		d.state = inText
	}
}

// inside reports whether a frame has begun.
func (d *decoder) inside() bool {
	return d.state == inCheck || d.state == skipping || d.state == inText && (len(d.start) > 0 || len(d.buf) > 0)
}

// feed takes bytes until something is found, or all. It returns how many.
func (d *decoder) feed(p []byte) (n int, e event) {
	for n < len(p) {
		switch d.state {
		case seeking:
			n += d.pass(p[n:])
			if n < len(p) {
				e = d.seek(p[n])
				n++
			}
		case inCheck:
			e = d.awaitCheck(p[n])
			n++
		case skipping:
			n += d.skip(p[n:])
		default:
			var used int
			used, e = d.take(p[n:])
			n += used
		}
		if e.kind != nothing {
			return n, e
		}
	}
	return n, event{}
}

// pass passes over noise as long as no start mark can be in it, and returns how
// much. A start mark of several bytes is left to seek.
func (d *decoder) pass(p []byte) int {
	if len(d.start) > 1 {
		return 0
	}
	for i, c := range p {
		switch d.means[c] {
		case mark:
			return i
		case noise:
			d.noise++
		}
	}
	return len(p)
}

// seek looks for the start mark.
func (d *decoder) seek(c byte) event {
	if d.seen == len(d.start) {
		copy(d.recent[:], d.recent[1:d.seen])
		d.seen--
	}
	d.recent[d.seen] = c
	d.seen++
	if d.seen == len(d.start) && bytes.Equal(d.recent[:d.seen], d.start) {
		d.noise -= min(d.noise, uint64(d.seen-1))
		d.begin()
		return event{}
	}
	if slices.Contains(d.outside, c) {
		d.seen = 0
		return event{kind: betweenIt, byte: c}
	}
	if d.means[c] == noise {
		d.noise++
	}
	return event{}
}

// begin begins a frame behind its start mark.
func (d *decoder) begin() {
	d.buf, d.seen, d.state = d.buf[:0], 0, inText
	if d.keep {
		d.buf = append(d.buf, d.start...)
	}
}

// take takes text, up to the first byte at which something may end.
func (d *decoder) take(p []byte) (n int, e event) {
	if len(d.buf) == 0 && len(d.start) == 0 && slices.Contains(d.outside, p[0]) {
		return 1, event{kind: betweenIt, byte: p[0]}
	}
	if d.afterCR && len(d.buf) == 0 {
		d.afterCR = false
		if p[0] == '\n' {
			return 1, event{}
		}
	}
	room := d.max + len(d.end) + d.check.size() + 1 - len(d.buf)
	if d.kind == byLength {
		room = d.length - len(d.buf)
	}
	for n < min(len(p), room) {
		n++
		if d.watch[p[n-1]] {
			break
		}
	}
	d.buf = append(d.buf, p[:n]...)
	return n, d.judge(n == room)
}

// judge looks whether the frame ends or begins anew at the end of buf.
func (d *decoder) judge(full bool) event {
	last := d.buf[len(d.buf)-1]
	switch {
	case d.kind == byLength:
		if full {
			return d.ended(len(d.buf))
		}
	case d.kind == byLine:
		if last == '\r' || last == '\n' {
			d.afterCR = last == '\r'
			return d.ended(len(d.buf) - 1)
		}
	case len(d.end) > 0 && bytes.HasSuffix(d.buf, d.end):
		return d.ended(len(d.buf) - len(d.end))
	}
	if len(d.start) > 0 && d.kind != byLength && bytes.HasSuffix(d.buf, d.start) {
		text := d.buf[:len(d.buf)-len(d.start)]
		if len(text) > 0 && !(d.keep && len(text) == len(d.start)) {
			text = bytes.Clone(text)
			d.begin()
			return event{kind: cut, text: text}
		}
		d.begin() // a run of start marks
		return event{}
	}
	if full {
		text := d.buf
		d.reset()
		if d.state == inText {
			d.state = skipping
		}
		return event{kind: tooLong, text: text}
	}
	return event{}
}

// skip passes over the rest of a frame that is too long. Nothing but the end of
// such a frame, or silence, tells where the next one begins.
func (d *decoder) skip(p []byte) int {
	switch d.kind {
	case byIdle:
		return len(p)
	case byLine:
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			return len(p)
		}
		d.afterCR = p[i] == '\r'
		d.reset()
		return i + 1
	}
	seen := slices.Concat(d.buf, p) // what may be the beginning of the mark, and p
	if i := bytes.Index(seen, d.end); i >= 0 {
		n := i + len(d.end) - len(d.buf)
		d.reset()
		return n
	}
	d.buf = append(d.buf[:0], seen[max(0, len(seen)-len(d.end)+1):]...)
	return len(p)
}

// ended is called when the end mark is in; the text is the first n bytes of buf.
func (d *decoder) ended(n int) event {
	d.text = n
	if d.check.kind != "" && !d.check.before {
		d.state = inCheck
		return event{}
	}
	return d.verify(d.buf[:n], d.buf[n:], nil)
}

func (d *decoder) awaitCheck(c byte) event {
	d.buf = append(d.buf, c)
	have := d.buf[d.text:]
	mark := len(d.end)
	if d.kind == byLine {
		mark = 1
	}
	if len(have) < mark+d.check.size() {
		return event{}
	}
	return d.verify(d.buf[:d.text], have[:mark], have[mark:])
}

// verify ends a frame.
func (d *decoder) verify(text, end, check []byte) event {
	e := event{kind: whole, text: text, end: end}
	if d.keep {
		e.text, e.end = d.buf, nil
	}
	if d.check.kind != "" {
		if d.check.before {
			at := max(0, len(text)-d.check.size())
			e.text, check = text[:at], text[at:]
		}
		if !d.check.matches(d.start, e.text, end, check) {
			e.kind, e.text = badCheck, text
		}
	}
	if len(e.text) > d.max {
		e.kind = tooLong
	}
	d.reset()
	return e
}

// silence tells that nothing came for a while, or that nothing will come any
// more. It returns the text of the frame that had begun.
func (d *decoder) silence() []byte {
	text := d.buf
	switch d.state {
	case skipping:
		text = nil
	case inCheck:
		text = d.buf[:d.text]
	}
	d.afterCR = false
	d.reset()
	return text
}
