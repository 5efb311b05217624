package astm

import "bytes"

// Control characters of LIS01-A2 5.2.
const (
	STX = 0x02
	ETX = 0x03
	EOT = 0x04
	ENQ = 0x05
	ACK = 0x06
	LF  = 0x0A
	CR  = 0x0D
	NAK = 0x15
	ETB = 0x17
)

// MaxFrameText is the longest text that a frame may carry by default: the
// 64,000 characters of LIS01-A2 6.3.1.1, which are the whole frame there.
const MaxFrameText = 64000

// Frame is one frame as it came, judged or not.
type Frame struct {
	Number byte   // the digit after STX, '0' to '7'
	Text   []byte // valid until the decoder is fed again
	Final  bool   // ended by ETX; false: ETB, more of the record follows
	Fault  Fault  // FaultNone: the frame is good
}

// Fault says what is wrong with a frame.
type Fault string

const (
	FaultNone      Fault = ""
	FaultChecksum  Fault = "checksum differs"
	FaultNoSum     Fault = "no checksum (if this analyzer never sends one: astm = { checksum = \"none\" })"
	FaultLowerCase Fault = "checksum in lower-case digits (if this analyzer sends them so: astm = { checksum = \"any-case\" })"
	FaultNoCRLF    Fault = "frame does not end with CR LF (if this analyzer leaves them out: astm = { frame_end = \"any\" })"
	FaultNumber    Fault = "frame number is not a digit from 0 to 7"
	FaultTooLong   Fault = "frame is longer than max_frame"
)

// Checksum is the sum, modulo 256, of b: all from the frame number to ETX or
// ETB inclusive (LIS01-A2 6.3.3).
func Checksum(b []byte) byte {
	var sum byte
	for _, c := range b {
		sum += c
	}
	return sum
}

const upperHex = "0123456789ABCDEF"

// AppendFrame appends a whole frame to dst: number counts modulo 8.
func AppendFrame(dst []byte, number int, text []byte, final bool) []byte {
	end := byte(ETB)
	if final {
		end = ETX
	}
	dst = append(dst, STX)
	start := len(dst)
	dst = append(dst, '0'+byte(number&7))
	dst = append(dst, text...)
	dst = append(dst, end)
	sum := Checksum(dst[start:])
	return append(dst, upperHex[sum>>4], upperHex[sum&15], CR, LF)
}

// Decoder finds frames in a stream of bytes, however it is split. The zero
// value of its options is the standard's.
type Decoder struct {
	MaxText      int  // 0: MaxFrameText
	NoChecksum   bool // frames carry none
	AnyCase      bool // lower-case checksum digits are taken too
	NoCRLF       bool // CR LF after the checksum may be missing
	state        decodeState
	buf          []byte // frame number and text
	tooLong      bool
	sum          byte
	end          byte
	digits       [2]byte
	last         byte // the newest byte of buf, or beyond it when too long
	sawCR, sawLF bool
}

type decodeState uint8

const (
	outside  decodeState = iota
	inNumber             // STX came
	inText
	inSum1 // ETX or ETB came
	inSum2
	inEnd // the checksum came; CR LF should follow
)

// Reset forgets a frame that is being read.
func (d *Decoder) Reset() { d.state = outside }

// Inside reports whether a frame has begun and not ended.
func (d *Decoder) Inside() bool { return d.state != outside }

// Ending reports whether all of a frame came but what follows its checksum.
func (d *Decoder) Ending() bool { return d.state == inEnd }

// Feed takes bytes up to the end of a frame, or all of p. It returns how many
// it took and whether f is a frame. A byte that is outside any frame is taken
// alone, and then frame is false and Inside is false.
func (d *Decoder) Feed(p []byte) (n int, f Frame, frame bool) {
	for n < len(p) {
		c := p[n]
		switch d.state {
		case outside:
			if c == STX {
				d.begin()
			}
			n++
			if d.state == outside {
				return n, Frame{}, false
			}
		case inNumber:
			n++
			if c == STX { // a run of STX before the frame is noise
				continue
			}
			d.buf, d.last, d.state = append(d.buf, c), c, inText
		case inText:
			n += d.text(p[n:])
		case inSum1, inSum2:
			if done := d.digit(c); done {
				return n, d.finish(), true
			}
			n++
		case inEnd:
			switch {
			case c == CR && !d.sawCR:
				d.sawCR = true
				n++
			case c == LF:
				d.sawLF = true
				return n + 1, d.finish(), true
			default: // the next thing begins already
				return n, d.finish(), true
			}
		}
	}
	return n, Frame{}, false
}

