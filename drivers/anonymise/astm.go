package anonymise

import (
	"bytes"
	"slices"
	"strings"
)

// frame is where a frame stands in the raw bytes.
type frame struct {
	number int // of the byte behind STX; text begins behind it
	end    int // of ETX or ETB
}

// astmText is the text of all frames put together, and where its bytes stand.
type astmText struct {
	text   []byte
	at     []int // -1: an end of a record that is not in the bytes
	frames []frame
	again  [][2]int // frames that are sent again: begin of the first's text, of the second's
}

// astm replaces in place.
func (m *Mask) astm(raw []byte) {
	before := bytes.Clone(raw)
	t := unframe(raw)
	m.records(t.text)
	for i, at := range t.at {
		if at >= 0 {
			raw[at] = t.text[i]
		}
	}
	for _, pair := range t.again {
		end := pair[1] + bytes.IndexAny(before[pair[1]:], "\x03\x17")
		copy(raw[pair[1]:end], raw[pair[0]:])
	}
	for _, f := range t.frames {
		reseal(raw, before, f)
	}
}

// unframe finds the text of frames or, where there are none, takes everything.
func unframe(raw []byte) (t astmText) {
	add := func(from, to int) {
		for i := from; i < to; i++ {
			t.text, t.at = append(t.text, raw[i]), append(t.at, i)
		}
	}
	if bytes.IndexByte(raw, 0x02) < 0 {
		add(0, len(raw))
		return t
	}
	cut := func() { t.text, t.at = append(t.text, '\r'), append(t.at, -1) }
	last := frame{number: -1}
	for i := 0; i < len(raw); i++ {
		if raw[i] != 0x02 {
			if raw[i] == 0x04 || raw[i] == 0x05 {
				cut()
			}
			continue
		}
		for i+1 < len(raw) && raw[i+1] == 0x02 {
			i++
		}
		length := bytes.IndexAny(raw[i+1:], "\x03\x17")
		if length < 0 { // a frame that the capture cuts off
			cut()
			add(min(i+2, len(raw)), len(raw))
			return t
		}
		f := frame{number: i + 1, end: i + 1 + length}
		t.frames = append(t.frames, f)
		if last.number >= 0 && bytes.Equal(raw[f.number:f.end], raw[last.number:last.end]) {
			t.again = append(t.again, [2]int{last.number, f.number})
		} else {
			add(min(f.number+1, f.end), f.end)
			if raw[f.end] == 0x03 {
				cut()
			}
			last = f
		}
		i = f.end
	}
	return t
}

// reseal makes a checksum as right, or as wrong, as it was.
func reseal(raw, before []byte, f frame) {
	if f.end+2 >= len(raw) {
		return
	}
	var delta byte
	for i := f.number; i < f.end; i++ {
		delta += raw[i] - before[i]
	}
	digits := raw[f.end+1 : f.end+3]
	hi, ok1 := hexValue(digits[0])
	lo, ok2 := hexValue(digits[1])
	if !ok1 || !ok2 || delta == 0 {
		return
	}
	alphabet := "0123456789ABCDEF"
	if strings.ContainsAny(string(digits), "abcdef") {
		alphabet = strings.ToLower(alphabet)
	}
	sum := hi<<4 + lo + delta
	digits[0], digits[1] = alphabet[sum>>4], alphabet[sum&15]
}

func hexValue(c byte) (byte, bool) {
	i := strings.IndexByte("0123456789ABCDEF", c&^0x20)
	if c >= '0' && c <= '9' {
		return c - '0', true
	}
	return byte(max(i, 0)), i >= 10
}

// records replaces in the records of all messages.
func (m *Mask) records(text []byte) {
	field, inner, esc := byte('|'), `\^`, byte('&')
	var rest [][]byte
	parts(text, "\r\n", func(rec []byte) {
		rec = bytes.TrimLeft(rec, " \x00\x02")
		if len(rec) > 2 && rec[0] >= '0' && rec[0] <= '7' && isLetter(rec[1]) {
			rec = rec[1:] // a frame's number that stands before its record
		}
		if len(rec) < 2 || isLetter(rec[1]) {
			return
		}
		if rec[0] == 'H' && len(rec) > 4 {
			field = rec[1]
			set, _, _ := bytes.Cut(rec[2:], []byte{field})
			if len(set) >= 2 {
				inner, esc = string(set[:2]), 0
				if len(set) > 2 {
					inner, esc = string(set[:len(set)-1]), set[len(set)-1]
				}
			}
		}
		n, kind := 0, rec[0]
		source := ""
		parts(rec, string(rune(field)), func(f []byte) {
			if n++; kind == 'C' && n == 3 {
				source = string(bytes.TrimSpace(f))
			}
			if named(kind, n, source) {
				parts(f, inner, func(v []byte) {
					if kind != 'O' || n != 4 || isID(v) {
						m.value(v, esc)
					}
				})
			} else if kind == 'R' && n > 11 { // some repeat the operator in a field of their own
				parts(f, inner, func(v []byte) {
					if _, known := m.replaced[string(bytes.TrimSpace(v))]; known && isName(v) {
						m.value(v, esc)
					}
				})
			}
		})
		if strings.IndexByte("CMS", kind) >= 0 {
			rest = append(rest, rec)
		}
	})
	for _, rec := range rest {
		m.sweep(rec)
	}
}

// named reports whether field n of a record may name somebody (LIS02-A2).
func named(kind byte, n int, source string) bool {
	switch kind {
	case 'P':
		return n >= 3 && n != 9
	case 'O':
		return slices.Contains([]int{3, 4, 11, 14, 17, 18, 19, 20, 21, 22}, n)
	case 'Q':
		return n == 3 || n == 4
	case 'R':
		return n == 11
	case 'C':
		return n == 4 && source != "I"
	}
	return false
}

// isID tells an id from a position or a word of the analyzer's own.
func isID(v []byte) bool {
	v = bytes.TrimSpace(v)
	return len(v) >= 4 && bytes.ContainsAny(v, "0123456789")
}

// isName tells a word from a number, which may be a value or a time.
func isName(v []byte) bool { return len(v) >= 3 && !bytes.ContainsAny(v, "0123456789") }

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }
