package fhir

import "github.com/labcourier/labcourier/drivers"

const (
	systemCategory = "http://terminology.hl7.org/CodeSystem/observation-category"
	systemEffect   = "urn:labcourier:effective"
	urlAnalyzed    = "http://hl7.org/fhir/StructureDefinition/observation-analysis-date-time"
	urlSubID       = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid" // of OBX-4
)

// observation maps one result of the order.
func (ord *order) observation(res *drivers.Result) (Entry, error) {
	msg, r := ord.message, ord.r
	e, id := msg.identity("Observation", "result", msg.resultValue(r.Index, res.Index))
	ids := []identifier{id}
	if !isControl(r) {
		series := ord.series[res.Index]
		ids = append(ids, msg.seriesIdentifier(series))
		e.Tube = clean(r.Specimen.ID)
		e.Prior = ord.prior(series, statusOf(res), res.Previous, clean(res.StatusRaw) != "", res.Completed)
	}
	effective := effectiveOf(r, res)
	o := observation{
		ResourceType:      "Observation",
		Meta:              msg.meta(tags(r, effective)...),
		Identifier:        ids,
		Status:            string(statusOf(res)),
		Category:          category(r, coding{System: systemCategory, Code: "laboratory", Display: "Laboratory"}),
		Subject:           msg.subject(r),
		Code:              ord.testCode(res),
		EffectiveDateTime: dateTime(effective.Time),
		Issued:            msg.issued,
		Performer:         performers(res),
		Interpretation:    msg.interpretation(res.Flags),
		Method:            textConcept(res.Method),
		Specimen:          &reference{Reference: msg.spec[r.Index]},
		Device:            msg.deviceReference(&r.Sender, res.Instrument),
		ReferenceRange:    msg.referenceRanges(res),
	}
	if at := dateTime(res.Completed); at != "" {
		o.Extension = []extension{{URL: urlAnalyzed, ValueDateTime: at}}
	}
	if sub := clean(res.SubID); sub != "" {
		o.Extension = append(o.Extension, extension{URL: urlSubID, Extension: []extension{{URL: "original-sub-identifier", ValueString: sub}}})
	}
	var n notes
	n.comments(res.Notes)
	n.reportComments(r.Notes)
	ord.value(&o, res, &n)
	n.marks(res, effective)
	o.Note = n.list
	return msg.encode(e, o)
}

// effective is a time together with what it is the time of.
type effective struct {
	drivers.Time
	code    string // "" for a time that is the patient's own
	display string
	until   drivers.Time // of a period: its end
}

// effectiveOf is the time that the result was true of the patient, or the
// nearest to it that was sent.
func effectiveOf(r *drivers.Report, res *drivers.Result) effective {
	for _, e := range []effective{
		{Time: r.Specimen.Collected},
		{Time: res.Observed},
		{Time: res.Completed, code: "completed", display: "Effective time is that of the completed analysis; the collection time was not sent"},
		{Time: res.Started, code: "started", display: "Effective time is that of the start of the analysis; the collection time was not sent"},
		{Time: r.Order.Reported, code: "reported", display: "Effective time is that of the analyzer's report; the collection time was not sent"},
	} {
		if dateTime(e.Time) != "" {
			return e
		}
	}
	return effective{}
}

func (e effective) tags() []coding {
	if e.code == "" {
		return nil
	}
	return []coding{{System: systemEffect, Code: e.code, Display: e.display}}
}

// concept is a code of the analyzer as FHIR has it: the code itself, what the
// message gives for it in other systems, and its text. The system own is for
// codes that name none.
func concept(c drivers.Code, own string) codeableConcept {
	var cc codeableConcept
	for i := -1; i < len(c.Alt); i++ {
		one := c
		if i >= 0 {
			one = c.Alt[i]
		}
		code := codeText(one.Code)
		if code == "" {
			continue
		}
		next := coding{System: systemURI(one.System, own), Code: code, Display: clean(one.Text)}
		if !holds(cc.Coding, next) {
			cc.Coding = append(cc.Coding, next)
		}
	}
	cc.Text = first(c.Text, c.Code)
	for i := 0; cc.Text == "" && i < len(c.Alt); i++ {
		cc.Text = first(c.Alt[i].Text, c.Alt[i].Code)
	}
	return cc
}

// systemURI is a code system as a URI. A name that is none ("99ROC") becomes a
// part of the analyzer's own space: its codes must not be mixed with the
// unnamed ones.
func systemURI(system, own string) string {
	if isURI(system) {
		return system
	}
	if s := slug(system); s != "" {
		return own + ":" + s
	}
	return own
}

func holds(list []coding, c coding) bool {
	for _, have := range list {
		if have.System == c.System && have.Code == c.Code {
			return true
		}
	}
	return false
}

// performers are the people a result names, as references by name only: the
// agent knows no Practitioner. Their ids have no system, being the analyzer's.
func performers(res *drivers.Result) []reference {
	var list []reference
	for _, p := range []struct{ role, id string }{{"Operator", res.Operator}, {"Verifier", res.Verifier}} {
		if id := clean(p.id); id != "" {
			list = append(list, reference{Identifier: &identifier{Type: textConcept(p.role), Value: id}, Display: id})
		}
	}
	return list
}
