package mllp

import (
	"bytes"
	"time"
)

// Times that MLLP leaves open.
const (
	// BlockTimeout is how long a block may pause before it is given up.
	BlockTimeout = 60 * time.Second

	// EndTimeout is how long CR may follow FS.
	EndTimeout = 500 * time.Millisecond
)

// keep is how much memory an idle decoder holds on to.
const keep = 1 << 20

// Decoder finds blocks in a stream of bytes, however it is split. Its zero value
// is ready.
type Decoder struct {
	MaxBlock int           // 0: DefaultMaxBlock
	IdleEnd  time.Duration // >0: silence after CR or LF ends a block, and VT may be missing

	state   decodeState
	buf     []byte
	tooLong bool
	lead    [2]byte // the last two bytes outside a block
	noise   uint64
}

type decodeState uint8

const (
	outside decodeState = iota
	inside
	ending // FS came
)

// Wait is how long to wait for the next byte before calling Silence; 0: for ever.
func (d *Decoder) Wait() time.Duration {
	switch {
	case d.state == ending:
		return EndTimeout
	case d.state == inside && d.IdleEnd > 0:
		return d.IdleEnd
	case d.state == inside:
		return BlockTimeout
	}
	return 0
}

// Feed takes bytes up to the end of a block, or all of p. It returns how many it
// took and whether b is a block.
func (d *Decoder) Feed(p []byte) (n int, b Block, block bool) {
	for n < len(p) {
		switch d.state {
		case outside:
			n += d.between(p[n:])
		case inside:
			n += d.text(p[n:])
			if d.state == inside && n < len(p) && len(d.buf) > 0 { // VT, which the next Feed takes
				return n, d.end(d.interrupted()), true
			}
		case ending:
			switch p[n] {
			case CR, LF:
				return n + 1, d.end(FaultNone), true
			case VT:
				return n, d.end(FaultNone), true
			}
			d.append([]byte{FS}) // it was none: the message goes on
			d.state = inside
		}
	}
	return n, Block{}, false
}

// interrupted says what a VT in the middle of a block means: where FS gets lost
// it is how blocks end.
func (d *Decoder) interrupted() Fault {
	if d.IdleEnd > 0 && d.atLineEnd() {
		return FaultNone
	}
	return FaultCut
}

// atLineEnd reports whether a line of the message has just ended. Without FS a
// message is whole there at the best.
func (d *Decoder) atLineEnd() bool {
	last := len(d.buf) - 1
	return last >= 0 && (d.buf[last] == CR || d.buf[last] == LF)
}

// Silence tells that nothing came for as long as Wait said.
func (d *Decoder) Silence() (b Block, block bool) {
	switch {
	case d.state == ending, d.state == inside && d.IdleEnd > 0 && d.atLineEnd():
		return d.end(FaultNone), true
	case d.state == inside && d.IdleEnd > 0:
		return d.leftover(FaultIdle)
	case d.state == inside:
		return d.leftover(FaultSilence)
	}
	return Block{}, false
}

// HangUp tells that the connection is gone.
func (d *Decoder) HangUp() (b Block, block bool) {
	switch d.state {
	case ending: // all of the message came
		return d.end(FaultNone), true
	case inside:
		return d.leftover(FaultHangUp)
	}
	return Block{}, false
}

// Noise hands out how many bytes stood where none belong since it was last
// asked: others than CR, LF and NUL between blocks, and VT too many.
func (d *Decoder) Noise() uint64 {
	n := d.noise
	d.noise = 0
	return n
}

// leftover is the block that is coming in, if anything of it came.
func (d *Decoder) leftover(f Fault) (Block, bool) {
	b := d.end(f)
	return b, len(b.Payload) > 0
}

func (d *Decoder) end(f Fault) Block {
	d.state, d.lead = outside, [2]byte{}
	if d.tooLong {
		f = FaultTooLong
	}
	return Block{Payload: d.buf, Fault: f}
}

func (d *Decoder) begin() {
	if cap(d.buf) > keep {
		d.buf = nil
	}
	d.state, d.buf, d.tooLong = inside, d.buf[:0], false
}

// between takes what is outside of blocks, up to and with the start of one.
func (d *Decoder) between(p []byte) int {
	if d.IdleEnd > 0 {
		return d.betweenIdle(p)
	}
	i := bytes.IndexByte(p, VT)
	if i < 0 {
		d.noise += noise(p)
		return len(p)
	}
	d.noise += noise(p[:i])
	d.begin()
	return i + 1
}

// betweenIdle is between for a line on which VT may have been eaten: a header
// segment begins a block as well.
func (d *Decoder) betweenIdle(p []byte) int {
	for i, c := range p {
		if c == VT {
			d.begin()
			return i + 1
		}
		header := [3]byte{d.lead[0], d.lead[1], c}
		if h := string(header[:]); h == "MSH" || h == "FHS" || h == "BHS" {
			d.begin()
			d.append(header[:])
			d.noise -= min(d.noise, 2) // its first two letters were taken for noise
			return i + 1
		}
		d.lead = [2]byte{d.lead[1], c}
		d.noise += noise(p[i : i+1])
	}
	return len(p)
}

// text takes bytes of the message, and FS after them. It stops before a VT,
// unless that is one of a run before the message.
func (d *Decoder) text(p []byte) int {
	if p[0] == VT && len(d.buf) == 0 {
		d.noise++
		return 1
	}
	i := control(p)
	if i < 0 {
		d.append(p)
		return len(p)
	}
	d.append(p[:i])
	if p[i] == VT {
		return i
	}
	d.state = ending
	return i + 1
}

// append keeps what fits. Of a block that is too long the end is still looked
// for, in bounded memory.
func (d *Decoder) append(p []byte) {
	limit := d.MaxBlock
	if limit <= 0 {
		limit = DefaultMaxBlock
	}
	if room := limit - len(d.buf); len(p) > room {
		d.tooLong, p = true, p[:max(room, 0)]
	}
	d.buf = append(d.buf, p...)
}

// control finds the first VT or FS. It looks in small windows, so that a buffer
// full of small blocks is not searched to its end once for each.
func control(p []byte) int {
	const window = 1024
	for off := 0; off < len(p); off += window {
		w := p[off:min(off+window, len(p))]
		i := bytes.IndexByte(w, FS)
		if i >= 0 {
			w = w[:i]
		}
		if j := bytes.IndexByte(w, VT); j >= 0 {
			i = j
		}
		if i >= 0 {
			return off + i
		}
	}
	return -1
}

func noise(p []byte) (n uint64) {
	for _, c := range p {
		if c != CR && c != LF && c != 0 {
			n++
		}
	}
	return n
}
