package astm

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Parse reads one message into a report for each order; see drivers.Kind. An
// order, result or comment that stands where LIS02-A2 5.2 does not put it is
// taken as belonging to what came before it.
func Parse(payload []byte, o drivers.ParseOptions) ([]drivers.Report, error) {
	var opts Options
	if o.Section != nil {
		if err := o.Section.Decode(&opts); err != nil {
			return nil, err
		}
	}
	rule, err := newSpecimenRule(opts)
	if err != nil {
		return nil, err
	}
	p := &parser{opts: o, comma: opts.Decimal == ",", rule: rule, delim: standard, decode: newDecoder(o.Charset)}
	for i, rec := range splitRecords(p.decode(payload)) {
		if err := p.record(i+1, rec); err != nil {
			return nil, err
		}
	}
	if !p.header {
		return nil, errNoHeader
	}
	return p.finish(), nil
}

var errNoHeader = errors.New("the first record is no H record: this is not a LIS02 message, or its beginning is missing")

// parser walks the records of one message and knows what each belongs to.
type parser struct {
	opts   drivers.ParseOptions
	comma  bool // a comma in a value is its decimal point
	rule   specimenRule
	delim  delimiters
	decode decoder

	header  bool
	base    drivers.Report // what H and P say, for every report under them
	patient record
	reports []drivers.Report
	notes   *[]drivers.Note // where a comment belongs now
	inOrder bool            // an order was seen under this patient
	ended   string          // why L.3 makes a person look
}

func (p *parser) record(n int, text string) error {
	if text[0] == 'H' {
		d, err := readDelimiters(text)
		if err != nil {
			return err
		}
		p.delim = d
	}
	r, ok := p.delim.cut(text, p.decode)
	if !ok {
		p.base.Problems = append(p.base.Problems, fmt.Sprintf("record %d is of no known type", n))
		return nil
	}
	if r.kind != 'H' && !p.header {
		return errNoHeader
	}
	switch r.kind {
	case 'H':
		p.startMessage(r)
	case 'P':
		p.startPatient(r)
	case 'O':
		p.startOrder(r)
	case 'R':
		p.result(r)
	case 'C':
		if note := readNote(r); note.Text != "" || note.Code != "" {
			*p.notes = append(*p.notes, note)
		}
	case 'Q':
		p.query(r)
	case 'L':
		p.terminator(r)
	} // M and S are the manufacturer's own: they stay in the stored bytes
	return nil
}

func (p *parser) startMessage(r record) {
	p.header = true
	base := drivers.Report{
		Purpose:   drivers.ForPatient,
		ControlID: r.text(3),
		Problems:  p.base.Problems,
		// Analyzers disagree on what follows the name in H.5 (version or serial
		// number first): only the name can be trusted.
		Sender: drivers.Sender{Name: r.component(5, 1)},
	}
	p.base = base
	p.base.Sent = p.time(r, 14)
	switch id := strings.ToUpper(r.component(12, 1)); id {
	case "Q":
		p.purpose(drivers.ForQC, "H.12 = Q")
	case "T":
		p.purpose(drivers.ForTraining, "H.12 = T")
	case "D":
		p.purpose(drivers.ForDebugging, "H.12 = D")
	}
	p.patient, p.inOrder, p.notes = record{}, false, &p.base.Notes
}

func (p *parser) purpose(to drivers.Purpose, reason string) {
	p.base.Purpose, p.base.PurposeReason = to, reason
}

func (p *parser) startPatient(r record) {
	p.patient, p.inOrder = r, false
	p.base.Patient = drivers.Patient{
		PracticeID:   r.text(3),
		LaboratoryID: r.text(4),
		OtherID:      r.text(5),
		Name:         r.text(6),
		Birth:        p.time(r, 8),
		Sex:          r.text(9),
	}
	p.base.Notes = nil
	p.notes = &p.base.Notes
}

// startOrder begins a report.
func (p *parser) startOrder(r record) {
	id, hold := p.rule.find(p.patient, r)
	rep := p.newReport()
	if given := p.opts.Specimens[rep.Index]; given != "" && hold != "" {
		id, hold = given, ""
	}
	rep.Hold = hold
	rep.Specimen = drivers.Specimen{
		ID:           id,
		InstrumentID: r.text(4),
		Type:         r.component(16, 1),
		Source:       r.component(16, 2),
		Collected:    p.timeIn(rep, r, 8),
		Received:     p.timeIn(rep, r, 15),
	}
	rep.Order = drivers.Order{
		Priority:  r.text(6),
		Action:    r.text(12),
		StatusRaw: r.text(26),
		Status:    orderStatus(r.text(26)),
		Requested: p.timeIn(rep, r, 7),
		Reported:  p.timeIn(rep, r, 23),
	}
	if r.field(5) != "" {
		for _, test := range r.repeats(5) {
			rep.Order.Tests = append(rep.Order.Tests, testCode(r.components(test)))
		}
	}
	if rep.Purpose == drivers.ForPatient {
		switch {
		case hasRepeat(r, 12, "Q"):
			rep.Purpose, rep.PurposeReason = drivers.ForQC, "O.12 = Q"
		case p.rule.control(id, r):
			rep.Purpose, rep.PurposeReason = drivers.ForQC, "the specimen id is one of a control"
		}
	}
	p.inOrder, p.notes = true, &rep.Notes
}

