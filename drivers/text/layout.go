package text

import (
	"slices"
	"strconv"
	"strings"
)

// fields are the texts of a record, by field.
type fields map[string]string

// reading is what one record holds: fields of its own, and results.
type reading struct {
	own     fields
	results []measured
}

// measured is one result of a record.
type measured struct {
	fields
	decimals *int
}

// layout finds the fields of a record. Ok false means that the record is not of
// this layout.
type layout interface {
	read(rec record) (r []reading, ok bool)
}

// record is one record of a message.
type record struct {
	raw    []byte
	text   string
	decode func([]byte) string
}

// place finds the text of a place, moved by a number of columns or fields. End
// says that the record ends before the place.
type place interface {
	text(rec *cells, by int) (s string, end bool)
}

// cells is a record, cut up as its layout needs it.
type cells struct {
	rec    record
	fields []string // delimited
}

// placed reads a record in which each field has its place.
type placed struct {
	rule    *rule
	cut     func(record) *cells
	own     map[string]place
	result  map[string]place // nil: no result but those of columns
	columns []column
}

type column struct {
	Column
	at map[string]place
}

func (l *placed) read(rec record) ([]reading, bool) {
	c := l.cut(rec)
	r := reading{own: l.texts(c, l.own, 0)}
	if len(l.result) > 0 {
		for by := 0; ; by += l.rule.Repeat {
			if by > 0 && l.ended(c, by) {
				break
			}
			res := l.texts(c, l.result, by)
			padding := l.rule.Repeat > 0 && res[fTest] == "" && res[fValue] == ""
			if !padding {
				r.results = append(r.results, measured{res, l.rule.Decimals})
			}
			if l.rule.Repeat == 0 {
				break
			}
		}
	}
	for _, col := range l.columns {
		res := l.texts(c, col.at, 0)
		for name, text := range map[string]string{fTest: col.Test, fName: col.Name, fUnit: col.Unit} {
			if res[name] == "" && text != "" {
				res[name] = text
			}
		}
		r.results = append(r.results, measured{res, orDecimals(col.Decimals, l.rule.Decimals)})
	}
	return []reading{r}, true
}

// ended reports whether the record holds none of a repetition's places.
func (l *placed) ended(c *cells, by int) bool {
	for _, p := range l.result {
		if _, end := p.text(c, by); !end {
			return false
		}
	}
	return true
}

func (l *placed) texts(c *cells, at map[string]place, by int) fields {
	out := fields{}
	for name, p := range at {
		s, _ := p.text(c, by)
		out[name] = l.rule.clean(s)
	}
	return out
}

func orDecimals(a, b *int) *int {
	if a != nil {
		return a
	}
	return b
}

// clean cuts off what is not part of a field.
func (r *rule) clean(s string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(strings.Trim(s, "\x00")), r.Trim))
}

// sorted puts the places of a rule where placed looks for them. A field of a
// result belongs to each result if the rule has a test or a value of its own.
func (l *placed) sorted(f *faults, where string, parse func(string) (place, error)) *placed {
	at := func(key, text string) place {
		p, err := parse(text)
		if err != nil {
			f.add("%s: %s: %w", where, key, err)
		}
		return p
	}
	l.own, l.result = map[string]place{}, map[string]place{}
	has := func(t string) bool { _, ok := l.rule.Fields[t]; return ok }
	single := has(fTest) || has(fValue)
	for name, text := range l.rule.Fields {
		if single && slices.Contains(resultFields(), name) {
			l.result[name] = at(name, text)
		} else {
			l.own[name] = at(name, text)
		}
	}
	if single && l.rule.Layout != "tagged" && !l.rule.yields(fTest) {
		f.add("%s: test is missing: say where the test's code stands, or what it is with set = { test = … }", where)
	}
	for _, c := range l.rule.Results {
		col := column{Column: c, at: map[string]place{}}
		for name, text := range map[string]string{fValue: c.At, fUnit: c.UnitAt, fFlag: c.FlagAt, fRange: c.RangeAt, fStatus: c.StatusAt} {
			if text != "" {
				col.at[name] = at("results", text)
			}
		}
		l.columns = append(l.columns, col)
	}
	return l
}

// span is a place in a fixed record: bytes first to last, last 0 for the end.
type span struct{ first, last int }

func (s span) text(c *cells, by int) (string, bool) {
	raw := c.rec.raw
	first, last := s.first+by-1, s.last+by
	if s.last == 0 {
		last = len(raw)
	}
	if first >= len(raw) {
		return "", true
	}
	return c.rec.decode(raw[first:min(max(last, first), len(raw))]), false
}

func parseSpan(text string) (place, error) {
	a, b, ranged := strings.Cut(text, "-")
	first, err := strconv.Atoi(a)
	last := first
	if ranged && b == "" {
		last = 0
	} else if ranged && err == nil {
		last, err = strconv.Atoi(b)
	}
	if err != nil || first < 1 || last != 0 && last < first || last > 1<<20 {
		return nil, badPlace{text, `give the columns, counted from 1: "11-22", "34", or "42-" to the end`}
	}
	return span{first, last}, nil
}

// badPlace is a place that its layout does not understand.
type badPlace struct{ text, hint string }

func (b badPlace) Error() string { return strconv.Quote(b.text) + " is not a place: " + b.hint }

func (f *faults) fixed(where string, r *rule) layout {
	l := &placed{rule: r, cut: func(rec record) *cells { return &cells{rec: rec} }}
	return l.sorted(f, where, parseSpan)
}

// number is a place in a delimited record, counted from 1.
type number int

func (n number) text(c *cells, by int) (string, bool) {
	i := int(n) + by - 1
	if i >= len(c.fields) {
		return "", true
	}
	return c.fields[i], false
}

func parseNumber(text string) (place, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<16 {
		return nil, badPlace{text, `give the number of the field, counted from 1: "3"`}
	}
	return number(n), nil
}

func (f *faults) delimited(where string, r *rule) layout {
	if len(r.Delimiter) == 0 {
		f.add("%s: delimiter is missing: give what stands between the fields, such as \",\"", where)
		return nil
	}
	if len(r.Quote) > 1 {
		f.add("%s: quote is %q: give one character", where, r.Quote)
	}
	delimiter := charsOf(r.Delimiter)
	l := &placed{rule: r, cut: func(rec record) *cells {
		return &cells{rec: rec, fields: split(rec.text, delimiter, r.Quote)}
	}}
	return l.sorted(f, where, parseNumber)
}

// charsOf is bytes as decoded text shows them.
func charsOf(b Bytes) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// split cuts a line at its delimiters, except inside quotes. A doubled quote in a
// quoted field is one; a quote that is never closed is text.
func split(line, delimiter, quote string) (out []string) {
	for {
		field, rest, more := nextField(line, delimiter, quote)
		out = append(out, field)
		if !more {
			return out
		}
		line = rest
	}
}

func nextField(line, delimiter, quote string) (field, rest string, more bool) {
	inner := strings.TrimLeft(line, " ")
	if quote == "" || !strings.HasPrefix(inner, quote) {
		return strings.Cut(line, delimiter)
	}
	for i := len(quote); ; {
		j := strings.Index(inner[i:], quote)
		if j < 0 {
			return strings.Cut(line, delimiter)
		}
		i += j + len(quote)
		if strings.HasPrefix(inner[i:], quote) {
			i += len(quote)
			continue
		}
		text := strings.ReplaceAll(inner[len(quote):i-len(quote)], quote+quote, quote)
		tail, rest, more := strings.Cut(inner[i:], delimiter)
		return text + tail, rest, more
	}
}
