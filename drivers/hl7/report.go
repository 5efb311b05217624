package hl7

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"github.com/labcourier/labcourier/drivers"
)

var errNotHL7 = errors.New("this is not an HL7 version 2 message, or its beginning is missing")

// Parse reads a payload into a report for each order (OBR); see drivers.Kind.
// Segments are taken where they stand, whatever structure MSH-9 names: an OBX
// without an OBR makes a report of its own.
func Parse(payload []byte, o drivers.ParseOptions) ([]drivers.Report, error) {
	var options Options
	if o.Section != nil {
		if err := o.Section.Decode(&options); err != nil {
			return nil, err
		}
	}
	rule, err := newSpecimenRule(options)
	if err != nil {
		return nil, err
	}
	var reports []drivers.Report
	err = errNotHL7
	for _, m := range cutMessages(payload) {
		p := &parser{opts: o, options: options, rule: rule, first: len(reports)}
		if merr := p.message(m); merr != nil {
			err = fmt.Errorf("%w: %w", errNotHL7, merr)
			continue
		}
		reports = append(reports, p.reports...)
	}
	if len(reports) == 0 {
		return nil, err
	}
	return reports, nil
}

// parser walks the segments of one message and knows what each belongs to.
type parser struct {
	opts    drivers.ParseOptions
	options Options
	rule    specimenRule
	first   int // index of the message's first report

	d      delimiters
	decode func([]byte) string
	kind   string // MSH-9.1
	law    bool   // IHE LAW, LAB-29

	base    drivers.Report // what MSH and PID say, for every report under them
	reports []drivers.Report
	groups  []group // of each report; obr.name is "" without an order
	next    group   // what the next order begins with
	inOrder bool
	side    side // of SPM and SAC
	spms    int

	notes    *[]drivers.Note // where a NTE belongs now
	observed drivers.Time    // OBR-7
	answer   bool            // MSA was seen
	lastOBX  int             // fields of the last segment, if that is an OBX
	fullOBX  int             // fields of the longest OBX
}

// side is where SPM and SAC stand with regard to the OBR that they belong to.
type side uint8

const (
	unknownSide side = iota
	before           // OUL^R22: one specimen, then its orders
	after            // ORU, OUL^R24: one order, then its specimen
)

func (p *parser) message(raw []byte) error {
	h, err := readHeader(raw)
	if err != nil {
		return err
	}
	text := p.text(raw, h)
	begin := headerAt(text)
	if begin < 0 {
		return errNoMSH
	}
	if p.d, err = readDelimiters(text[begin:]); err != nil {
		return err
	}
	if strings.TrimSpace(text[:begin]) != "" {
		p.problem(&p.base, "there is text before the MSH segment")
	}
	for i, line := range splitSegments(text[begin:], p.d.field) {
		seg, ok := cutSegment(&p.d, p.decode, line)
		p.lastOBX = 0
		if !ok {
			p.problem(&p.base, "line %d is no segment", i+1)
			continue
		}
		p.segment(seg)
	}
	p.finish(strings.HasSuffix(text, "\r") || strings.HasSuffix(text, "\n"))
	return nil
}

// headerAt finds the line that begins with MSH.
func headerAt(text string) int {
	for off := 0; off >= 0 && off < len(text); {
		if rest := text[off:]; strings.HasPrefix(rest, "MSH") && len(rest) > 3 && !isAlphanumeric(rest[3]) {
			return off
		}
		i := strings.IndexAny(text[off:], "\r\n")
		if i < 0 {
			break
		}
		off += i + 1
	}
	return -1
}

// text decodes the whole message: only then can it be cut, since a byte of a
// character may look like a delimiter.
func (p *parser) text(raw []byte, h header) string {
	site := p.opts.Charset
	cs := readCharset(h.component(18, 1))
	if p.options.CharsetFrom == "site" {
		cs = charset{known: true}
	}
	if site == nil && cs.enc == nil && h.enc != nil {
		site = h.enc // the only one in which the header can be read
	}
	switch {
	case !cs.known:
		p.problem(&p.base, "MSH-18 names no character set that is known: the site's is used")
	case cs.enc == unicode.UTF8 && !utf8.Valid(raw):
		p.problem(&p.base, "the text is not UTF-8 although MSH-18 says so: the site's character set is used")
	}
	p.decode = cs.decoder(site)
	text := p.decode(raw)
	if strings.Contains(text, "\uFFFD") && !strings.Contains(string(raw), "\uFFFD") {
		p.problem(&p.base, "some of the text means nothing in its character set")
	}
	return text
}

