package text

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// errOneWay says that a description can be read with, but not written.
var errOneWay = errors.New("messages cannot be made up for this description (pattern, xml, or records that a rule does not place): send a capture instead")

// Render writes a message as an analyzer of this description would send it, for
// the simulator. Where the description has a record for each result and no message
// of several records, the message holds the first result only; results tells how
// many it holds. What is written was read again with the same description, and is
// what was asked for.
func (s Sender) Render(r drivers.Report) (message []byte, results int, err error) {
	d := s.desc
	if d.last != nil {
		return nil, 0, errOneWay
	}
	several := d.many() || d.Records != ""
	var records []string
	for _, rule := range d.rules {
		if rule.purpose != "" && rule.purpose != drivers.ForPatient {
			continue
		}
		more, n, err := d.render(rule, r, several)
		if err != nil {
			return nil, 0, err
		}
		if n > 0 && results > 0 {
			continue // a second rule for results is for others
		}
		records, results = append(records, more...), results+n
	}
	if results == 0 || len(records) > 1 && !several {
		return nil, 0, errOneWay
	}
	message = d.joined(records)
	return message, results, d.proved(message, r, results)
}

// joined makes one message of records.
func (d *description) joined(records []string) []byte {
	switch {
	case d.lines || d.many() && d.framing.kind == byLine:
		return []byte(strings.Join(records, "\r\n") + "\r\n")
	case d.records != nil:
		return []byte(strings.Join(records, string(d.records)))
	case d.many():
		end := string(d.framing.end)
		return []byte(strings.Join(records, end) + end)
	}
	return []byte(strings.Join(records, ""))
}

// proved reads a message again.
func (d *description) proved(message []byte, r drivers.Report, results int) error {
	reports, err := d.parse(message, drivers.ParseOptions{})
	if err != nil || len(reports) != 1 || reports[0].Specimen.ID != r.Specimen.ID {
		return errOneWay
	}
	for _, want := range r.Results[:min(results, len(r.Results))] {
		if !slices.ContainsFunc(reports[0].Results, func(got drivers.Result) bool {
			return got.Test.Code == want.Test.Code && got.Value.Number == want.Value.Number
		}) {
			return errOneWay
		}
	}
	return nil
}

// render writes the records of one rule.
func (d *description) render(rule *rule, r drivers.Report, several bool) (records []string, results int, err error) {
	switch l := rule.layout.(type) {
	case *placed:
		return d.renderPlaced(l, r, several)
	case *tags:
		return d.renderTags(l, r)
	case nil: // layout = "none": nothing of use
		return nil, 0, nil
	}
	return nil, 0, errOneWay
}

func (d *description) renderPlaced(l *placed, r drivers.Report, several bool) (records []string, results int, err error) {
	report := d.reportTexts(r, l.rule)
	switch {
	case len(l.columns) > 0:
		c := newCanvas(l.rule)
		c.put(l.own, report, 0)
		for _, col := range l.columns {
			i := slices.IndexFunc(r.Results, func(res drivers.Result) bool { return res.Test.Code == col.Test })
			if i >= 0 {
				c.put(col.at, d.resultTexts(r.Results[i], l.rule, orDecimals(col.Decimals, l.rule.Decimals)), 0)
				results++
			}
		}
		return []string{c.text()}, results, c.err
	case len(l.result) == 0:
		c := newCanvas(l.rule)
		c.put(l.own, report, 0)
		return []string{c.text()}, 0, c.err
	case l.rule.Repeat > 0:
		c := newCanvas(l.rule)
		c.put(l.own, report, 0)
		for i, res := range r.Results {
			c.put(l.result, d.resultTexts(res, l.rule, l.rule.Decimals), i*l.rule.Repeat)
		}
		return []string{c.text()}, len(r.Results), c.err
	}
	for _, res := range r.Results {
		c := newCanvas(l.rule)
		c.put(l.own, report, 0)
		c.put(l.result, d.resultTexts(res, l.rule, l.rule.Decimals), 0)
		if c.err != nil {
			return nil, 0, c.err
		}
		records, results = append(records, c.text()), results+1
		if !several {
			break
		}
	}
	return records, results, nil
}

func (d *description) renderTags(l *tags, r drivers.Report) (records []string, results int, err error) {
	var b strings.Builder
	put := func(name, text string) {
		if tag, ok := l.rule.Fields[name]; ok {
			b.WriteString(l.delimiter + tag + l.rule.TagEnd + text)
		}
	}
	if lead := prefixOf(l.rule); lead != "" && !strings.HasPrefix(lead, l.delimiter) {
		b.WriteString(lead)
	}
	report := d.reportTexts(r, l.rule)
	for _, name := range slices.Sorted(maps.Keys(report)) {
		put(name, report[name])
	}
	if l.rule.Fields[fValue] == "" {
		return nil, 0, errOneWay
	}
	for _, res := range r.Results {
		texts := d.resultTexts(res, l.rule, l.rule.Decimals)
		put(fTest, texts[fTest]) // begins a result
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			if name != fTest {
				put(name, texts[name])
			}
		}
	}
	return []string{b.String()}, len(r.Results), nil
}

