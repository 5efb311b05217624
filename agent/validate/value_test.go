package validate

import (
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// TestValue compares what the driver read with what stands in the server's JSON.
func TestValue(t *testing.T) {
	number := func(text, number string) drivers.Value { return drivers.Value{Text: text, Number: number} }
	for _, c := range []struct {
		name        string
		sent        drivers.Result
		held        string
		value, unit Verdict // unit "": there is none
	}{
		{"the same", drivers.Result{Value: number("5.40", "5.40"), Unit: "mmol/L"}, `"valueQuantity":{"value":5.40,"unit":"mmol/L"}`, Equal, Equal},
		{"fewer digits", drivers.Result{Value: number("5.40", "5.40"), Unit: "mmol/L"}, `"valueQuantity":{"value":5.4,"unit":"mmol/L"}`, Digits, Equal},
		{"more digits", drivers.Result{Value: number("5.4", "5.4")}, `"valueQuantity":{"value":5.40}`, Digits, Equal},
		{"an exponent", drivers.Result{Value: number("540", "540")}, `"valueQuantity":{"value":5.4e2}`, Digits, Equal},
		{"a hair beside", drivers.Result{Value: number("5.40", "5.40")}, `"valueQuantity":{"value":5.400000000000001}`, Differs, Equal},
		{"a text of digits", drivers.Result{Value: number("5.40", "5.40")}, `"valueQuantity":{"value":"5.40"}`, Differs, Equal},
		{"another unit", drivers.Result{Value: number("5.40", "5.40"), Unit: "mmol/L"}, `"valueQuantity":{"value":5.40,"unit":"mg/dL"}`, Equal, Differs},
		{"the unit is lost", drivers.Result{Value: number("5.40", "5.40"), Unit: "mmol/L"}, `"valueQuantity":{"value":5.40}`, Equal, Differs},
		{"a unit from nowhere", drivers.Result{Value: number("5.40", "5.40")}, `"valueQuantity":{"value":5.40,"unit":"g/L"}`, Equal, Differs},
		{"the case of a unit", drivers.Result{Value: number("5.40", "5.40"), Unit: "mg/dL"}, `"valueQuantity":{"value":5.40,"unit":"Mg/dL"}`, Equal, Differs},
		{"off scale", drivers.Result{Value: drivers.Value{Text: "<0.1", Comparator: "<", Number: "0.1"}}, `"valueQuantity":{"value":0.1,"comparator":"<"}`, Equal, Equal},
		{"the comparator is lost", drivers.Result{Value: drivers.Value{Text: "<0.1", Comparator: "<", Number: "0.1"}}, `"valueQuantity":{"value":0.1}`, Differs, Equal},
		{"another comparator", drivers.Result{Value: drivers.Value{Text: "<0.1", Comparator: "<", Number: "0.1"}}, `"valueQuantity":{"value":0.1,"comparator":"<="}`, Differs, Equal},
		{"decimal comma", drivers.Result{Value: number("7,41", "7.41")}, `"valueQuantity":{"value":7.41}`, Equal, Equal},
		{"the sign is lost", drivers.Result{Value: number("-3.5", "-3.5")}, `"valueQuantity":{"value":3.5}`, Differs, Equal},
		{"a ratio", drivers.Result{Value: drivers.Value{Text: "1:128", Number: "1", Separator: ":", Second: "128"}}, `"valueRatio":{"numerator":{"value":1},"denominator":{"value":128}}`, Equal, Equal},
		{"another titre", drivers.Result{Value: drivers.Value{Text: "1:128", Number: "1", Separator: ":", Second: "128"}}, `"valueRatio":{"numerator":{"value":1},"denominator":{"value":12}}`, Differs, Equal},
		{"a ratio for a range", drivers.Result{Value: drivers.Value{Text: "1-2", Number: "1", Separator: "-", Second: "2"}}, `"valueRatio":{"numerator":{"value":1},"denominator":{"value":2}}`, Differs, Equal},
		{"a range", drivers.Result{Value: drivers.Value{Text: "0-5", Number: "0", Separator: "-", Second: "5"}, Unit: "/HPF"}, `"valueRange":{"low":{"value":0,"unit":"/HPF"},"high":{"value":5,"unit":"/HPF"}}`, Equal, Equal},
		{"words", drivers.Result{Value: drivers.Value{Text: "POS"}}, `"valueString":"POS"`, Equal, Equal},
		{"the case of words", drivers.Result{Value: drivers.Value{Text: "POS"}}, `"valueString":"pos"`, Differs, Equal},
		{"a unit behind words", drivers.Result{Value: drivers.Value{Text: ".5"}, Unit: "g/L"}, `"valueString":".5 g/L"`, Equal, Equal},
		{"a unit in a note", drivers.Result{Value: drivers.Value{Text: "trace"}, Unit: "g/L"}, `"valueString":"trace","note":[{"text":"Unit as sent: g/L"}]`, Equal, Equal},
		{"a unit nowhere", drivers.Result{Value: drivers.Value{Text: "trace"}, Unit: "g/L"}, `"valueString":"trace"`, Equal, Differs},
		{"a code", drivers.Result{Value: drivers.Value{Text: "POS", Code: &drivers.Code{Code: "POS", Text: "Positive"}}}, `"valueCodeableConcept":{"coding":[{"code":"POS"}],"text":"Positive"}`, Equal, Equal},
		{"another code", drivers.Result{Value: drivers.Value{Text: "POS", Code: &drivers.Code{Code: "POS", Text: "Positive"}}}, `"valueCodeableConcept":{"coding":[{"code":"NEG"}],"text":"Positive"}`, Differs, Equal},
		{"a code for a number", drivers.Result{Value: number("5", "5")}, `"valueCodeableConcept":{"text":"5"}`, Differs, Equal},
		{"nothing sent", drivers.Result{}, `"dataAbsentReason":{"coding":[{"code":"unknown"}]}`, Equal, ""},
		{"nothing held", drivers.Result{Value: number("5", "5")}, `"dataAbsentReason":{"coding":[{"code":"unknown"}]}`, Differs, ""},
		{"neither", drivers.Result{Value: number("5", "5")}, `"status":"final"`, Differs, ""},
		{"dashes", drivers.Result{Value: drivers.Value{Text: "---", Absent: "error"}}, `"dataAbsentReason":{"coding":[{"code":"error"}]}`, Equal, ""},
		{"another reason", drivers.Result{Value: drivers.Value{Text: "---", Absent: "error"}}, `"dataAbsentReason":{"coding":[{"code":"unknown"}]}`, Differs, ""},
		{"cancelled", drivers.Result{Status: drivers.StatusCancelled, Value: number("5", "5")}, `"dataAbsentReason":{"coding":[{"code":"not-performed"}]}`, Equal, ""},
		{"two values", drivers.Result{Value: number("5", "5")}, `"valueQuantity":{"value":5},"valueString":"7"`, Differs, Equal},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := readObservation([]byte(`{"resourceType":"Observation","id":"1",` + c.held + `}`))
			if o == nil {
				t.Fatal("not read")
			}
			value, unit := o.value(&c.sent)
			if value.Verdict != c.value || unit.Verdict != c.unit {
				t.Errorf("value %+v, unit %+v", value, unit)
			}
		})
	}
}