// segment takes one segment. Those that are not named here (INV, TCD, SID, PV1
// and others) stay in the stored bytes.
func (p *parser) segment(s segment) {
	switch s.name {
	case "MSH":
		p.startMessage(s)
	case "PID":
		p.startPatient(s)
	case "ORC":
		if p.kind == "OUL" && p.inOrder { // there it follows its OBR
			p.groups[len(p.groups)-1].orc = s
			break
		}
		p.next.orc = s
	case "OBR":
		p.startOrder(s)
	case "TQ1":
		if p.inOrder {
			rep := p.open()
			rep.Order.Priority = or(rep.Order.Priority, s.component(9, 1))
		}
	case "SPM":
		p.spms++
		p.specimen(s, func(g *group) *segment { return &g.spm })
	case "SAC":
		p.specimen(s, func(g *group) *segment { return &g.sac })
	case "OBX":
		p.results(s)
	case "NTE":
		if text := joinLines(s, s.repeats(3)); text != "" {
			*p.notes = append(*p.notes, drivers.Note{Source: s.component(2, 1), Text: text})
		}
	case "QPD", "QRD":
		if p.answer { // the question is repeated in its answer
			break
		}
		rep := p.newReport(group{})
		rep.Purpose, rep.PurposeReason = drivers.ForQuery, s.name+" segment"
		p.inOrder = false
	case "MSA":
		p.answer = true
	}
}

func (p *parser) startMessage(s segment) {
	p.kind, _, _ = strings.Cut(strings.ToUpper(s.component(9, 1)), "_")
	p.law = strings.HasPrefix(s.component(21, 1), "LAB-29")
	p.base.Purpose = drivers.ForPatient
	p.base.ControlID = s.text(10)
	p.base.Sent = p.time(&p.base, s, 7)
	p.base.Sender.Name = or(s.component(3, 1), s.component(4, 1))
	switch id := strings.ToUpper(s.component(11, 1)); id {
	case "T":
		p.purpose(drivers.ForTraining, "MSH-11 = T")
	case "D":
		p.purpose(drivers.ForDebugging, "MSH-11 = D")
	case "Q":
		p.purpose(drivers.ForQC, "MSH-11 = Q")
	}
	switch s.text(16) { // Mindray's use of the field
	case "1":
		p.purpose(drivers.ForCalibration, "MSH-16 = 1")
	case "2":
		p.purpose(drivers.ForQC, "MSH-16 = 2")
	}
	p.notes = &p.base.Notes
}

func (p *parser) purpose(to drivers.Purpose, reason string) {
	p.base.Purpose, p.base.PurposeReason = to, reason
}

func (p *parser) startPatient(s segment) {
	p.base.Patient = drivers.Patient{
		PracticeID:   s.component(2, 1),
		LaboratoryID: s.component(3, 1),
		OtherID:      s.component(4, 1),
		Name:         s.text(5),
		Birth:        p.time(&p.base, s, 7),
		Sex:          s.component(8, 1),
	}
	p.next, p.inOrder = group{pid: s}, false
	p.base.Notes = nil
	p.notes = &p.base.Notes
}

// startOrder begins a report.
func (p *parser) startOrder(s segment) {
	g := p.next
	g.obr = s
	p.next.orc = segment{}
	rep := p.newReport(g)
	p.inOrder = true
	p.observed = p.time(rep, s, 7)
	rep.Order = drivers.Order{
		Priority:  s.component(5, 1),
		Action:    s.component(11, 1),
		StatusRaw: s.component(25, 1),
		Status:    orderStatus(s.component(25, 1)),
		Requested: p.time(rep, s, 6),
		Reported:  p.time(rep, s, 22),
		Observed:  p.observed,
		Until:     p.time(rep, s, 8),
	}
	for _, test := range s.repeats(4) {
		if c := readCode(s.components(test)); c.Code != "" || c.Text != "" {
			c.Code = or(c.Code, c.Text)
			rep.Order.Tests = append(rep.Order.Tests, c)
		}
	}
}

