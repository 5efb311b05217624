package fhir

import (
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

const (
	systemSection = "http://terminology.hl7.org/CodeSystem/v2-0074"
	systemIDType  = "http://terminology.hl7.org/CodeSystem/v2-0203"

	// urlReportNote carries R5's DiagnosticReport.note in R4.
	urlReportNote = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
)

// order is the mapping of one report, with what its results share.
type order struct {
	*message
	r   *drivers.Report
	own string // the code system of the instrument's own codes

	series map[int]string // of the results, by index
}

// report maps one report with its results.
func (msg *message) report(r *drivers.Report) (results []Entry, report Entry, err error) {
	o := order{message: msg, r: r, own: vendorSystem(msg.in.Source, &r.Sender)}
	o.series = o.resultSeries()
	results = make([]Entry, 0, len(r.Results))
	refs := make([]reference, 0, len(r.Results))
	for i := range r.Results {
		e, err := o.observation(&r.Results[i])
		if err != nil {
			return nil, Entry{}, err
		}
		results = append(results, e)
		refs = append(refs, reference{Reference: e.FullURL})
	}
	e, id := msg.identity("DiagnosticReport", "report", msg.reportValue(r.Index))
	ids := append([]identifier{id}, orderNumbers(&r.Order)...)
	for _, ref := range refs {
		e.Results = append(e.Results, ref.Reference)
	}
	if !isControl(r) {
		series := o.reportSeries()
		ids = append(ids, msg.seriesIdentifier(series))
		e.Tube = clean(r.Specimen.ID)
		e.Prior = o.prior(series, reportStatus(r), false, stated(r.Results), r.Order.Reported)
	}
	effective := reportEffective(r)
	at, during := effective.at()
	report, err = msg.encode(e, diagnosticReport{
		ResourceType:      "DiagnosticReport",
		Meta:              msg.meta(tags(r, effective)...),
		Extension:         reportNotes(r, effective),
		Identifier:        ids,
		Status:            string(reportStatus(r)),
		Category:          category(r, coding{System: systemSection, Code: "LAB", Display: "Laboratory"}),
		Subject:           msg.subject(r),
		Code:              o.code(),
		EffectiveDateTime: at,
		EffectivePeriod:   during,
		Issued:            msg.issued,
		Specimen:          []reference{{Reference: msg.spec[r.Index]}},
		Result:            refs,
	})
	return results, report, err
}

// orderNumbers are the order's numbers at the laboratory and at the analyzer. They
// have no system: the message does not say whose numbers they are.
func orderNumbers(o *drivers.Order) (list []identifier) {
	for _, n := range []struct{ code, text string }{{"PLAC", o.Placer}, {"FILL", o.Filler}} {
		if value := clean(n.text); value != "" {
			list = append(list, identifier{Type: &codeableConcept{Coding: []coding{{System: systemIDType, Code: n.code}}}, Value: value})
		}
	}
	return list
}

// reportEffective is what the order says (OBR-7 and OBR-8), else the effective
// time of the first result that has one.
func reportEffective(r *drivers.Report) effective {
	if e := (effective{Time: r.Order.Observed, until: r.Order.Until}); dateTime(e.Time) != "" || dateTime(e.until) != "" {
		return e
	}
	for i := range r.Results {
		if e := effectiveOf(r, &r.Results[i]); e.Known() {
			return e
		}
	}
	return effective{}
}

// reportCode names what was asked for. Codings of one concept mean the same,
// so that several tests can only be text.
func reportCode(tests []drivers.Code, own string) codeableConcept {
	var names []string
	var last codeableConcept
	seen := make(map[string]bool, len(tests))
	for _, t := range tests {
		cc := concept(t, own)
		key := cc.Text
		if len(cc.Coding) > 0 {
			key = cc.Coding[0].System + "|" + cc.Coding[0].Code
		}
		if cc.Text == "" || seen[key] {
			continue
		}
		seen[key] = true
		names = append(names, cc.Text)
		last = cc
	}
	switch len(names) {
	case 0:
		return codeableConcept{Text: "Laboratory report"}
	case 1:
		return last
	}
	return codeableConcept{Text: strings.Join(names, ", ")}
}

// reportNotes is what was said of the whole report, and what could not be read
// of it.
func reportNotes(r *drivers.Report, at effective) []extension {
	var n notes
	n.comments(r.Notes)
	for _, p := range r.Problems {
		if p = clean(p); p != "" {
			n.remark("Not readable in the analyzer's message: " + p)
		}
	}
	n.ambiguous("effective", at.Time)
	n.ambiguous("end of the effective", at.until)
	if isBackwards(at.Time, at.until) {
		n.remark("The order's observation time ends before it begins, and is given without its end; as sent: " + at.until.Text)
	}
	var list []extension
	for i := range n.list {
		list = append(list, extension{URL: urlReportNote, ValueAnnotation: &n.list[i]})
	}
	return list
}