// TestSentValue shows what was sent, and how it was read where that differs.
func TestSentValue(t *testing.T) {
	for _, c := range []struct {
		v    drivers.Value
		want string
	}{
		{drivers.Value{Text: "5.40", Number: "5.40"}, "5.40"},
		{drivers.Value{Text: "< 5.40", Comparator: "<", Number: "5.40"}, "< 5.40"},
		{drivers.Value{Text: "7,41", Number: "7.41"}, "7,41 (read as 7.41)"},
		{drivers.Value{Number: "1", Separator: ":", Second: "128"}, "1:128"},
		{drivers.Value{Code: &drivers.Code{Code: "A", Text: "group A"}}, "A group A"},
	} {
		if got := sentValue(&c.v); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSameTime(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 30, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		precision drivers.Precision
		held      string
		want      bool
	}{
		{drivers.Second, "2026-11-22T08:00:30+01:00", true},
		{drivers.Second, "2026-11-22T07:00:30Z", true},
		{drivers.Second, "2026-11-22T07:00:30.000Z", true},
		{drivers.Second, "2026-11-22T08:00:30Z", false},
		{drivers.Second, "2026-11-22T07:00:31Z", false},
		{drivers.Second, "2026-11-22", false},
		{drivers.Minute, "2026-11-22T08:00:00+01:00", true},
		{drivers.Day, "2026-11-22", true},
		{drivers.Day, "2026-11-21", false},
		{drivers.Day, "2026-11", false},
		{drivers.Month, "2026-11", true},
		{drivers.Year, "2026", true},
		{drivers.Second, "", false},
	} {
		if got := sameTime(drivers.Time{Value: at, Precision: c.precision}, c.held); got != c.want {
			t.Errorf("precision %d, %q: %v", c.precision, c.held, got)
		}
	}
	if f := timeField("x", drivers.Time{}, "2026"); f == nil || f.Verdict != Differs {
		t.Errorf("a time from nowhere: %+v", f)
	}
	if f := timeField("x", drivers.Time{Text: "soon"}, ""); f == nil || f.Verdict != Skipped {
		t.Errorf("no time: %+v", f)
	}
}

// TestStatus: what nobody verified is preliminary, and nothing else is forgiven.
func TestStatus(t *testing.T) {
	for _, c := range []struct {
		sent     drivers.ResultStatus
		doubtful bool
		held     string
		want     Verdict
	}{
		{drivers.StatusFinal, false, "final", Equal},
		{drivers.StatusFinal, false, "preliminary", Differs},
		{drivers.StatusFinal, true, "preliminary", Equal},
		{drivers.StatusPreliminary, false, "final", Differs},
		{"", false, "preliminary", Equal},
		{"", false, "final", Differs},
		{drivers.StatusCancelled, false, "preliminary", Differs},
		{drivers.StatusFinal, false, "corrected", Differs},
	} {
		o := observation{Status: c.held}
		if f := o.status(&drivers.Result{Status: c.sent, Doubtful: c.doubtful}); f.Verdict != c.want {
			t.Errorf("%s %v, %s: %+v", c.sent, c.doubtful, c.held, f)
		}
	}
}

// TestRangesAndFlags: each once, in their order, as they were sent.
func TestRangesAndFlags(t *testing.T) {
	for _, c := range []struct {
		sent []string
		held string // of both
		want Verdict
	}{
		{nil, `"referenceRange":[],"interpretation":[]`, Equal},
		{[]string{"H"}, `"referenceRange":[{"text":"H"}],"interpretation":[{"coding":[{"code":"H"}]}]`, Equal},
		{[]string{"H", "odd flag"}, `"referenceRange":[{"text":"H"},{"text":"odd flag"}],"interpretation":[{"coding":[{"code":"H"}]},{"text":"odd flag"}]`, Equal},
		{[]string{"H"}, `"referenceRange":[{"text":"HH"}],"interpretation":[{"coding":[{"code":"HH"}]}]`, Differs},
		{[]string{"H"}, `"status":"final"`, Differs},
		{nil, `"referenceRange":[{"text":"N"}],"interpretation":[{"coding":[{"code":"N"}]}]`, Differs},
		{[]string{"A", "B"}, `"referenceRange":[{"text":"B"},{"text":"A"}],"interpretation":[{"text":"B"},{"text":"A"}]`, Differs},
	} {
		o := readObservation([]byte(`{` + c.held + `}`))
		res := drivers.Result{Range: c.sent, Flags: c.sent}
		if r, f := o.ranges(&res), o.flags(&res); r.Verdict != c.want || f.Verdict != c.want {
			t.Errorf("%q, %s: range %+v, flags %+v", c.sent, c.held, r, f)
		}
	}
	o := readObservation([]byte(`{"interpretation":[{"text":"H"}]}`))
	if f := o.flags(&drivers.Result{Flags: []string{"H", "", "H"}}); f.Verdict != Equal {
		t.Errorf("repeated: %+v", f)
	}
}

// FuzzRead reads whatever a server may say: it never panics, and what it calls
// equal is equal.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"resourceType":"Observation","id":"1","valueQuantity":{"value":5.40,"unit":"mmol/L"}}`,
		`{"valueRatio":{"numerator":{"value":1},"denominator":{"value":2}},"code":{"coding":[{"code":"GLU"}]}}`,
		`{"valueQuantity":{"value":1e999}}`, `{"valueQuantity":null,"valueString":null}`, `[]`, `{"note":[{}],"extension":[{"extension":[{}]}]}`,
	} {
		f.Add([]byte(seed), "5.40")
	}
	f.Fuzz(func(t *testing.T, raw []byte, number string) {
		o := readObservation(raw)
		if o == nil {
			return
		}
		res := drivers.Result{Value: drivers.Value{Text: number, Number: number}, Test: drivers.Code{Code: number}, Unit: "g/L"}
		for _, field := range o.fields(&drivers.Report{}, &res, time.Time{}) {
			if field.Name == "value" && field.Verdict == Equal && number != "" && !strings.Contains(join(string(raw)), join(number)) && !strings.Contains(string(raw), `\`) && o.ValueQuantity != nil {
				t.Errorf("%s is said to hold %q", raw, number)
			}
		}
	})
}