// Stalled returns the newest byte of a frame whose terminator has not come, or 0.
func (d *Decoder) Stalled() byte {
	if d.state != inText {
		return 0
	}
	return d.last
}

// Silence ends a frame of which all came but CR LF.
func (d *Decoder) Silence() (f Frame, frame bool) {
	switch d.state {
	case inEnd:
		return d.finish(), true
	case inSum1, inSum2: // a frame without a checksum, and then nothing
		return d.finish(), true
	}
	return Frame{}, false
}

func (d *Decoder) begin() {
	d.state = inNumber
	d.buf = d.buf[:0]
	d.sum, d.end, d.tooLong, d.sawCR, d.sawLF = 0, 0, false, false, false
	d.digits = [2]byte{}
}

// text takes bytes up to ETX or ETB inclusive and returns how many.
func (d *Decoder) text(p []byte) int {
	i := terminator(p)
	chunk := p
	if i >= 0 {
		chunk = p[:i]
	}
	limit := d.MaxText
	if limit <= 0 {
		limit = MaxFrameText
	}
	if room := limit + 1 - len(d.buf); len(chunk) > room {
		d.tooLong = true // keep on looking for its end, in bounded memory
		d.buf = append(d.buf, chunk[:max(room, 0)]...)
	} else {
		d.buf = append(d.buf, chunk...)
	}
	if len(chunk) > 0 {
		d.last = chunk[len(chunk)-1]
	}
	if i < 0 {
		return len(p)
	}
	d.end = p[i]
	d.sum = Checksum(d.buf) + d.end
	d.state = inSum1
	if d.NoChecksum {
		d.state = inEnd
	}
	return i + 1
}

// terminator finds the first ETX or ETB. It looks in small windows, so that a
// buffer full of ETB frames is not searched to its far ETX once for each.
func terminator(p []byte) int {
	const window = 512
	for off := 0; off < len(p); off += window {
		w := p[off:min(off+window, len(p))]
		i := bytes.IndexByte(w, ETX)
		if i >= 0 {
			w = w[:i]
		}
		if j := bytes.IndexByte(w, ETB); j >= 0 {
			i = j
		}
		if i >= 0 {
			return off + i
		}
	}
	return -1
}

// digit takes one checksum digit; done means that c is none, and so the frame
// has no checksum and ended before c.
func (d *Decoder) digit(c byte) (done bool) {
	if _, ok := hexValue(c); !ok && (c < ' ' || c == 0x7F) {
		return true
	}
	if d.state == inSum1 {
		d.digits[0], d.state = c, inSum2
		return false
	}
	d.digits[1], d.state = c, inEnd
	return false
}

// finish judges the frame.
func (d *Decoder) finish() Frame {
	short := d.state != inEnd
	d.state = outside
	f := Frame{Final: d.end == ETX}
	if len(d.buf) > 0 {
		f.Number, f.Text = d.buf[0], d.buf[1:]
	}
	hi, ok1 := hexValue(d.digits[0])
	lo, ok2 := hexValue(d.digits[1])
	switch {
	case d.tooLong:
		f.Fault = FaultTooLong
	case short:
		f.Fault = FaultNoSum
	case !d.NoChecksum && (!ok1 || !ok2 || hi<<4|lo != d.sum):
		f.Fault = FaultChecksum
	case f.Number < '0' || f.Number > '7':
		f.Fault = FaultNumber
	case !d.NoChecksum && !d.AnyCase && (lower(d.digits[0]) || lower(d.digits[1])):
		f.Fault = FaultLowerCase
	case !d.NoCRLF && !(d.sawCR && d.sawLF):
		f.Fault = FaultNoCRLF
	}
	return f
}

func lower(c byte) bool { return c >= 'a' && c <= 'f' }

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
