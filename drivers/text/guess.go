package text

import "bytes"

// Guess finds a framing that fits captured bytes, and how many frames it makes of
// them; 0 means that none does. A check that agrees in every frame is preferred to
// no check; with few frames it may agree by chance.
func Guess(raw []byte) (f Frame, frames int) {
	if bytes.IndexByte(raw, 0x02) >= 0 && bytes.IndexByte(raw, 0x03) >= 0 {
		for _, f := range checkedFrames() {
			if n, fits := tryFrame(raw, f); fits {
				return f, n
			}
		}
	}
	for _, f := range []Frame{{By: byMarks}, {By: byLine}} {
		if n, fits := tryFrame(raw, f); fits {
			return f, n
		}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return Frame{}, 0
	}
	return Frame{By: byIdle}, 1
}

// checkedFrames are the frames between STX and ETX whose check is in use
// somewhere, the usual ones first.
func checkedFrames() (all []Frame) {
	ends := []Bytes{nil, {0x1D}} // GS stands before the check where that is inside
	for _, end := range ends {
		for _, kind := range []string{"xor", "sum", "crc16", "crc16-modbus", "crc16-ccitt", "crc16-xmodem"} {
			for _, form := range []string{"", "hex"} {
				for _, over := range []string{"", "text", "start+text+end", "start+text"} {
					for _, at := range []string{"", "before"} {
						all = append(all, Frame{By: byMarks, End: end, Check: kind, CheckForm: form, CheckAt: at, CheckOver: over})
					}
				}
			}
		}
	}
	return all
}

// tryFrame reports whether raw is frames of that kind and little else.
func tryFrame(raw []byte, frame Frame) (frames int, fits bool) {
	var fs faults
	framing := fs.frame(Options{Frame: frame, MaxMessage: defaultMaxMessage})
	if len(fs) > 0 || framing == nil {
		return 0, false
	}
	d := decoder{framing: framing}
	d.reset()
	for p := raw; len(p) > 0; {
		n, e := d.feed(p)
		p = p[n:]
		switch e.kind {
		case whole:
			if len(bytes.TrimSpace(e.text)) > 0 {
				frames++
			}
		case badCheck, tooLong, cut:
			return frames, false
		}
	}
	if frame.By == byLine {
		return frames, frames > 1
	}
	return frames, frames > 0 && d.noise == 0
}
