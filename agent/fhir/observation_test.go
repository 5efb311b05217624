package fhir

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

// valueOf is the part of an Observation that tells its value.
func valueOf(o observation) observation {
	return observation{ValueQuantity: o.ValueQuantity, ValueCodeableConcept: o.ValueCodeableConcept, ValueString: o.ValueString,
		ValueRange: o.ValueRange, ValueRatio: o.ValueRatio, ValueTime: o.ValueTime, ValueDateTime: o.ValueDateTime, ValuePeriod: o.ValuePeriod, DataAbsentReason: o.DataAbsentReason, Note: o.Note}
}

// sentTime reads a time as the drivers do, on a clock in Zurich.
func sentTime(text string) drivers.Time {
	loc, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		panic(err)
	}
	t, ok := drivers.ParseTime(text, loc)
	if !ok {
		panic(text)
	}
	return t
}

func TestValue(t *testing.T) {
	const ucum = "http://unitsofmeasure.org"
	remark := func(s string) []annotation { return []annotation{{AuthorString: "labcourier", Text: s}} }
	absent := func(code, display string) *codeableConcept {
		return &codeableConcept{Coding: []coding{{System: systemAbsent, Code: code, Display: display}}}
	}
	tests := []struct {
		name   string
		value  drivers.Value
		unit   string
		status drivers.ResultStatus
		want   observation
	}{
		{"number", drivers.Value{Text: "5.40", Number: "5.40"}, "mmol/l", "",
			observation{ValueQuantity: &quantity{Value: "5.40", Unit: "mmol/l", System: ucum, Code: "mmol/L"}}},
		{"number without a unit", drivers.Value{Text: "0", Number: "0"}, "", "",
			observation{ValueQuantity: &quantity{Value: "0"}}},
		{"unit without a row", drivers.Value{Text: "-3e2", Number: "-3e2"}, "G/L", "",
			observation{ValueQuantity: &quantity{Value: "-3e2", Unit: "G/L"}}},
		{"comparator", drivers.Value{Text: ">=10.0", Comparator: ">=", Number: "10.0"}, "%", "",
			observation{ValueQuantity: &quantity{Value: "10.0", Comparator: ">=", Unit: "%", System: ucum, Code: "%"}}},
		{"unknown comparator", drivers.Value{Text: "~10", Comparator: "~", Number: "10"}, "%", "",
			observation{ValueString: "~10 %"}},
		{"no leading zero", drivers.Value{Text: ".5", Number: ".5"}, "g/L", "", observation{ValueString: ".5 g/L"}},
		{"leading zeros", drivers.Value{Text: "007", Number: "007"}, "", "", observation{ValueString: "007"}},
		{"plus", drivers.Value{Text: "+5", Number: "+5"}, "", "", observation{ValueString: "+5"}},
		{"decimal comma", drivers.Value{Text: "5,4", Number: "5,4"}, "g/L", "", observation{ValueString: "5,4 g/L"}},
		{"infinite", drivers.Value{Text: "1e999", Number: "1e999"}, "", "", observation{ValueString: "1e999"}},
		{"19 digits", drivers.Value{Text: "1234567890123456789", Number: "1234567890123456789"}, "", "",
			observation{ValueString: "1234567890123456789"}},
		{"number without its text", drivers.Value{Comparator: "<", Number: ".5"}, "g/L", "", observation{ValueString: "< .5 g/L"}},
		{"ratio", drivers.Value{Text: "<1:128", Comparator: "<", Number: "1", Separator: ":", Second: "128"}, "", "",
			observation{ValueRatio: &ratio{Numerator: &quantity{Value: "1", Comparator: "<"}, Denominator: &quantity{Value: "128"}}}},
		{"ratio with a slash", drivers.Value{Text: "3/4", Number: "3", Separator: "/", Second: "4"}, "mg", "",
			observation{ValueRatio: &ratio{Numerator: &quantity{Value: "3", Unit: "mg"}, Denominator: &quantity{Value: "4", Unit: "mg"}}}},
		{"range", drivers.Value{Text: "5-10", Number: "5", Separator: "-", Second: "10"}, "", "",
			observation{ValueRange: &valueRange{Low: &quantity{Value: "5"}, High: &quantity{Value: "10"}}}},
		{"range of one", drivers.Value{Text: "5-5.0", Number: "5", Separator: "-", Second: "5.0"}, "", "",
			observation{ValueRange: &valueRange{Low: &quantity{Value: "5"}, High: &quantity{Value: "5.0"}}}},
		{"range upside down", drivers.Value{Text: "10-5", Number: "10", Separator: "-", Second: "5"}, "g/L", "", observation{ValueString: "10-5 g/L"}},
		{"range with a comparator", drivers.Value{Text: "<5-10", Comparator: "<", Number: "5", Separator: "-", Second: "10"}, "", "",
			observation{ValueString: "<5-10"}},
		{"plus as separator", drivers.Value{Text: "2+", Number: "2", Separator: "+"}, "", "", observation{ValueString: "2+"}},
		{"second number unreadable", drivers.Value{Text: "1:x", Number: "1", Separator: ":", Second: "x"}, "", "", observation{ValueString: "1:x"}},
		{"text", drivers.Value{Text: "Negative"}, "", "", observation{ValueString: "Negative"}},
		{"text with a unit", drivers.Value{Text: "Negative"}, "mg/dL", "",
			observation{ValueString: "Negative", Note: remark("Unit as sent: mg/dL")}},
		{"text with a digit and a unit", drivers.Value{Text: "1+"}, "mg/dL", "", observation{ValueString: "1+ mg/dL"}},
		{"text with control characters", drivers.Value{Text: "a\x00b\tc\u00a0d\xff"}, "", "", observation{ValueString: "a\ufffdb\tc d\ufffd"}},
		{"markup", drivers.Value{Text: "<b>&\u2028"}, "", "", observation{ValueString: "<b>&"}},
		{"code", drivers.Value{Text: "POS", Code: &drivers.Code{Code: "POS", Text: "positive"}}, "", "",
			observation{ValueCodeableConcept: &codeableConcept{
				Coding: []coding{{System: "urn:labcourier:code:xn:value", Code: "POS", Display: "positive"}}, Text: "positive"}}},
		{"code that says less than the text", drivers.Value{Text: "-1^0.35", Code: &drivers.Code{Code: "-1"}}, "", "",
			observation{ValueCodeableConcept: &codeableConcept{Coding: []coding{{System: "urn:labcourier:code:xn:value", Code: "-1"}}, Text: "-1"},
				Note: remark("Value as sent: -1^0.35")}},
		{"empty code", drivers.Value{Text: "x", Code: &drivers.Code{}}, "", "", observation{ValueString: "x"}},
		{"absent", drivers.Value{Text: "---", Absent: "not-performed"}, "g/L", "",
			observation{DataAbsentReason: absent("not-performed", "Not Performed"), Note: remark("Sent instead of a value: ---")}},
		{"absent for a reason of its own", drivers.Value{Absent: "clot"}, "", "",
			observation{DataAbsentReason: &codeableConcept{Coding: []coding{{System: systemAbsent, Code: "unknown", Display: "Unknown"}}, Text: "clot"}}},
		{"data that is no value (HL7's ED, RP, NA)", drivers.Value{Text: "data in the stored message (ED)", Absent: "unsupported"}, "", "",
			observation{DataAbsentReason: absent("unsupported", "Unsupported"), Note: remark("Sent instead of a value: data in the stored message (ED)")}},
		{"nothing", drivers.Value{}, "", "", observation{DataAbsentReason: absent("unknown", "Unknown")}},
		{"only blanks", drivers.Value{Text: " \u00a0"}, "", "", observation{DataAbsentReason: absent("unknown", "Unknown")}},
		{"nothing yet", drivers.Value{}, "", drivers.StatusRegistered, observation{DataAbsentReason: absent("temp-unknown", "Temporarily Unknown")}},
		{"cancelled", drivers.Value{}, "", drivers.StatusCancelled, observation{DataAbsentReason: absent("not-performed", "Not Performed")}},
		{"cancelled with a number", drivers.Value{Text: "5", Number: "5"}, "", drivers.StatusCancelled,
			observation{DataAbsentReason: absent("not-performed", "Not Performed"),
				Note: remark("Sent with the cancelled result, and not to be read as its value: 5")}},
		{"moment", drivers.Value{Text: "20260722091501", Time: sentTime("20260722091501")}, "", "", observation{ValueDateTime: "2026-07-22T09:15:01+02:00"}},
		{"moment with an offset and a fraction", drivers.Value{Text: "20260122091501.2500-0500", Time: sentTime("20260122091501.2500-0500")}, "", "",
			observation{ValueDateTime: "2026-01-22T09:15:01.2500-05:00"}},
		{"day", drivers.Value{Text: "20260722", Time: sentTime("20260722")}, "", "", observation{ValueDateTime: "2026-07-22"}},
		{"month", drivers.Value{Text: "202607", Time: sentTime("202607")}, "d", "",
			observation{ValueDateTime: "2026-07", Note: remark("Unit as sent: d")}},
		{"minute", drivers.Value{Text: "202607220915", Time: sentTime("202607220915")}, "", "",
			observation{ValueDateTime: "2026-07-22T09:15:00+02:00", Note: remark("Value as sent, without seconds: 202607220915")}},
		{"an hour that came twice", drivers.Value{Text: "20261025023000", Time: sentTime("20261025023000")}, "", "",
			observation{ValueDateTime: "2026-10-25T02:30:00+02:00", Note: remark("The value's time falls into a clock change, and the earlier reading is given; as sent: 20261025023000")}},
		{"no moment", drivers.Value{Text: "yesterday at 9"}, "", "", observation{ValueString: "yesterday at 9"}},
		{"time of day", drivers.Value{Text: "091501.5", Clock: "09:15:01.5"}, "", "", observation{ValueTime: "09:15:01.5"}},
		{"hour and minute", drivers.Value{Text: "0915", Clock: "09:15:00"}, "", "",
			observation{ValueTime: "09:15:00", Note: remark("Value as sent, without seconds: 0915")}},
		{"no time of day", drivers.Value{Text: "9.15 h", Clock: "9:15:00"}, "", "", observation{ValueString: "9.15 h"}},
		{"period", drivers.Value{Text: "202607^20260805", Time: sentTime("202607"), Until: sentTime("20260805")}, "", "",
			observation{ValuePeriod: &period{Start: "2026-07", End: "2026-08-05"}}},
		{"period backwards", drivers.Value{Text: "202607^202606", Time: sentTime("202607"), Until: sentTime("202606")}, "", "", observation{ValueString: "202607^202606"}},
		{"wrong, but a value", drivers.Value{Text: "5", Number: "5"}, "", drivers.StatusEnteredInError,
			observation{ValueQuantity: &quantity{Value: "5"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := observe(t, func(_ *drivers.Report, res *drivers.Result) {
				res.Value, res.Unit, res.Status = tt.value, tt.unit, tt.status
			})
			if d := cmp.Diff(tt.want, valueOf(got), cmp.AllowUnexported(observation{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestObservationStatus(t *testing.T) {
	tests := []struct {
		status   drivers.ResultStatus
		doubtful bool
		want     string
	}{
		{"", false, "preliminary"},
		{drivers.StatusRegistered, false, "registered"},
		{drivers.StatusPartial, false, "preliminary"}, // no such state of an Observation
		{drivers.StatusPreliminary, false, "preliminary"},
		{drivers.StatusFinal, false, "final"},
		{drivers.StatusCorrected, false, "corrected"},
		{drivers.StatusAmended, false, "amended"},
		{drivers.StatusCancelled, false, "cancelled"},
		{drivers.StatusEnteredInError, false, "entered-in-error"},
		{drivers.StatusUnknown, false, "unknown"},
		{"splendid", false, "preliminary"},
		{drivers.StatusFinal, true, "preliminary"},
		{drivers.StatusCorrected, true, "preliminary"},
		{drivers.StatusUnknown, true, "preliminary"},
		{drivers.StatusRegistered, true, "registered"},
		{drivers.StatusCancelled, true, "cancelled"},
		{drivers.StatusEnteredInError, true, "entered-in-error"},
	}
	for _, tt := range tests {
		o := observe(t, func(_ *drivers.Report, res *drivers.Result) { res.Status, res.Doubtful = tt.status, tt.doubtful })
		if o.Status != tt.want {
			t.Errorf("%q doubtful %v: got %s, want %s", tt.status, tt.doubtful, o.Status, tt.want)
		}
		said := false
		for _, n := range o.Note {
			said = said || strings.Contains(n.Text, "questionable") || strings.Contains(n.Text, "not known")
		}
		if want := tt.doubtful || tt.status == "splendid"; said != want {
			t.Errorf("%q doubtful %v: remark %v, want %v", tt.status, tt.doubtful, said, want)
		}
	}
}

func TestEffective(t *testing.T) {
	at := func(hour int) drivers.Time {
		return drivers.Time{Value: time.Date(2026, 1, 2, hour, 0, 0, 0, time.UTC), Precision: drivers.Second}
	}
	all := func(r *drivers.Report, res *drivers.Result) {
		r.Specimen.Collected, res.Observed, res.Completed, res.Started, r.Order.Reported = at(1), at(2), at(3), at(4), at(5)
		r.Sent, r.Order.Requested, r.Specimen.Received = at(6), at(7), at(8) // never used
	}
	steps := []struct {
		take func(r *drivers.Report, res *drivers.Result)
		want string
		tag  string
	}{
		{func(*drivers.Report, *drivers.Result) {}, "2026-01-02T01:00:00Z", ""},
		{func(r *drivers.Report, _ *drivers.Result) { r.Specimen.Collected = drivers.Time{} }, "2026-01-02T02:00:00Z", ""},
		{func(_ *drivers.Report, res *drivers.Result) { res.Observed = drivers.Time{} }, "2026-01-02T03:00:00Z", "completed"},
		{func(_ *drivers.Report, res *drivers.Result) { res.Completed = drivers.Time{} }, "2026-01-02T04:00:00Z", "started"},
		{func(_ *drivers.Report, res *drivers.Result) { res.Started = drivers.Time{} }, "2026-01-02T05:00:00Z", "reported"},
		{func(r *drivers.Report, _ *drivers.Result) { r.Order.Reported = drivers.Time{} }, "", ""},
	}
	for i, tt := range steps {
		r := patientReport(0, "S1", 1)
		all(&r, &r.Results[0])
		for _, s := range steps[:i+1] {
			s.take(&r, &r.Results[0])
		}
		p := mustPlan(t, testInput(r))
		o := decode[observation](t, entries(p, StepObservations)[0])
		d := decode[diagnosticReport](t, entries(p, StepReport)[0])
		if o.EffectiveDateTime != tt.want || d.EffectiveDateTime != tt.want {
			t.Errorf("step %d: observation %q, report %q, want %q", i, o.EffectiveDateTime, d.EffectiveDateTime, tt.want)
		}
		tag := ""
		for _, c := range o.Meta.Tag {
			if c.System == systemEffect {
				tag = c.Code
			}
		}
		if tag != tt.tag {
			t.Errorf("step %d: tag %q, want %q", i, tag, tt.tag)
		}
		if o.Issued != "2026-03-02T08:31:07.000Z" || d.Issued != o.Issued {
			t.Errorf("issued %s and %s", o.Issued, d.Issued)
		}
	}
}

func TestConcept(t *testing.T) {
	const own = "urn:labcourier:code:a:b"
	tests := []struct {
		name string
		code drivers.Code
		want codeableConcept
	}{
		{"own", drivers.Code{Code: "GLU"}, codeableConcept{Coding: []coding{{System: own, Code: "GLU"}}, Text: "GLU"}},
		{"with text", drivers.Code{Code: "GLU", Text: "Glucose"},
			codeableConcept{Coding: []coding{{System: own, Code: "GLU", Display: "Glucose"}}, Text: "Glucose"}},
		{"only text", drivers.Code{Text: "Glucose"}, codeableConcept{Text: "Glucose"}},
		{"named system", drivers.Code{System: "http://loinc.org", Code: "2345-7"},
			codeableConcept{Coding: []coding{{System: "http://loinc.org", Code: "2345-7"}}, Text: "2345-7"}},
		{"system that is no URI", drivers.Code{System: "99 ROC", Code: "1"},
			codeableConcept{Coding: []coding{{System: own + ":99-roc", Code: "1"}}, Text: "1"}},
		{"the same twice", drivers.Code{Code: "1", Alt: []drivers.Code{{Code: "1"}, {Code: " "}, {System: "urn:x", Code: "1"}}},
			codeableConcept{Coding: []coding{{System: own, Code: "1"}, {System: "urn:x", Code: "1"}}, Text: "1"}},
		{"only an alternate", drivers.Code{Alt: []drivers.Code{{System: "urn:x", Code: "1", Text: "one"}}},
			codeableConcept{Coding: []coding{{System: "urn:x", Code: "1", Display: "one"}}, Text: "one"}},
		{"blanks inside a code", drivers.Code{Code: "A  B\tC"}, codeableConcept{Coding: []coding{{System: own, Code: "A B C"}}, Text: "A  B\tC"}},
		{"VITROS", drivers.Code{Code: "1.0000+002+1.0"}, codeableConcept{Coding: []coding{{System: own, Code: "1.0000+002+1.0"}}, Text: "1.0000+002+1.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, concept(tt.code, own)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestInterpretation(t *testing.T) {
	coded := func(code, display string) codeableConcept {
		return codeableConcept{Coding: []coding{{System: systemInterpretation, Code: code, Display: display}}}
	}
	tests := []struct {
		flags []string
		want  []codeableConcept
	}{
		{nil, nil},
		{[]string{"", " "}, nil},
		{[]string{"H"}, []codeableConcept{coded("H", "High")}},
		{[]string{" LL ", "A"}, []codeableConcept{coded("LL", "Critical low"), coded("A", "Abnormal")}},
		{[]string{"<", ">"}, []codeableConcept{coded("<", "Off scale low"), coded(">", "Off scale high")}},
		{[]string{"N", "U", "D", "B", "W"}, []codeableConcept{coded("N", "Normal"), coded("U", "Significant change up"),
			coded("D", "Significant change down"), coded("B", "Better"), coded("W", "Worse")}},
		{[]string{"H", "H"}, []codeableConcept{coded("H", "High")}},
		{[]string{"h", "*", "AC", "HM", "OBX", "QCF", "TOX"}, []codeableConcept{{Text: "h"}, {Text: "*"}, {Text: "AC"}, {Text: "HM"}, {Text: "OBX"}, {Text: "QCF"}, {Text: "TOX"}}},
	}
	for _, tt := range tests {
		o := observe(t, func(_ *drivers.Report, res *drivers.Result) { res.Flags = tt.flags })
		if d := cmp.Diff(tt.want, o.Interpretation); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.flags, d)
		}
	}
}

func TestObservationNamesNobody(t *testing.T) {
	r := patientReport(0, "S1", 1)
	r.Patient = drivers.Patient{PracticeID: "PRACTICE-1", LaboratoryID: "LAB-2", OtherID: "OTHER-3", Name: "Muster^Eva", Sex: "F",
		Birth: drivers.Time{Text: "19500101", Value: time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), Precision: drivers.Day}}
	r.ControlID = "CONTROL-4"
	for _, s := range mustPlan(t, testInput(r)).Steps {
		for _, e := range s.Entries {
			for _, word := range []string{"PRACTICE", "LAB-2", "OTHER", "Muster", "1950", "subject", "Patient", "CONTROL"} {
				if strings.Contains(string(e.Resource), word) {
					t.Errorf("%s of step %s holds %q", e.Type, s.Name, word)
				}
			}
		}
	}
}

func TestReportComments(t *testing.T) {
	with := func(n int) observation {
		return observe(t, func(r *drivers.Report, _ *drivers.Result) {
			for range n {
				r.Notes = append(r.Notes, drivers.Note{Source: "I", Code: "9", Text: "clot"})
			}
		})
	}
	if o := with(8); len(o.Note) != 8 || o.Note[0] != (annotation{AuthorString: "Instrument", Text: "9: clot"}) {
		t.Errorf("8 comments came to %v", o.Note)
	}
	want := []annotation{{AuthorString: "labcourier", Text: "The report of this result holds 9 comments of the analyzer."}}
	if d := cmp.Diff(want, with(9).Note); d != "" {
		t.Error(d)
	}
}
