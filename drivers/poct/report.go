package poct

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/labcourier/labcourier/drivers"
)

// Parse reads one message into a report for each of its services (SVC); see
// drivers.Kind.
func Parse(payload []byte, o drivers.ParseOptions) ([]drivers.Report, error) {
	var opts Options
	if o.Section != nil {
		if err := o.Section.Decode(&opts); err != nil {
			return nil, err
		}
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	p := &parser{Options: opts, opts: o}
	if opts.SpecimenPattern != "" {
		p.id = regexp.MustCompile(opts.SpecimenPattern) // validated
	}
	if p.QCPrefixes == nil {
		p.QCPrefixes = []string{"QC-"}
	}
	device, document := cutIdentity(payload)
	p.device = sender(device, o.Charset)
	root, err := readDocument(document, o.Charset)
	if err != nil {
		return nil, err
	}
	return p.message(root)
}

// parser reads one message.
type parser struct {
	Options
	opts    drivers.ParseOptions
	id      *regexp.Regexp // nil: looksLikeID
	device  drivers.Sender // as HEL named it
	root    *element
	reports []drivers.Report
}

func (p *parser) message(root *element) ([]drivers.Report, error) {
	p.root = root
	services := root.all("SVC")
	switch {
	case kindOf(root.name) == "EVS":
		rep := p.newReport()
		rep.Purpose, rep.PurposeReason = drivers.ForNothing, "EVS: an event of the device, not a result"
		return p.reports, nil
	case kindOf(root.name) != "OBS":
		return nil, errors.New("it is no POCT1-A2 message with results (OBS)")
	}
	for _, svc := range services {
		subjects := append(svc.all("PT"), svc.all("CTC")...)
		if len(svc.all("OBS")) > 0 || len(subjects) == 0 {
			subjects = append(subjects, svc) // results outside of both
		}
		for _, subject := range subjects {
			p.service(svc, subject)
		}
	}
	if len(p.reports) == 0 {
		rep := p.newReport()
		rep.Purpose, rep.PurposeReason = drivers.ForNothing, "no SVC in the message"
	}
	return p.reports, nil
}

// newReport appends a report with what holds for the whole message.
func (p *parser) newReport() *drivers.Report {
	p.reports = append(p.reports, drivers.Report{Index: len(p.reports), Purpose: drivers.ForPatient})
	rep := &p.reports[len(p.reports)-1]
	hdr := p.root.child("HDR")
	rep.ControlID = hdr.value("HDR.control_id")
	rep.Sent = p.time(rep, hdr, "HDR.creation_dttm")
	rep.Sender = drivers.Sender{
		Manufacturer: or(p.Manufacturer, p.device.Manufacturer),
		Model:        or(p.Model, p.device.Model),
		Serial:       or(p.Serial, p.device.Serial),
	}
	return rep
}

// service reads what one service found in one subject: a patient or a control.
func (p *parser) service(svc, subject *element) {
	rep := p.newReport()
	spc, ord := svc.child("SPC"), svc.child("ORD")
	if subject.name == "PT" {
		rep.Patient = drivers.Patient{
			LaboratoryID: subject.value("PT.patient_id"),
			Name:         subject.child("PT.name").text(),
			Sex:          subject.value("PT.gender_cd"),
			Birth:        p.time(rep, subject, "PT.birth_date"),
		}
	}
	rep.Specimen = drivers.Specimen{
		ID:           p.specimen(svc, subject),
		InstrumentID: svc.value("SVC.sequence_nbr"),
		Type:         spc.value("SPC.type_cd"),
		Source:       spc.value("SPC.source_cd"),
		Collected:    p.time(rep, spc, "SPC.specimen_dttm"),
	}
	if c := code(ord.child("ORD.universal_service_id")); c.Code != "" {
		rep.Order.Tests = []drivers.Code{c}
	}
	rep.Notes = notes(svc)
	if subject != svc {
		rep.Notes = append(rep.Notes, notes(subject)...)
	}
	if subject.name == "CTC" {
		for _, name := range []string{"CTC.name", "CTC.lot_number", "CTC.level_cd"} {
			if text := subject.child(name).text(); text != "" {
				rep.Notes = append(rep.Notes, drivers.Note{Source: "I", Code: name, Text: text})
			}
		}
	}
	p.purpose(rep, svc, subject)
	for _, obs := range subject.all("OBS") {
		p.observation(rep, svc, obs)
	}
	p.judge(rep, svc)
}

// purpose tells results of patients from all others, by the role of the service
// and by the kind of the message: some devices send controls in OBS.R02 with the
// role of a patient's result (Sofia).
func (p *parser) purpose(rep *drivers.Report, svc, subject *element) {
	role := strings.ToUpper(svc.value("SVC.role_cd"))
	to := func(purpose drivers.Purpose, reason string) { rep.Purpose, rep.PurposeReason = purpose, reason }
	switch role {
	case "LQC", "EQC", "PRF": // liquid control, electronic control, proficiency test
		to(drivers.ForQC, "SVC.role_cd = "+role)
	case "CVR", "CAL": // verification of a calibration, calibration
		to(drivers.ForCalibration, "SVC.role_cd = "+role)
	case "OBS":
		switch {
		case p.root.name == "OBS.R02":
			to(drivers.ForQC, "OBS.R02: not of a patient")
		case subject.name == "CTC":
			to(drivers.ForQC, "the subject is a control (CTC)")
		}
	case "":
		rep.Hold = "SVC.role_cd is missing: nothing says whether it is about a patient"
	default:
		rep.Hold = "SVC.role_cd is of no known role"
	}
}

// specimen returns what stands in the element that SpecimenID names.
func (p *parser) specimen(svc, subject *element) string {
	name := or(p.SpecimenID, defaultSpecimenID)
	object, _, _ := strings.Cut(name, ".")
	if subject.name == object {
		return subject.child(name).text()
	}
	if object == svc.name {
		return svc.child(name).text()
	}
	return svc.child(object).child(name).text()
}

// judge says what a person has to look at first.
func (p *parser) judge(rep *drivers.Report, svc *element) {
	for _, prefix := range p.QCPrefixes {
		if rep.Purpose == drivers.ForPatient && prefix != "" && strings.HasPrefix(rep.Specimen.ID, prefix) {
			rep.Purpose, rep.PurposeReason = drivers.ForQC, "the specimen id is one of a control"
		}
	}
	if len(rep.Results) == 0 && rep.Purpose == drivers.ForPatient {
		rep.Purpose, rep.PurposeReason = drivers.ForNothing, "no OBS in the service"
	}
	if rep.Purpose != drivers.ForPatient {
		return
	}
	name := or(p.SpecimenID, defaultSpecimenID)
	bad := rep.Specimen.ID == "" || p.id != nil && !p.id.MatchString(rep.Specimen.ID) || p.id == nil && !looksLikeID(rep.Specimen.ID)
	given := p.opts.Specimens[rep.Index]
	switch id := rep.Specimen.ID; {
	case bad && given != "":
		rep.Specimen.ID = given
	case id == "" && p.SpecimenID == "":
		rep.Hold = or(rep.Hold, `no specimen id in ORD.order_id (if the device has none but the patient's: poct = { specimen_id = "PT.patient_id" })`)
	case id == "":
		rep.Hold = or(rep.Hold, "no specimen id in "+name)
	case bad:
		rep.Hold = or(rep.Hold, "what stands in "+name+" is not a specimen id: the barcode was not read, or something else was typed")
	}
	switch status := strings.ToUpper(svc.value("SVC.status_cd")); status {
	case "", "NRM":
	case "OVR":
		rep.Notes = append(rep.Notes, drivers.Note{Source: "I", Code: "SVC.status_cd", Text: status})
	default:
		rep.Notes = append(rep.Notes, drivers.Note{Source: "I", Code: "SVC.status_cd", Text: status})
		rep.Problems = append(rep.Problems, "SVC.status_cd is of no known status")
	}
}

// observation reads one result.
func (p *parser) observation(rep *drivers.Report, svc, obs *element) {
	res := drivers.Result{
		Index:     len(rep.Results),
		Test:      code(obs.child("OBS.observation_id")),
		Operator:  svc.child("OPR").value("OPR.operator_id"),
		Method:    method(obs.value("OBS.method_cd")),
		StatusRaw: obs.value("OBS.status_cd"),
		Notes:     notes(obs),
		Status:    p.opts.DefaultStatus,
	}
	if res.Status == "" {
		res.Status = drivers.StatusPreliminary
	}
	res.Completed = p.time(rep, svc, "SVC.observation_dttm")
	res.Value, res.Unit = value(obs)
	for _, name := range []string{"OBS.normal_lo-hi_limit", "OBS.normal_limits"} {
		if text := obs.value(name); text != "" {
			res.Range = append(res.Range, limits(text))
		}
	}
	for _, name := range []string{"OBS.interpretation_cd", "OBS.interpretation", "OBS.normal_flag"} {
		if text := obs.value(name); text != "" {
			res.Flags = append(res.Flags, text)
		}
	}
	p.status(rep, svc, &res)
	if res.Test.Code == "" {
		rep.Hold = or(rep.Hold, fmt.Sprintf("result %d has no test code in OBS.observation_id", res.Index+1))
	}
	for _, rgt := range svc.all("RGT") {
		if lot := rgt.value("RGT.lot_number"); lot != "" {
			res.Notes = append(res.Notes, drivers.Note{Source: "I", Code: "RGT.lot_number", Text: lot})
		}
	}
	rep.Results = append(rep.Results, res)
}

// status reads why the result is sent, and whether the operator accepted it.
func (p *parser) status(rep *drivers.Report, svc *element, res *drivers.Result) {
	switch strings.ToUpper(svc.value("SVC.reason_cd")) {
	case "RES": // sent before
		res.Previous = true
	case "EDT": // edited since
		res.Status = drivers.StatusCorrected
	}
	switch strings.ToUpper(res.StatusRaw) {
	case "", "A":
	default:
		res.Doubtful = true
		rep.Hold = or(rep.Hold, fmt.Sprintf("result %d was not accepted at the device: OBS.status_cd is not A", res.Index+1))
	}
}

// value reads a quantity with its unit, or what is said in words.
func value(obs *element) (drivers.Value, string) {
	if q := obs.child("OBS.value"); q != nil {
		return drivers.ParseValue(q.text()), q.attr("U")
	}
	q := obs.child("OBS.qualitative_value")
	if q == nil {
		return drivers.Value{Absent: "unknown"}, ""
	}
	val := drivers.ParseValue(q.text())
	if c := code(q); val.Absent == "" && c.System != "" {
		val.Code = &c
	}
	return val, ""
}

// code reads a coded element: V the code, DN its name, SN the system.
func code(e *element) drivers.Code {
	c := drivers.Code{Code: e.attr("V"), Text: e.attr("DN")}
	switch strings.ToUpper(e.attr("SN")) {
	case "LN", "LOINC":
		if c.Code != "" {
			c.System = "http://loinc.org"
		}
	case "SNM", "SNM3", "SCT":
		if c.Code != "" && strings.ToUpper(e.attr("SN")) == "SCT" {
			c.System = "http://snomed.info/sct"
		}
	}
	return c
}

// limits reads an interval, "[80;120]", as the range that it is; anything else
// stays as it is.
func limits(text string) string {
	inner, ok := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	low, high, parts := strings.Cut(inner, ";")
	if !ok || !closed || !parts || strings.ContainsAny(inner, "[]") {
		return text
	}
	low, high = strings.TrimSpace(low), strings.TrimSpace(high)
	switch {
	case low == "" && high == "":
		return text
	case low == "":
		return "<=" + high
	case high == "":
		return ">=" + low
	}
	return low + " - " + high
}

// method says how a value came about, in words where the letter is known.
func method(letter string) string {
	switch strings.ToUpper(letter) {
	case "M":
		return "measured"
	case "C":
		return "calculated"
	case "E":
		return "entered"
	case "D":
		return "default"
	}
	return letter
}

// notes reads the notes that stand directly in e.
func notes(e *element) (out []drivers.Note) {
	for _, nte := range e.all("NTE") {
		n := nte.child("NTE.text")
		text := n.attr("V")
		if n != nil {
			if data := strings.TrimSpace(n.data.String()); data != "" && data != text {
				text = strings.TrimSpace(text + " " + data)
			}
		}
		if text != "" {
			out = append(out, drivers.Note{Source: "I", Text: text})
		}
	}
	return out
}

// time reads a time; what is none becomes a problem.
func (p *parser) time(rep *drivers.Report, in *element, name string) drivers.Time {
	t, ok := readTime(in.value(name), p.opts.Location)
	if !ok {
		rep.Problems = append(rep.Problems, name+" is not a time")
	}
	return t
}

// readTime reads ISO 8601 as POCT1-A2 uses it: "2026-11-22T08:15:00+01:00", less
// of it, or with a fraction.
func readTime(text string, loc *time.Location) (drivers.Time, bool) {
	digits := text
	date, clock, hasClock := strings.Cut(text, "T")
	if strings.Count(date, "-") > 0 {
		date = strings.ReplaceAll(date, "-", "")
		if rest, ok := strings.CutSuffix(clock, "Z"); ok {
			clock = rest + "+0000"
		}
		if digits = date; hasClock {
			digits += strings.ReplaceAll(clock, ":", "")
		}
	}
	t, ok := drivers.ParseTime(digits, loc)
	t.Text = text
	return t, ok
}

// looksLikeID: an id has no blank in it; what has one is a name that somebody
// typed.
func looksLikeID(s string) bool {
	return s[0] != '@' && len(s) <= 64 && strings.IndexFunc(s, func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsPrint(c)
	}) < 0
}
