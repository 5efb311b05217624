package text

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/labcourier/labcourier/drivers"
)

// Parse reads one message into reports; see drivers.Kind. A record that names
// another specimen begins another report. Results of records that name none
// belong to the specimen named last.
func Parse(payload []byte, o drivers.ParseOptions) ([]drivers.Report, error) {
	section := o.Section
	if section == nil {
		section = drivers.NoSection{}
	}
	parse, err := Compile(section)
	if err != nil {
		return nil, err
	}
	return parse(payload, o)
}

// Compile reads a description once, for any number of messages; see drivers.Kind.
func Compile(s drivers.Section) (drivers.ParseFunc, error) {
	var opts Options
	if err := s.Decode(&opts); err != nil {
		return nil, err
	}
	d, err := describe(opts)
	if err != nil {
		return nil, err
	}
	return d.parse, nil
}

func (d *description) parse(payload []byte, o drivers.ParseOptions) ([]drivers.Report, error) {
	p := &parser{description: d, opts: o, base: drivers.Report{Purpose: drivers.ForPatient}, baseContext: fields{}}
	p.context = p.baseContext
	payload, charset, err := unmark(payload, o.Charset)
	if err != nil {
		return nil, err
	}
	decode := newDecoder(charset, payload)
	records := d.cut(payload, decode)
	if len(records) == 0 {
		return nil, errors.New("the message is empty")
	}
	if d.rules[0].Layout == "xml" {
		if _, err := readXML(payload, decode); err != nil {
			return nil, err
		}
	}
	unread := 0
	for i, rec := range records {
		if !p.record(i+1, rec) {
			unread++
		}
	}
	if unread == len(records) {
		return nil, errors.New("no rule reads any record of it: compare the rules under record with a captured message")
	}
	if unread > 0 {
		p.base.Problems = append(p.base.Problems, fmt.Sprintf("%d of %d records are read by no rule", unread, len(records)))
	}
	return p.finish(), nil
}

// parser walks the records of one message.
type parser struct {
	*description
	opts    drivers.ParseOptions
	base    drivers.Report // what stood before the first specimen
	reports []drivers.Report

	baseContext fields // date, time, operator and instrument of base
	context     fields // and those that hold now
	twice       bool   // OneReport, and two specimens
	shared      []shared
}

// record applies the first rule that reads rec. Blank records need none.
func (p *parser) record(n int, rec record) bool {
	if strings.TrimSpace(rec.text) == "" {
		return true
	}
	for _, r := range p.rules {
		if r.match != nil && !r.match.MatchString(rec.text) {
			continue
		}
		if r.layout == nil {
			return true
		}
		readings, ok := r.layout.read(rec)
		if !ok {
			continue
		}
		for _, reading := range readings {
			p.take(n, r, reading)
		}
		return true
	}
	return false
}

// take adds what one reading holds.
func (p *parser) take(n int, r *rule, reading reading) {
	own := reading.own
	for name, text := range r.Set {
		if own[name] == "" {
			own[name] = text
		}
	}
	if r.Begins || own[fSpecimen] != "" {
		p.begin(own[fSpecimen], r.Begins)
	}
	rep := p.now()
	if r.purpose != "" && r.purpose != drivers.ForPatient {
		rep = p.current()
		rep.Purpose, rep.PurposeReason = r.purpose, fmt.Sprintf("record %d is read by a rule with purpose %q", n, r.purpose)
	}
	p.describeReport(rep, own)
	for _, name := range []string{fDate, fTime, fOperator, fInstrument} {
		if own[name] != "" {
			p.context[name] = own[name]
			p.fill(name, own[name])
		}
	}
	for _, m := range reading.results {
		p.result(n, own, m)
	}
}

// begin makes sure that what follows belongs to the report of that specimen.
func (p *parser) begin(specimen string, always bool) {
	if len(p.reports) > 0 {
		rep := &p.reports[len(p.reports)-1]
		same := specimen != "" && rep.Specimen.ID == specimen
		fresh := rep.Specimen.ID == "" && len(rep.Results) == 0
		switch {
		case p.OneReport:
			p.twice = p.twice || specimen != "" && rep.Specimen.ID != "" && !same
			return
		case always && !fresh, !always && !same && !fresh:
		default:
			return
		}
	}
	p.newReport()
}

