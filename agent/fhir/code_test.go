package fhir

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/agent/codes"
	"github.com/labcourier/labcourier/drivers"
)

func TestLOINC(t *testing.T) {
	m := NewMapper(Options{AgentName: "lab", Codes: codes.NewBook([]codes.Row{
		{Analyzer: "a", Code: "GLU", LOINC: "2345-7", Display: "Glucose", Property: "MCnc"},
		{Analyzer: "a", Code: "NA", None: true},
	}, nil)})
	result := func(i int, code, unit string) drivers.Result {
		return drivers.Result{Index: i, Test: drivers.Code{Code: code, Text: "my " + code}, Value: drivers.ParseValue("5"), Unit: unit, Status: drivers.StatusFinal}
	}
	r := drivers.Report{Purpose: drivers.ForPatient, Specimen: drivers.Specimen{ID: "S1", Type: "SER"}, Order: drivers.Order{Tests: []drivers.Code{{Code: "GLU"}}}}
	own := result(3, "GLU", "mg/dL")
	own.Test.Alt = []drivers.Code{{System: codes.SystemLOINC, Code: "2339-0"}}
	r.Results = []drivers.Result{result(0, "GLU", "mg/dL"), result(1, "GLU", "mmol/L"), result(2, "NA", "mmol/L"), own, result(4, "K", "furlong")}
	in := Input{Key: testKey, Received: testInput(r).Received, Source: Source{Name: "a"}, Reports: []drivers.Report{r}}

	plan, err := m.Plan(in)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]coding
	for _, s := range plan.Steps {
		for _, e := range s.Entries {
			switch s.Name {
			case StepObservations:
				got = append(got, decode[observation](t, e).Code.Coding)
			case StepReport:
				got = append(got, decode[diagnosticReport](t, e).Code.Coding)
			}
		}
	}
	local := func(code, text string) coding {
		return coding{System: "urn:labcourier:code:a", Code: code, Display: text}
	}
	loinc := coding{System: "http://loinc.org", Code: "2345-7", Display: "Glucose"}
	want := [][]coding{
		{loinc, local("GLU", "my GLU")},
		{local("GLU", "my GLU")}, // a mass concentration is not in mmol/L
		{local("NA", "my NA")},
		{local("GLU", "my GLU"), {System: "http://loinc.org", Code: "2339-0"}}, // the analyzer's own word
		{local("K", "my K")},
		{loinc, local("GLU", "")}, // the report: its result's code
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}

	wantGaps := []Gap{
		{Analyzer: "a", Kind: GapTest, Code: "GLU", Text: "my GLU", Unit: "mmol/L", Specimen: "SER",
			Why: "its rows are for other results: another kind of unit", Candidates: []string{"2345-7 Glucose (MCnc)"}},
		{Analyzer: "a", Kind: GapTest, Code: "K", Text: "my K", Unit: "furlong", Specimen: "SER", Why: "no row for this code"},
		{Analyzer: "a", Kind: GapUnit, Unit: "furlong", Why: "no row for this unit"},
	}
	if d := cmp.Diff(wantGaps, m.Gaps(in)); d != "" {
		t.Errorf("gaps (-want +got)\n%s", d)
	}
}
