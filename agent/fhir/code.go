package fhir

import (
	"github.com/labcourier/labcourier/agent/codes"
	"github.com/labcourier/labcourier/drivers"
)

// testCode is the code of a result: the LOINC code that the tables have for it
// first, then what the analyzer sent. A LOINC code that the analyzer sends
// itself is the only one: who made the message knows best.
func (ord *order) testCode(res *drivers.Result) codeableConcept {
	cc := concept(res.Test, ord.own)
	if hasLOINC(cc) {
		return cc
	}
	return withLOINC(cc, ord.find(res))
}

func hasLOINC(cc codeableConcept) bool {
	for _, c := range cc.Coding {
		if c.System == codes.SystemLOINC {
			return true
		}
	}
	return false
}

func withLOINC(cc codeableConcept, a codes.Answer) codeableConcept {
	if a.LOINC != "" {
		cc.Coding = append([]coding{{System: codes.SystemLOINC, Code: a.LOINC, Display: clean(a.Display)}}, cc.Coding...)
	}
	return cc
}

// find asks the tables for a result's LOINC code.
func (ord *order) find(res *drivers.Result) codes.Answer {
	q := ord.question(res.Test)
	q.Unit = clean(res.Unit)
	q.UCUM, _ = ord.codes.UCUM(q.Analyzer, q.Unit)
	q.Numeric = isDecimal(res.Value.Number)
	return ord.codes.Test(q)
}

func (ord *order) question(test drivers.Code) codes.Question {
	src, sender := ord.in.Source, &ord.r.Sender
	return codes.Question{
		Analyzer:     src.Name,
		Manufacturer: first(src.Manufacturer, sender.Manufacturer),
		Model:        first(src.Model, sender.Model, sender.Name),
		Code:         codeText(test.Code),
		Specimen:     clean(ord.r.Specimen.Type),
	}
}

// code is the code of the report. The tables are asked about an order of one
// test. One that came back as a result of its own has that result's code, which
// may depend on the unit.
func (ord *order) code() codeableConcept {
	cc := reportCode(ord.r.Order.Tests, ord.own)
	if len(ord.r.Order.Tests) != 1 || hasLOINC(cc) {
		return cc
	}
	q := ord.question(ord.r.Order.Tests[0])
	for i := range ord.r.Results {
		if res := &ord.r.Results[i]; codeText(res.Test.Code) == q.Code {
			return withLOINC(cc, ord.find(res))
		}
	}
	return withLOINC(cc, ord.codes.Test(q))
}

// Gap is something that an analyzer sent and the tables have no code for. It
// holds no patient data.
type Gap struct {
	Analyzer   string   `json:"analyzer"`
	Kind       string   `json:"kind"` // GapTest or GapUnit
	Code       string   `json:"code,omitempty"`
	Text       string   `json:"text,omitempty"` // the analyzer's own name for it
	Unit       string   `json:"unit,omitempty"`
	Specimen   string   `json:"specimen,omitempty"` // its type
	Why        string   `json:"why"`
	Candidates []string `json:"candidates,omitempty"` // LOINC codes with their names
}

// Kinds of [Gap].
const (
	GapTest = "test" // no LOINC code
	GapUnit = "unit" // no UCUM code
)

// Gaps tells what of a message has no LOINC or UCUM code, result by result.
// It looks at what would be sent and nothing else.
func (m *Mapper) Gaps(in Input) []Gap {
	var p Plan
	var gaps []Gap
	send := p.sort(in.Reports, in.Choices)
	msg := &message{Mapper: m, in: in}
	for i := range send {
		ord := &order{message: msg, r: &send[i], own: vendorSystem(in.Source, &send[i].Sender)}
		for j := range send[i].Results {
			gaps = append(gaps, ord.gaps(&send[i].Results[j])...)
		}
	}
	return gaps
}

// gaps is what one result lacks.
func (ord *order) gaps(res *drivers.Result) (gaps []Gap) {
	gap := Gap{
		Analyzer: ord.in.Source.Name, Kind: GapTest,
		Code: short(codeText(res.Test.Code)), Text: short(clean(res.Test.Text)), Unit: short(clean(res.Unit)), Specimen: short(clean(ord.r.Specimen.Type)),
	}
	if !hasLOINC(concept(res.Test, ord.own)) {
		if a := ord.find(res); a.Why != "" {
			gap.Why = a.Why
			for _, c := range a.Candidates {
				gap.Candidates = append(gap.Candidates, join(" ", c.LOINC, c.Display, bracketed(join(", ", c.Property, c.System))))
			}
			gaps = append(gaps, gap)
		}
	}
	if gap.Unit != "" && isDecimal(res.Value.Number) {
		if _, known := ord.codes.Unit(gap.Analyzer, clean(res.Unit)); !known {
			gaps = append(gaps, Gap{Analyzer: gap.Analyzer, Kind: GapUnit, Unit: gap.Unit, Why: "no row for this unit"})
		}
	}
	return gaps
}

// short bounds what a message that was read wrongly could put there.
func short(s string) string {
	const most = 64
	if r := []rune(s); len(s) > most && len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}
