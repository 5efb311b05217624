package astm

import (
	"encoding/hex"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// delimiters are those of one message: each H record names its own (LIS02-A2
// 5.4.1), and analyzers use that freedom.
type delimiters struct {
	field, repeat, component, escape byte
}

// standard delimiters, for records that come without an H record.
var standard = delimiters{'|', '\\', '^', '&'}

// readDelimiters reads them from an H record.
func readDelimiters(h string) (delimiters, error) {
	if len(h) < 2 {
		return standard, nil
	}
	d := delimiters{field: h[1]}
	defs, _, _ := strings.Cut(h[2:], string(rune(d.field)))
	if d.field < ' ' || d.field >= utf8.RuneSelf || isAlphanumeric(d.field) {
		return d, errors.New("the second character of the H record cannot be a field delimiter (LIS02-A2 5.4.1)")
	}
	if strings.IndexFunc(defs, func(c rune) bool { return c < ' ' || c >= utf8.RuneSelf }) >= 0 {
		return d, errors.New("the delimiters in the H record are no ASCII characters (LIS02-A2 5.4.1)")
	}
	if len(defs) == 4 && defs[0] == defs[1] {
		defs = defs[1:] // a doubled backslash, left by a program that escaped it
	}
	switch len(defs) {
	case 0:
		return delimiters{d.field, standard.repeat, standard.component, standard.escape}, nil
	case 1:
		return delimiters{d.field, defs[0], standard.component, standard.escape}, nil
	case 2:
		return delimiters{d.field, defs[0], defs[1], standard.escape}, nil
	}
	return delimiters{d.field, defs[0], defs[1], defs[2]}, nil
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// record is one record of a message, cut into fields.
type record struct {
	delim  *delimiters
	decode decoder
	kind   byte
	fields []string // fields[0] is the record's letter
}

// field returns field n, counted from 1 as LIS02 does, as it stands.
func (r record) field(n int) string {
	if n < 1 || n > len(r.fields) {
		return ""
	}
	return r.fields[n-1]
}

// text returns field n with escapes resolved, its components and repetitions
// still joined by their delimiters, without surrounding blanks. The explicit
// null "" (5.4.8) is empty.
func (r record) text(n int) string { return r.clean(r.field(n)) }

// component returns component c, counted from 1, of the first repetition of field n.
func (r record) component(n, c int) string {
	parts := r.components(r.repeats(n)[0])
	if c < 1 || c > len(parts) {
		return ""
	}
	return parts[c-1]
}

// repeats cuts field n at its repeat delimiters; there is always one.
func (r record) repeats(n int) []string {
	return strings.Split(r.field(n), string(rune(r.delim.repeat)))
}

// components cuts one repetition into cleaned components; there is always one.
func (r record) components(s string) []string {
	parts := strings.Split(s, string(rune(r.delim.component)))
	for i, p := range parts {
		parts[i] = r.clean(p)
	}
	return parts
}

func (r record) clean(s string) string {
	s = strings.TrimSpace(r.unescape(s))
	if s == `""` {
		return ""
	}
	return s
}

// unescape resolves the escape sequences of LIS02-A2 5.4.6. What is not one of
// them stays as it is.
func (r record) unescape(s string) string {
	e := r.delim.escape
	if strings.IndexByte(s, e) < 0 {
		return s
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, string(rune(e)))
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, string(rune(e)))
		replacement, known := r.sequence(name)
		if !closed || !known {
			b.WriteByte(e)
			s = rest
			continue
		}
		b.WriteString(replacement)
		s = after
	}
}

// sequence is the meaning of one escape sequence.
func (r record) sequence(name string) (string, bool) {
	switch name {
	case "F":
		return string(rune(r.delim.field)), true
	case "S":
		return string(rune(r.delim.component)), true
	case "R":
		return string(rune(r.delim.repeat)), true
	case "E":
		return string(rune(r.delim.escape)), true
	case "H", "N": // highlighting on and off has no meaning in a value
		return "", true
	}
	if digits, ok := strings.CutPrefix(name, "X"); ok && digits != "" {
		if raw, err := hex.DecodeString(digits); err == nil {
			return r.decode(raw), true
		}
	}
	return "", false
}

// decoder turns an analyzer's bytes into text.
type decoder func([]byte) string

func newDecoder(charset encoding.Encoding) decoder {
	if charset == nil {
		return func(raw []byte) string {
			if utf8.Valid(raw) {
				return string(raw)
			}
			return decodeAll(charmap.ISO8859_1, raw)
		}
	}
	return func(raw []byte) string { return decodeAll(charset, raw) }
}

// decodeAll decodes raw; bytes that mean nothing become U+FFFD and are seen.
func decodeAll(charset encoding.Encoding, raw []byte) string {
	text, err := charset.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return string(text)
}

// splitRecords cuts decoded text into records. CR ends a record (5.4.2); where
// there is none at all, LF does.
func splitRecords(text string) []string {
	end := "\r"
	if !strings.Contains(text, end) {
		end = "\n"
	}
	var out []string
	for rec := range strings.SplitSeq(text, end) {
		if rec = strings.Trim(rec, "\r\n\x00"); strings.TrimSpace(rec) != "" {
			out = append(out, rec)
		}
	}
	return out
}

// letters are the record types of LIS02-A2 section 5.3.
const letters = "HPOCRMSQL"

// cut reads one record. Some senders put the frame number before each record
// when they pack several into a frame; it is no part of the record.
func (d *delimiters) cut(rec string, decode decoder) (r record, ok bool) {
	if len(rec) > 2 && rec[0] >= '0' && rec[0] <= '7' && rec[2] == d.field {
		rec = rec[1:]
	}
	if rec == "" || strings.IndexByte(letters, rec[0]) < 0 || len(rec) > 1 && rec[1] != d.field {
		return record{}, false
	}
	return record{delim: d, decode: decode, kind: rec[0], fields: strings.Split(rec, string(rune(d.field)))}, true
}
