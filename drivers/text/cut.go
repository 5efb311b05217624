package text

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	encunicode "golang.org/x/text/encoding/unicode"
)

// cut cuts a message into records.
func (d *description) cut(payload []byte, decode func([]byte) string) (out []record) {
	add := func(raw []byte) {
		if len(bytes.TrimSpace(raw)) > 0 {
			out = append(out, record{raw, decode(raw), decode})
		}
	}
	f := d.framing
	switch {
	case d.lines || d.records == nil && d.many() && f.kind == byLine:
		for len(payload) > 0 {
			i := bytes.IndexAny(payload, "\r\n")
			if i < 0 {
				break
			}
			add(payload[:i])
			payload = payload[i+1:]
		}
		add(payload)
	case d.records != nil:
		for part := range bytes.SplitSeq(payload, d.records) {
			add(part)
		}
	case d.many() && f.kind == byLength:
		for len(payload) > f.length {
			add(payload[:f.length])
			payload = payload[f.length:]
		}
		add(payload)
	case d.many():
		for part := range bytes.SplitSeq(payload, f.end) {
			add(part)
		}
	default:
		add(payload)
	}
	return out
}

// wide reports whether text says of itself that it is UTF-16.
func wide(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xFF\xFE")) || bytes.HasPrefix(text, []byte("\xFE\xFF"))
}

// unmark takes off the mark with which text says of itself how it is encoded, as
// files that Windows programs write do. It goes before what the options say.
// UTF-16 is turned into UTF-8, since fields are found in bytes.
func unmark(payload []byte, charset encoding.Encoding) ([]byte, encoding.Encoding, error) {
	if rest, ok := bytes.CutPrefix(payload, []byte("\xEF\xBB\xBF")); ok {
		return rest, encunicode.UTF8, nil
	}
	if !wide(payload) {
		return payload, charset, nil
	}
	text, err := encunicode.UTF16(encunicode.LittleEndian, encunicode.ExpectBOM).NewDecoder().Bytes(payload)
	if err != nil {
		return nil, nil, errors.New("it begins as UTF-16, but is not: set the analyzer's export to UTF-8")
	}
	return text, encunicode.UTF8, nil
}

// newDecoder returns what turns the analyzer's bytes into text. Without a
// character set, that is UTF-8 if all of the payload is, else ISO 8859-1.
func newDecoder(charset encoding.Encoding, payload []byte) func([]byte) string {
	if charset == nil {
		if utf8.Valid(payload) {
			return func(raw []byte) string { return strings.ToValidUTF8(string(raw), "\uFFFD") }
		}
		charset = charmap.ISO8859_1
	}
	return func(raw []byte) string {
		text, err := charset.NewDecoder().Bytes(raw)
		if err != nil {
			return strings.ToValidUTF8(string(raw), "\uFFFD")
		}
		return string(text)
	}
}
