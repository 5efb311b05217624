package anonymise

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mask replaces what names somebody, the same by the same.
type Mask struct {
	key      [32]byte
	replaced map[string]string // original to pseudonym
}

// New returns a Mask with a key of its own.
func New() (*Mask, error) {
	m := &Mask{replaced: map[string]string{}}
	if _, err := rand.Read(m.key[:]); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return m, nil
}

// Replaced is how many different values were replaced.
func (m *Mask) Replaced() int { return len(m.replaced) }

// Stream returns what one side sent over one connection, with everything replaced
// that the protocol of that driver says names somebody. The length stays.
func (m *Mask) Stream(driver string, raw []byte) ([]byte, error) {
	out := bytes.Clone(raw)
	switch driver {
	case "astm":
		m.astm(out)
	case "hl7":
		m.hl7(out)
	case "poct":
		m.poct(out)
	default:
		return nil, fmt.Errorf("nothing is known of where %q traffic names somebody", driver)
	}
	return out, nil
}

// words stay as they are: they say something of the message, not of anybody.
func words() []string {
	return []string{`""`, "ALL", "SAMPLE", "NORMAL", "BARCODE", "CONTROL", "QC", "$SYS$", "UNKNOWN", "SERUM", "PLASMA", "URINE"}
}

// value replaces a value in place, without the blanks around it. Between two bytes
// esc an escape sequence stands, which stays; 0 means that there are none.
func (m *Mask) value(v []byte, esc byte) {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || slices.Contains(words(), strings.ToUpper(string(v))) {
		return
	}
	if len(v) > 3 && strings.EqualFold(string(v[:3]), "QC-") {
		v = v[3:] // it marks a control
	}
	original := string(v)
	known, ok := m.replaced[original]
	if !ok {
		for attempt := range byte(8) {
			if known = m.pseudonym(original, esc, attempt); known != original {
				break
			}
		}
		if known == original {
			return // nothing in it can be replaced
		}
		m.replaced[original] = known
	}
	copy(v, known)
}

// pseudonym makes another value of the same shape.
func (m *Mask) pseudonym(original string, esc byte, attempt byte) string {
	r := m.random(original, attempt)
	out := []byte(original)
	if isDate(original) {
		copy(out, fmt.Sprintf("19%02d%02d%02d", 30+r()%70, 1+r()%12, 1+r()%28))
		return string(out)
	}
	for i := 0; i < len(out); {
		c := out[i]
		if n := escapeAt(out[i:], esc); n > 0 {
			i += n
			continue
		}
		switch {
		case c >= '0' && c <= '9':
			out[i] = '0' + byte(r()%10)
		case c >= 'A' && c <= 'Z':
			out[i] = 'A' + byte(r()%26)
		case c >= 'a' && c <= 'z':
			out[i] = 'a' + byte(r()%26)
		case c >= 0x80:
			i += letter(out[i:], r())
			continue
		}
		i++
	}
	return string(out)
}

// letter replaces a character beyond ASCII by one of as many bytes, and returns how
// many these are. In character sets of one byte 0xE0 to 0xF5 are letters.
func letter(b []byte, r uint32) int {
	c, n := utf8.DecodeRune(b)
	switch {
	case c == utf8.RuneError || n == 1:
		b[0] = 0xE0 + byte(r%0x16)
		return 1
	case n == 2:
		utf8.EncodeRune(b, rune(0xE0+r%23))
	case n == 3:
		utf8.EncodeRune(b, rune(0x4E00+r%0x5000))
	default:
		utf8.EncodeRune(b, rune(0x20000+r%0x8000))
	}
	return n
}

// escapeAt is the length of the escape sequence that b begins with, or 0.
func escapeAt(b []byte, esc byte) int {
	if esc == 0 || b[0] != esc {
		return 0
	}
	end := esc
	if esc == '&' && bytes.IndexByte(b, ';') > 0 && bytes.IndexByte(b[1:], '&') < 0 {
		end = ';' // of XML
	}
	if i := bytes.IndexByte(b[1:], end); i > 0 && i < 12 {
		return i + 2
	}
	return 0
}

// random returns numbers that only the key and the value decide.
func (m *Mask) random(value string, attempt byte) func() uint32 {
	var block []byte
	n := uint32(0)
	return func() uint32 {
		if len(block) < 4 {
			h := hmac.New(sha256.New, m.key[:])
			h.Write([]byte{attempt})
			h.Write(binary.BigEndian.AppendUint32(nil, n))
			h.Write([]byte(value))
			block, n = h.Sum(nil), n+1
		}
		r := binary.BigEndian.Uint32(block)
		block = block[4:]
		return r
	}
}

// isDate knows YYYYMMDD with or without a time.
func isDate(s string) bool {
	if len(s) < 8 || len(s) > 14 || !strings.HasPrefix(s, "19") && !strings.HasPrefix(s, "20") {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s[4:6] >= "01" && s[4:6] <= "12" && s[6:8] >= "01" && s[6:8] <= "31"
}

// sweep replaces ids that are known by now where they stand in other text.
func (m *Mask) sweep(text []byte) {
	for original, pseudonym := range m.replaced {
		if len(original) < 5 || !strings.ContainsAny(original, "0123456789") {
			continue // a short or common word would change what has nothing to do with it
		}
		for i := bytes.Index(text, []byte(original)); i >= 0; {
			copy(text[i:], pseudonym)
			next := bytes.Index(text[i+len(original):], []byte(original))
			if next < 0 {
				break
			}
			i += len(original) + next
		}
	}
}

// parts calls do for each part of b between the delimiters.
func parts(b []byte, delimiters string, do func(part []byte)) {
	for {
		i := bytes.IndexAny(b, delimiters)
		if i < 0 {
			do(b)
			return
		}
		do(b[:i])
		b = b[i+1:]
	}
}