// now is the report that fields belong to.
func (p *parser) now() *drivers.Report {
	if len(p.reports) == 0 {
		return &p.base
	}
	return &p.reports[len(p.reports)-1]
}

// current is now as a report of its own.
func (p *parser) current() *drivers.Report {
	if len(p.reports) == 0 {
		p.newReport()
	}
	return p.now()
}

func (p *parser) newReport() {
	rep := p.base
	rep.Index = len(p.reports)
	rep.Notes = slices.Clone(p.base.Notes)
	rep.Order.Tests = slices.Clone(p.base.Order.Tests)
	rep.Problems = nil
	p.context = maps.Clone(p.baseContext)
	p.reports = append(p.reports, rep)
}

// result adds a result. One without a value of its own belongs to the result of
// the same test that is there already: its range, its flag.
func (p *parser) result(n int, own fields, m measured) {
	get := func(name string) string {
		return or(m.fields[name], or(own[name], p.context[name]))
	}
	_, hasValue := m.fields[fValue]
	if !hasValue && own[fValue] == "" {
		p.amend(n, m.fields)
		return
	}
	rep := p.current()
	res := drivers.Result{
		Index:     len(rep.Results),
		Test:      drivers.Code{Code: get(fTest), Text: get(fName)},
		Value:     p.value(get(fValue), m.decimals),
		StatusRaw: get(fStatus),
		Verifier:  get(fVerifier),
		Method:    get(fMethod),
	}
	p.shared = append(p.shared, shared{rep.Index, res.Index, get(fDate), get(fTime), get(fOperator), get(fInstrument)})
	p.status(rep, &res)
	attach(&res, get)
	if res.Test.Code == "" {
		rep.Hold = or(rep.Hold, fmt.Sprintf("result %d has no test code in record %d", res.Index+1, n))
	}
	rep.Results = append(rep.Results, res)
}

func knownStatus(s string) bool { return slices.Contains(statusNames(), s) }

// finish judges the specimen ids and returns the reports. A message without
// results is one report that says so.
func (p *parser) finish() []drivers.Report {
	if len(p.reports) == 0 {
		p.newReport()
	}
	p.share()
	p.reports[0].Problems = append(p.reports[0].Problems, p.base.Problems...)
	for i := range p.reports {
		rep := &p.reports[i]
		if rep.Purpose == drivers.ForPatient && p.control(rep.Specimen) {
			rep.Purpose, rep.PurposeReason = drivers.ForQC, "the specimen id is one of a control"
		}
		if len(rep.Results) == 0 && rep.Purpose == drivers.ForPatient {
			rep.Purpose, rep.PurposeReason = drivers.ForNothing, "no rule found a result in it"
		}
		switch {
		case rep.Purpose != drivers.ForPatient:
		case p.twice:
			rep.Hold = or(rep.Hold, "the message names more than one specimen, but one_report says that it holds one")
		case p.opts.Specimens[rep.Index] != "" && !p.isID(rep.Specimen.ID):
			rep.Specimen.ID = p.opts.Specimens[rep.Index]
		case rep.Specimen.ID == "":
			rep.Hold = or(rep.Hold, "no specimen id in the fields named specimen")
		case !p.isID(rep.Specimen.ID):
			rep.Hold = or(rep.Hold, "what stands in the field specimen is not a specimen id: the barcode was not read, or something else was typed")
		}
	}
	return p.reports
}

func (d *description) isID(s string) bool {
	if d.id != nil {
		return d.id.MatchString(s)
	}
	return looksLikeID(s)
}

// looksLikeID: an id has no blank in it; what has one is a name that somebody
// typed, or a place in a rack that stands for a barcode that was not read.
func looksLikeID(s string) bool {
	return s[0] != '@' && len(s) <= 64 && strings.IndexFunc(s, func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsPrint(c)
	}) < 0
}

// control reports whether an id is one of a control material.
func (d *description) control(s drivers.Specimen) bool {
	for _, prefix := range d.QCPrefixes {
		if prefix != "" && (strings.HasPrefix(s.ID, prefix) || strings.HasPrefix(s.InstrumentID, prefix)) {
			return true
		}
	}
	return false
}
