package fhir

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

func TestReportStatus(t *testing.T) {
	const (
		f, p, g = drivers.StatusFinal, drivers.StatusPreliminary, drivers.StatusRegistered
		c, a, x = drivers.StatusCorrected, drivers.StatusAmended, drivers.StatusCancelled
		e, u    = drivers.StatusEnteredInError, drivers.StatusUnknown
	)
	type list []drivers.ResultStatus
	tests := []struct {
		order   drivers.ResultStatus
		results list
		want    drivers.ResultStatus
	}{
		// Derived from the results.
		{"", list{f, f}, f},
		{"", list{f, p}, p},
		{"", list{f, ""}, p},
		{"", list{f, "odd"}, p},
		{"", list{g, g}, g},
		{"", list{f, g}, drivers.StatusPartial},
		{"", list{p, g, f}, drivers.StatusPartial},
		{"", list{g, x}, g},
		{"", list{f, x}, f},
		{"", list{x, x}, x},
		{"", list{e, e}, e},
		{"", list{e, x}, x},
		{"", list{e, f, p}, p},
		{"", list{f, c}, c},
		{"", list{f, a}, a},
		{"", list{a, c}, c},
		{"", list{c, p}, p},
		{"", list{u, u}, u},
		{"", list{u, f}, u},
		{"odd", list{f}, f},
		// The order's word counts, but is never more final than the results.
		{f, list{f}, f},
		{c, list{f}, c},
		{p, list{f}, p},
		{x, list{f}, x},
		{g, list{f}, g},
		{drivers.StatusPartial, list{f}, drivers.StatusPartial},
		{f, list{f, p}, p},
		{f, list{f, g}, drivers.StatusPartial},
		{c, list{c, ""}, p},
		{a, list{u}, u},
		{f, list{x}, f},
	}
	for _, tt := range tests {
		r := patientReport(0, "S1", len(tt.results))
		r.Order.Status = tt.order
		for i, s := range tt.results {
			r.Results[i].Status = s
		}
		got := decode[diagnosticReport](t, entries(mustPlan(t, testInput(r)), StepReport)[0])
		if got.Status != string(tt.want) {
			t.Errorf("order %q, results %q: got %s, want %s", tt.order, tt.results, got.Status, tt.want)
		}
	}
	doubtful := patientReport(0, "S1", 2)
	doubtful.Order.Status = f
	doubtful.Results[1].Doubtful = true
	if got := reportStatus(&doubtful); got != p {
		t.Errorf("a final report with a questionable result is %s", got)
	}
}

