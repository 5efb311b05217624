package hl7

import (
	"errors"
	"slices"
	"strings"
)

// delimiters are those of one message: each MSH names its own (HL7 2.5.4). A
// zero byte is one that the message does without.
type delimiters struct {
	field, component, repeat, escape, sub byte
}

// standard delimiters, for answers to what cannot be read.
var standard = delimiters{'|', '^', '~', '\\', '&'}

var errSeparators = errors.New("MSH-1 or MSH-2 holds no usable delimiters (HL7 2.5.4)")

// readDelimiters reads them from a segment that begins with MSH, FHS or BHS.
func readDelimiters(seg string) (delimiters, error) {
	if len(seg) < 4 || !delimiterLike(seg[3]) {
		return standard, errSeparators
	}
	d := delimiters{field: seg[3]}
	set, _, _ := strings.Cut(seg[4:], seg[3:4])
	if i := strings.IndexAny(set, "\r\n"); i >= 0 {
		set = set[:i]
	}
	if len(set) == 5 && set[2] == set[3] {
		set = set[:2] + set[3:] // a doubled backslash, left by a program that escaped it
	}
	if len(set) > 5 { // the fifth is for truncated values (HL7 2.7)
		return standard, errSeparators
	}
	for i, at := range []*byte{&d.component, &d.repeat, &d.escape, &d.sub} {
		c := [...]byte{'^', '~', '\\', '&'}[i]
		switch {
		case i < len(set) && (!delimiterLike(set[i]) || strings.IndexByte(set, set[i]) < i || set[i] == d.field):
			return standard, errSeparators
		case i < len(set):
			c = set[i]
		case c == d.field || strings.IndexByte(set, c) >= 0:
			c = 0
		}
		*at = c
	}
	return d, nil
}

// delimiterLike reports whether c can be a delimiter: printable ASCII, and no
// letter or digit.
func delimiterLike(c byte) bool { return c > ' ' && c < 0x7F && !isAlphanumeric(c) }

func isAlphanumeric(c byte) bool {
	return isUpper(c) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z'
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// segment is one segment of a message, cut into fields.
type segment struct {
	d      *delimiters
	decode func([]byte) string // for \X..\
	name   string              // "" for none at all
	fields []string            // fields[0] is the name
}

// cutSegment cuts the text of one segment. It is not ok when it does not begin
// with a segment's name.
func cutSegment(d *delimiters, decode func([]byte) string, text string) (segment, bool) {
	s := segment{d: d, decode: decode}
	if !isSegment(text, d.field) {
		return s, false
	}
	s.fields = strings.Split(text, string(rune(d.field)))
	s.name = s.fields[0]
	if isHeader(s.name) {
		s.fields = slices.Insert(s.fields, 1, string(rune(d.field))) // MSH-1 is the delimiter itself
	}
	return s, true
}

func isHeader(name string) bool { return name == "MSH" || name == "FHS" || name == "BHS" }

// isSegment reports whether text begins with a segment's name and a delimiter.
func isSegment(text string, field byte) bool {
	return len(text) >= 3 && isUpper(text[0]) && (isUpper(text[1]) || isDigit(text[1])) &&
		(isUpper(text[2]) || isDigit(text[2])) && (len(text) == 3 || text[3] == field)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// field returns field n, counted from 1 as HL7 does, as it stands.
func (s segment) field(n int) string {
	if n < 1 || n >= len(s.fields) {
		return ""
	}
	return s.fields[n]
}

// text returns field n with escapes resolved, its components and repetitions
// still joined by their delimiters, without surrounding blanks. The explicit
// null "" (HL7 2.5.3) is empty.
func (s segment) text(n int) string { return s.clean(s.field(n)) }

// repeats cuts field n at its repeat delimiters; there is always one.
func (s segment) repeats(n int) []string {
	if s.d == nil || s.d.repeat == 0 {
		return []string{s.field(n)}
	}
	return strings.Split(s.field(n), string(rune(s.d.repeat)))
}

// component returns component c, counted from 1, of the first repetition of field n.
func (s segment) component(n, c int) string { return part(s.components(s.repeats(n)[0]), c) }

// sub returns the first subcomponent of component c of the first repetition of
// field n: the id of an "id&authority".
func (s segment) sub(n, c int) string { return s.subcomponent(s.repeats(n)[0], c, 1) }

// subcomponent returns subcomponent b of component c of the repetition rep.
func (s segment) subcomponent(rep string, c, b int) string {
	raw := part(s.cutComponents(rep), c)
	if s.d == nil || s.d.sub == 0 {
		return s.clean(raw)
	}
	return s.clean(part(strings.Split(raw, string(rune(s.d.sub))), b))
}

func (s segment) cutComponents(rep string) []string {
	if s.d == nil || s.d.component == 0 {
		return []string{rep}
	}
	return strings.Split(rep, string(rune(s.d.component)))
}

// components cuts one repetition into cleaned components; there is always one.
func (s segment) components(rep string) []string {
	parts := s.cutComponents(rep)
	for i, p := range parts {
		parts[i] = s.clean(p)
	}
	return parts
}

// named returns the id of a coded field, or where that is missing its text:
// "mg/L^^99ROC", "^Copies/mL".
func (s segment) named(rep string) string {
	parts := s.components(rep)
	return or(parts[0], part(parts, 2))
}

func (s segment) clean(text string) string {
	if text = strings.TrimSpace(text); text == "" || text == `""` {
		return ""
	}
	return strings.TrimSpace(s.d.unescape(text, s.decode))
}

// part returns element n of parts, counted from 1, or "".
func part(parts []string, n int) string {
	if n < 1 || n > len(parts) {
		return ""
	}
	return parts[n-1]
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// splitSegments cuts a text into segments. CR ends a segment (HL7 2.5.2), and LF
// does where another one follows: elsewhere it is a line break in a value.
func splitSegments(text string, field byte) []string {
	var out []string
	add := func(seg string) {
		if seg = strings.Trim(seg, "\r\n\x00"); strings.TrimSpace(seg) != "" {
			out = append(out, seg)
		}
	}
	for line := range strings.SplitSeq(text, "\r") {
		begin := 0
		for i := strings.IndexByte(line, '\n'); i >= 0; {
			if rest := line[i+1:]; isSegment(rest[:min(4, len(rest))], field) {
				add(line[begin:i])
				begin = i + 1
			}
			next := strings.IndexByte(line[i+1:], '\n')
			if next < 0 {
				break
			}
			i += 1 + next
		}
		add(line[begin:])
	}
	return out
}