// reportTexts are the fields of a report, with those that its results share.
func (d *description) reportTexts(r drivers.Report, rule *rule) fields {
	out := fields{fSpecimen: r.Specimen.ID, fSequence: r.Specimen.InstrumentID, fSender: r.Sender.Name, fModel: r.Sender.Model, fSerial: r.Sender.Serial}
	if len(r.Results) > 0 {
		maps.Copy(out, d.timeTexts(r.Results[0], rule))
	}
	return out
}

func (d *description) resultTexts(res drivers.Result, rule *rule, decimals *int) fields {
	out := fields{fTest: res.Test.Code, fName: res.Test.Text, fUnit: res.Unit, fOperator: res.Operator, fValue: d.valueText(res.Value, decimals)}
	if len(res.Range) > 0 {
		out[fRange] = res.Range[0]
	}
	if len(res.Flags) > 0 {
		out[fFlag] = res.Flags[0]
	}
	for _, word := range slices.Sorted(maps.Keys(d.Statuses)) {
		if d.Statuses[word] == string(res.Status) {
			out[fStatus] = word
		}
	}
	maps.Copy(out, d.timeTexts(res, rule))
	return out
}

// timeTexts are a result's date and time, as the first of time_formats writes them.
func (d *description) timeTexts(res drivers.Result, rule *rule) fields {
	if !res.Completed.Known() {
		return nil
	}
	layout := "20060102150405"
	if len(d.times) > 0 {
		layout = d.times[0].layout
	}
	text := res.Completed.Value.Format(layout)
	if _, both := rule.Fields[fDate]; both && rule.Fields[fTime] != "" {
		date, clock, _ := strings.Cut(text, " ")
		return fields{fDate: date, fTime: clock}
	}
	return fields{fDate: text, fTime: text}
}

// valueText writes a value the way its description reads it.
func (d *description) valueText(v drivers.Value, decimals *int) string {
	text := v.Comparator + v.Number
	switch {
	case v.Number == "":
		return v.Text
	case decimals != nil:
		whole, fraction, _ := strings.Cut(v.Number, ".")
		if len(fraction) > *decimals {
			fraction = fraction[:*decimals] // proved finds out
		}
		return whole + fraction + strings.Repeat("0", *decimals-len(fraction))
	case d.Decimal == ",":
		return strings.Replace(text, ".", ",", 1)
	}
	return text
}

// canvas is a record that is being written.
type canvas struct {
	rule  *rule
	bytes []byte   // fixed
	cells []string // delimited
	err   error
}

func newCanvas(r *rule) *canvas {
	c := &canvas{rule: r, bytes: []byte(prefixOf(r))}
	if r.Layout == "delimited" {
		if lead := string(c.bytes); lead != "" {
			c.cells = split(lead, charsOf(r.Delimiter), r.Quote)
		}
	}
	return c
}

// prefixOf is what a record must begin with for the rule to read it, as far as its
// match says so plainly.
func prefixOf(r *rule) string {
	anchored, ok := strings.CutPrefix(r.Match, "^")
	if !ok {
		return ""
	}
	re, err := regexp.Compile(anchored)
	if err != nil {
		return ""
	}
	prefix, _ := re.LiteralPrefix()
	return prefix
}

// put writes texts at their places, moved by a number of columns or fields.
func (c *canvas) put(at map[string]place, texts fields, by int) {
	for name, p := range at {
		text := texts[name]
		if text == "" {
			continue
		}
		switch p := p.(type) {
		case number:
			i := int(p) + by - 1
			for len(c.cells) <= i {
				c.cells = append(c.cells, "")
			}
			c.cells[i] = text
		case span:
			c.fixed(p, text, by)
		}
	}
}

func (c *canvas) fixed(p span, text string, by int) {
	first := p.first + by - 1
	width := len(text)
	if p.last > 0 {
		width = p.last - p.first + 1
	}
	if len(text) > width {
		c.err = fmt.Errorf("%d characters do not fit into the columns %d to %d", len(text), p.first, p.last)
		return
	}
	for len(c.bytes) < first+width {
		c.bytes = append(c.bytes, ' ')
	}
	copy(c.bytes[first:], bytes.Repeat([]byte{' '}, width))
	copy(c.bytes[first:], text)
}

func (c *canvas) text() string {
	if c.rule.Layout != "delimited" {
		return string(c.bytes)
	}
	delimiter := charsOf(c.rule.Delimiter)
	out := make([]string, len(c.cells))
	for i, cell := range c.cells {
		if q := c.rule.Quote; q != "" && (strings.Contains(cell, delimiter) || strings.Contains(cell, q)) {
			cell = q + strings.ReplaceAll(cell, q, q+q) + q
		}
		out[i] = cell
	}
	return strings.Join(out, delimiter)
}

// Tests are the codes for which the description has places of its own, none where
// any test can come.
func (s Sender) Tests() (codes []string) {
	for _, r := range s.desc.rules {
		for _, c := range r.Results {
			codes = append(codes, c.Test)
		}
	}
	return codes
}