func TestReportCode(t *testing.T) {
	const own = "urn:labcourier:code:b"
	tests := []struct {
		name  string
		tests []drivers.Code
		want  codeableConcept
	}{
		{"none", nil, codeableConcept{Text: "Laboratory report"}},
		{"blank", []drivers.Code{{}, {Code: " "}}, codeableConcept{Text: "Laboratory report"}},
		{"one", []drivers.Code{{Code: "CBC", Text: "Blood count"}},
			codeableConcept{Coding: []coding{{System: own, Code: "CBC", Display: "Blood count"}}, Text: "Blood count"}},
		{"one, repeated", []drivers.Code{{Code: "CBC"}, {}, {Code: "CBC"}}, codeableConcept{Coding: []coding{{System: own, Code: "CBC"}}, Text: "CBC"}},
		{"several", []drivers.Code{{Code: "8", Text: "TSH"}, {Code: "7"}, {Text: "smear"}}, codeableConcept{Text: "TSH, 7, smear"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, reportCode(tt.tests, own)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSpecimens(t *testing.T) {
	day := func(d int) drivers.Time {
		return drivers.Time{Value: testReceived.AddDate(0, 0, d), Precision: drivers.Day}
	}
	on := func(s drivers.Specimen) func(*drivers.Report) { return func(r *drivers.Report) { r.Specimen = s } }
	tests := []struct {
		name  string
		edits []func(*drivers.Report)
		want  []string
	}{
		{"one tube, two orders", []func(*drivers.Report){on(drivers.Specimen{ID: "A"}), on(drivers.Specimen{ID: " A "})}, []string{"-s0"}},
		{"two tubes", []func(*drivers.Report){on(drivers.Specimen{ID: "A"}), on(drivers.Specimen{ID: "B"}), on(drivers.Specimen{ID: "A"})}, []string{"-s0", "-s1"}},
		{"case counts", []func(*drivers.Report){on(drivers.Specimen{ID: "a"}), on(drivers.Specimen{ID: "A"})}, []string{"-s0", "-s1"}},
		{"serum and urine of one number", []func(*drivers.Report){on(drivers.Specimen{ID: "A", Type: "SER"}), on(drivers.Specimen{ID: "A", Type: "UR"})}, []string{"-s0", "-s1"}},
		{"one of them says nothing", []func(*drivers.Report){on(drivers.Specimen{ID: "A", Type: "SER"}), on(drivers.Specimen{ID: "A"})}, []string{"-s0"}},
		{"another day", []func(*drivers.Report){on(drivers.Specimen{ID: "A", Collected: day(0)}), on(drivers.Specimen{ID: "A", Collected: day(1)})}, []string{"-s0", "-s1"}},
		{"the first is not sent", []func(*drivers.Report){on(drivers.Specimen{}), on(drivers.Specimen{ID: "A"})}, []string{"-s1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var reports []drivers.Report
			for i, edit := range tt.edits {
				r := patientReport(i, "", 1)
				edit(&r)
				reports = append(reports, r)
			}
			p := mustPlan(t, testInput(reports...))
			checkPlan(t, p)
			var want []string
			for _, w := range tt.want {
				want = append(want, testKey+w)
			}
			if d := cmp.Diff(want, values(entries(p, StepSpecimen))); d != "" {
				t.Error(d)
			}
		})
	}
}

// The order's numbers (OBR-2, OBR-3) and the sub-id (OBX-4), as the v2-to-FHIR
// maps of HL7 have them.
func TestOrderNumbers(t *testing.T) {
	r := patientReport(0, "S1", 1)
	r.Order.Placer, r.Order.Filler, r.Results[0].SubID = "PL-1", "FI-1", "CT1"
	p := mustPlan(t, testInput(r))
	d := decode[diagnosticReport](t, entries(p, StepReport)[0])
	var got []string
	for _, id := range d.Identifier[1 : len(d.Identifier)-1] { // the last is the series'
		got = append(got, id.Type.Coding[0].System+"|"+id.Type.Coding[0].Code+" "+id.System+id.Value)
	}
	const types = "http://terminology.hl7.org/CodeSystem/v2-0203|"
	if diff := cmp.Diff([]string{types + "PLAC PL-1", types + "FILL FI-1"}, got); diff != "" {
		t.Error(diff)
	}
	o := decode[observation](t, entries(p, StepObservations)[0])
	want := extension{URL: urlSubID, Extension: []extension{{URL: "original-sub-identifier", ValueString: "CT1"}}}
	if len(o.Extension) == 0 || !cmp.Equal(o.Extension[len(o.Extension)-1], want) {
		t.Errorf("extensions %+v", o.Extension)
	}
}

// What a later report knows of the same tube completes what the first said.
func TestSpecimenIsCompleted(t *testing.T) {
	first, second := patientReport(0, "A", 1), patientReport(1, "A", 1)
	first.Specimen.InstrumentID = "rack 1"
	second.Specimen.InstrumentID = "rack 2"
	second.Specimen.Type, second.Specimen.Source = "SER", "arm"
	second.Specimen.Collected = drivers.Time{Value: testReceived, Precision: drivers.Month}
	second.Specimen.Received = drivers.Time{Value: testReceived, Precision: drivers.Year}
	got := decode[specimen](t, entries(mustPlan(t, testInput(first, second)), StepSpecimen)[0])
	want := specimen{
		ResourceType: "Specimen",
		Meta:         got.Meta,
		Identifier: []identifier{
			{System: "urn:labcourier:specimen", Value: testKey + "-s0"},
			{Type: &codeableConcept{Text: "Instrument specimen id"}, Value: "rack 1"},
			{Type: &codeableConcept{Text: "Instrument specimen id"}, Value: "rack 2"},
		},
		AccessionIdentifier: &identifier{Value: "A"},
		Type:                &codeableConcept{Text: "SER"},
		ReceivedTime:        "2026",
		Collection:          &collection{CollectedDateTime: "2026-03", BodySite: &codeableConcept{Text: "arm"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestReportEffective: the order's own time comes first, and is a period where
// it has an end; else the time is that of a result.
func TestReportEffective(t *testing.T) {
	const end = "The order's observation time ends before it begins, and is given without its end; as sent: "
	for name, c := range map[string]struct {
		from, to string
		want     diagnosticReport
		note     string
	}{
		"none":               {"", "", diagnosticReport{EffectiveDateTime: "2026-07-22T06:00:00+02:00"}, ""},
		"a moment":           {"20260722070000", "", diagnosticReport{EffectiveDateTime: "2026-07-22T07:00:00+02:00"}, ""},
		"a period":           {"20260722070000", "20260723070000-0500", diagnosticReport{EffectivePeriod: &period{Start: "2026-07-22T07:00:00+02:00", End: "2026-07-23T07:00:00-05:00"}}, ""},
		"of no length":       {"20260722", "20260722", diagnosticReport{EffectivePeriod: &period{Start: "2026-07-22", End: "2026-07-22"}}, ""},
		"that ends that day": {"20260722070000", "20260722", diagnosticReport{EffectivePeriod: &period{Start: "2026-07-22T07:00:00+02:00", End: "2026-07-22"}}, ""},
		"backwards":          {"20260722070000", "20260722065959", diagnosticReport{EffectiveDateTime: "2026-07-22T07:00:00+02:00"}, end + "20260722065959"},
		"an end alone":       {"", "20260722", diagnosticReport{EffectivePeriod: &period{End: "2026-07-22"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := patientReport(0, "S1", 1)
			r.Specimen.Collected = sentTime("20260722060000")
			r.Order.Observed, r.Order.Until = sentTime(c.from), sentTime(c.to)
			var got diagnosticReport
			if err := json.Unmarshal(entries(mustPlan(t, testInput(r)), StepReport)[0].Resource, &got); err != nil {
				t.Fatal(err)
			}
			if got.EffectiveDateTime != c.want.EffectiveDateTime || !reflect.DeepEqual(got.EffectivePeriod, c.want.EffectivePeriod) {
				t.Errorf("%q %+v", got.EffectiveDateTime, got.EffectivePeriod)
			}
			note := ""
			for _, x := range got.Extension {
				note += x.ValueAnnotation.Text
			}
			if note != c.note {
				t.Errorf("note %q", note)
			}
		})
	}
}

// A correction of a report that had a period, by one with a moment, has one time.
func TestMergeEffective(t *testing.T) {
	report := func(key, until string, status drivers.ResultStatus) Entry {
		r := patientReport(0, "S1", 1)
		r.Order.Observed, r.Order.Until = sentTime("20260722"), sentTime(until)
		r.Results[0].Status = status
		in := testInput(r)
		in.Key = key
		return entries(mustPlan(t, in), StepReport)[0]
	}
	for _, c := range [][2]string{{"20260723", ""}, {"", "20260723"}} {
		got, err := report("c1", c[1], drivers.StatusCorrected).Choose([]json.RawMessage{onServer(t, report("k1", c[0], drivers.StatusFinal), "d1", nil)})
		if err != nil || got.Choice != Replace || strings.Count(string(got.Resource), `"effective`) != 1 {
			t.Errorf("%+v, %v: %s", got.Choice, err, got.Resource)
		}
	}
}