// specimen takes a SPM or SAC segment: for the orders that follow, or for the
// one before it, as the first of the message stands.
func (p *parser) specimen(s segment, slot func(*group) *segment) {
	if p.side == unknownSide {
		switch {
		case p.options.SPM == "before", p.options.SPM != "after" && !p.inOrder:
			p.side = before
		default:
			p.side = after
		}
	}
	if p.side == after && len(p.groups) > 0 {
		g, rep := &p.groups[len(p.groups)-1], &p.reports[len(p.reports)-1]
		if at := slot(g); at.name == "" {
			*at = s
		} else if s.name == "SPM" {
			rep.Hold = or(rep.Hold, "the order has several SPM segments")
		}
		p.notes = &rep.Notes
		return
	}
	if s.name == "SPM" {
		p.next.sac = segment{} // it was the container of another specimen
	}
	*slot(&p.next) = s
	p.inOrder = false
	p.notes = &[]drivers.Note{} // on the specimen: kept in the stored bytes
}

// open returns the report that results go to now.
func (p *parser) open() *drivers.Report {
	if !p.inOrder {
		p.newReport(p.next)
		p.inOrder, p.observed = true, drivers.Time{}
	}
	return &p.reports[len(p.reports)-1]
}

// newReport appends a report that inherits what MSH and PID said.
func (p *parser) newReport(g group) *drivers.Report {
	rep := p.base
	rep.Index = p.first + len(p.reports)
	rep.Notes = append([]drivers.Note(nil), p.base.Notes...)
	rep.Problems = nil
	p.reports, p.groups = append(p.reports, rep), append(p.groups, g)
	last := &p.reports[len(p.reports)-1]
	p.notes = &last.Notes
	return last
}

// finish settles what only the whole message tells. Terminated says that its last
// segment is.
func (p *parser) finish(terminated bool) {
	if len(p.reports) == 0 {
		rep := p.newReport(group{})
		rep.Purpose, rep.PurposeReason = drivers.ForNothing, "no OBR, OBX or query segment"
		if p.answer {
			rep.PurposeReason = "an acknowledgement, or the answer to a query"
		}
	}
	for i := range p.reports {
		if rep := &p.reports[i]; rep.Purpose != drivers.ForQuery && rep.Purpose != drivers.ForNothing {
			p.settle(rep, p.groups[i])
		}
	}
	last := &p.reports[len(p.reports)-1]
	if !terminated && p.lastOBX > 0 && p.lastOBX <= 11 && p.fullOBX > 11 && last.Purpose == drivers.ForPatient {
		// A middleware was seen that cut messages at 1023 bytes.
		last.Hold = "the message seems to be cut off in its last OBX segment"
	}
	p.reports[0].Problems = append(p.base.Problems, p.reports[0].Problems...)
}

// settle says of which specimen a report is, and what it is for.
func (p *parser) settle(rep *drivers.Report, g group) {
	id, hold := p.rule.find(g, p.spms > 0 && g.spm.name == "")
	if given := p.opts.Specimens[rep.Index]; given != "" && hold != "" {
		id, hold = given, ""
	}
	rep.Specimen = drivers.Specimen{
		ID:        id,
		Type:      or(g.spm.named(g.spm.repeats(4)[0]), g.obr.sub(15, 1)),
		Source:    g.spm.named(g.spm.repeats(8)[0]),
		Collected: p.time(rep, g.spm, 17),
		Received:  p.time(rep, g.spm, 18),
	}
	if filler := g.spm.sub(2, 2); filler != id {
		rep.Specimen.InstrumentID = filler
	}
	if rep.Specimen.Received.Text == "" {
		rep.Specimen.Received = p.time(rep, g.obr, 14)
	}
	rep.Order.Placer, rep.Order.Filler = g.orderNumbers(id)
	to, reason, unsure := p.rule.purpose(g, id)
	if rep.Purpose == drivers.ForPatient {
		rep.Purpose, rep.PurposeReason = to, reason
	}
	rep.Hold = or(rep.Hold, or(unsure, hold))
	if rep.Purpose != drivers.ForPatient {
		rep.Hold = "" // nothing of it goes to a patient anyway
	}
}

// time reads a time field; what is none becomes a problem of rep.
func (p *parser) time(rep *drivers.Report, s segment, n int) drivers.Time {
	t, ok := drivers.ParseTime(s.component(n, 1), p.opts.Location)
	if !ok {
		where := ""
		if s.name == "OBX" {
			where = fmt.Sprintf(" of result %d", len(rep.Results)+1)
		}
		p.problem(rep, "%s-%d%s is not a time", s.name, n, where)
	}
	return t
}

func (p *parser) problem(rep *drivers.Report, format string, args ...any) {
	rep.Problems = append(rep.Problems, fmt.Sprintf(format, args...))
}