// newReport appends a report that inherits what H and P said.
func (p *parser) newReport() *drivers.Report {
	rep := p.base
	rep.Index = len(p.reports)
	rep.Notes = append([]drivers.Note(nil), p.base.Notes...)
	rep.Problems = nil
	p.reports = append(p.reports, rep)
	return &p.reports[len(p.reports)-1]
}

func (p *parser) result(r record) {
	if !p.inOrder { // a result without an order: nothing says of which specimen
		p.startOrder(record{delim: r.delim, decode: r.decode, kind: 'O', fields: []string{"O"}})
	}
	rep := &p.reports[len(p.reports)-1]
	res := drivers.Result{
		Index:      len(rep.Results),
		Test:       testCode(r.components(r.repeats(3)[0])),
		Value:      p.value(r),
		Unit:       r.text(5),
		StatusRaw:  r.text(9),
		Operator:   r.component(11, 1),
		Verifier:   r.component(11, 2),
		Instrument: r.text(14),
		Started:    p.timeIn(rep, r, 12),
		Completed:  p.timeIn(rep, r, 13),
	}
	for _, rng := range r.repeats(6) {
		if s := readRange(r, rng); s != "" {
			res.Range = append(res.Range, s)
		}
	}
	for _, flag := range r.repeats(7) {
		if s := r.clean(flag); s != "" {
			res.Flags = append(res.Flags, s)
		}
	}
	if !setStatus(&res, p.opts.DefaultStatus) {
		rep.Problems = append(rep.Problems, fmt.Sprintf("R.9 of result %d is of no known status", res.Index+1))
	}
	if res.Test.Code == "" {
		rep.Hold = or(rep.Hold, fmt.Sprintf("result %d has no test code in R.3", res.Index+1))
	}
	rep.Results = append(rep.Results, res)
	p.notes = &rep.Results[res.Index].Notes
}

func (p *parser) query(r record) {
	rep := p.newReport()
	rep.Purpose, rep.PurposeReason = drivers.ForQuery, "Q record"
	if code := strings.ToUpper(r.text(13)); code == "A" {
		rep.PurposeReason = "Q record, Q.13 = A (abort)"
	}
	p.inOrder, p.notes = false, &rep.Notes
}

// terminator reads L.3 (LIS02-A2 section 12).
func (p *parser) terminator(r record) {
	p.notes = &p.base.Notes
	switch code := strings.ToUpper(r.component(3, 1)); code {
	case "", "N", "F", "I":
	default:
		meaning := map[string]string{"T": "sender aborted", "R": "receiver aborted", "E": "unknown error", "Q": "error in the last request"}
		p.ended = "the analyzer ended the message with L.3 = " + or(meaning[code], "an unknown code")
	}
}

// finish returns the reports. A message with none is one report that says so.
func (p *parser) finish() []drivers.Report {
	if len(p.reports) == 0 {
		rep := p.newReport()
		if rep.Purpose == drivers.ForPatient {
			rep.Purpose, rep.PurposeReason = drivers.ForNothing, "no order, result or query record"
		}
	}
	p.reports[0].Problems = append(p.reports[0].Problems, p.base.Problems...)
	if p.ended != "" {
		for i := range p.reports {
			p.reports[i].Hold = or(p.reports[i].Hold, p.ended)
		}
	}
	return p.reports
}

// time reads a time field that belongs to the whole message.
func (p *parser) time(r record, n int) drivers.Time { return p.timeIn(&p.base, r, n) }

// timeIn reads a time field; what is none becomes a problem of rep.
func (p *parser) timeIn(rep *drivers.Report, r record, n int) drivers.Time {
	t, ok := drivers.ParseTime(r.component(n, 1), p.location())
	if !ok {
		where := fmt.Sprintf("%c.%d", r.kind, n)
		if r.kind == 'R' {
			where += fmt.Sprintf(" of result %d", len(rep.Results)+1)
		}
		rep.Problems = append(rep.Problems, where+" is not a time")
	}
	return t
}

func (p *parser) location() *time.Location {
	if p.opts.Location == nil {
		return time.UTC
	}
	return p.opts.Location
}

func readNote(r record) drivers.Note {
	n := drivers.Note{Source: r.text(3)}
	parts := r.components(r.field(4))
	if len(parts) > 1 {
		n.Code, n.Text = parts[0], strings.TrimRight(strings.Join(parts[1:], string(rune(r.delim.component))), string(rune(r.delim.component)))
	} else {
		n.Text = parts[0]
	}
	return n
}

// readRange reads one repetition of R.6. Yumizen H500 says in a second component
// that it is one: "0.15 - 0.40^REFERENCE_RANGE".
func readRange(r record, rep string) string {
	parts := r.components(rep)
	if len(parts) == 2 && parts[1] == "REFERENCE_RANGE" {
		return parts[0]
	}
	return r.clean(rep)
}

// value reads R.4. A value of several components, such as the index with
// its qualitative reading "-1^0.282" (cobas e 411), is text: which of them is
// the value is the model's own affair.
func (p *parser) value(r record) drivers.Value {
	c := string(rune(r.delim.component))
	v := drivers.ParseValue(strings.TrimSpace(strings.TrimRight(r.text(4), c)))
	if p.comma {
		return v.WithComma()
	}
	return v
}

func hasRepeat(r record, n int, want string) bool {
	for _, s := range r.repeats(n) {
		if strings.EqualFold(r.clean(s), want) {
			return true
		}
	}
	return false
}
