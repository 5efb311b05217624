package fhir

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// FuzzPlan maps whatever a driver could read out of a message. A plan never
// panics, is FHIR's kind of JSON, resolves, is the same the second time, and
// has the digits of the analyzer or its text.
func FuzzPlan(f *testing.F) {
	f.Add("S1", "GLU", "", "5.40", "<", "5.40", "", "", "mmol/l", "3.5-5.1", "H", "final", "", "note", int64(1_772_440_267), uint8(5), uint8(0))
	f.Add("S1", "ANA", "titre", "1:128", "", "1", ":", "128", "", "<5", "<", "", "", "", int64(0), uint8(0), uint8(1))
	f.Add("12\x00", "", "x", "---", "", "", "", "", "%", "0-0", "*", "cancelled", "error", "\x01", int64(-62_135_596_801), uint8(7), uint8(2))
	f.Add("urn:uuid:1", `"reference":"urn:uuid:1"`, "<&>", "\u2028", "~", "1e9", "-", "1e-9", "10³/µL", "a", "\xff", "odd", "clot", "", int64(1), uint8(200), uint8(255))
	f.Add("S1", "CAL", "", "20260301143000.25", "", "", "", "", "d", "", "", "final", "", "20260301143000.25", int64(1_772_375_400), uint8(6), uint8(128))
	f.Add("S1", "INC", "", "08:45:12.50", "", "", "", "", "", "", "", "", "", "", int64(0), uint8(0), uint8(129))
	f.Fuzz(func(t *testing.T, id, code, system, text, comparator, number, separator, second, unit, ranges, flag, status, absent, note string, at int64, precision, bits uint8) {
		bit := func(n int) bool { return bits>>n&1 == 1 }
		when := drivers.Time{Text: note, Value: time.Unix(at, 0).In(time.FixedZone("", int(at%60_000))), Precision: drivers.Precision(precision), Ambiguous: bit(0)}
		value := drivers.Value{Text: text, Comparator: comparator, Number: number, Separator: separator, Second: second, Absent: absent}
		if bit(1) {
			value.Code = &drivers.Code{System: system, Code: text, Text: note, Alt: []drivers.Code{{Code: code}}}
		}
		var until drivers.Time
		if bit(7) {
			value.Time, value.Clock = when, text
		}
		if bit(7) && bit(3) {
			until = drivers.Time{Text: text, Value: when.Value.Add(time.Duration(at)), Precision: drivers.Precision(bits % 8), Ambiguous: bit(1)}
			value.Until = until
		}
		res := drivers.Result{
			Test: drivers.Code{System: system, Code: code, Text: note, Alt: []drivers.Code{{System: note, Code: text}}}, Value: value, Unit: unit,
			Range: []string{ranges, note}, Flags: []string{flag, note}, Status: drivers.ResultStatus(status), StatusRaw: flag,
			Previous: bit(2), Doubtful: bit(3), Completed: when, Operator: note, Verifier: id, Instrument: system, Method: code,
			Notes: []drivers.Note{{Source: flag, Code: code, Text: note}},
		}
		other := res
		other.Index, other.Started, other.Completed = 1, when, drivers.Time{}
		r := drivers.Report{
			Purpose: drivers.ForPatient, Sender: drivers.Sender{Name: system, Model: code, Version: unit, Serial: note},
			Specimen: drivers.Specimen{ID: id, InstrumentID: note, Type: system, Source: code},
			Order:    drivers.Order{Tests: []drivers.Code{res.Test, {Code: flag}}, Status: drivers.ResultStatus(absent), Reported: when, Until: until},
			Results:  []drivers.Result{res, other}, Notes: res.Notes, Problems: []string{note, "R.13"},
		}
		if bit(7) {
			r.Order.Observed = when
		}
		if bit(4) {
			r.Specimen.Collected, r.Specimen.Received = when, when
		}
		twin := r
		twin.Index, twin.Specimen.Type = 1, note
		in := Input{Key: testKey, Received: testReceived, Source: Source{Name: "x" + id, Manufacturer: note}, Reports: []drivers.Report{r, twin},
			Choices: Choices{Raw: bit(5), Provenance: bit(6)}, Payload: []byte(text), MediaType: system}

		p, err := testMapper().Plan(in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := testMapper().Plan(in)
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("the second plan is another one: %v", err)
		}
		checkPlan(t, p)
		for _, e := range entries(p, StepObservations) {
			checkObservation(t, e, value)
		}
	})
}

// isDateTime reports whether s is a FHIR dateTime (R4, datatypes).
func isDateTime(s string) bool {
	layout := "2006-01-02T15:04:05Z07:00" // reads a fraction as well
	if len(s) <= len(time.DateOnly) {
		layout = time.DateOnly[:len(s)]
	}
	_, err := time.Parse(layout, s)
	return err == nil
}

// checkObservation checks an observation of value v.
func checkObservation(t *testing.T, e Entry, v drivers.Value) {
	t.Helper()
	var o struct {
		ValueQuantity *struct{ Value json.RawMessage }
		ValueRatio    *struct {
			Numerator, Denominator struct{ Value json.RawMessage }
		}
		ValueRange *struct {
			Low, High struct{ Value json.RawMessage }
		}
		ValueString          string
		ValueCodeableConcept json.RawMessage
		DataAbsentReason     json.RawMessage
		ValueDateTime        string
		ValueTime            string
		ValuePeriod          *period
	}
	if err := json.Unmarshal(e.Resource, &o); err != nil {
		t.Fatal(err)
	}
	has := 0
	for _, there := range []bool{o.ValueQuantity != nil, o.ValueRatio != nil, o.ValueRange != nil, o.ValueString != "",
		o.ValueCodeableConcept != nil, o.DataAbsentReason != nil, o.ValueDateTime != "", o.ValueTime != "", o.ValuePeriod != nil} {
		if there {
			has++
		}
	}
	if has != 1 {
		t.Fatalf("%d of the members for a value are there", has)
	}
	switch {
	case o.ValueDateTime != "":
		if !isDateTime(o.ValueDateTime) {
			t.Fatalf("%s is no dateTime", o.ValueDateTime)
		}
	case o.ValuePeriod != nil:
		if !isDateTime(o.ValuePeriod.Start) || !isDateTime(o.ValuePeriod.End) {
			t.Fatalf("%+v is no period", o.ValuePeriod)
		}
	case o.ValueTime != "":
		if o.ValueTime != v.Clock || !isClock(v.Clock) {
			t.Fatalf("%q came out as %q", v.Clock, o.ValueTime)
		}
	case o.ValueQuantity != nil:
		if string(o.ValueQuantity.Value) != v.Number {
			t.Fatalf("number %s came out as %s", v.Number, o.ValueQuantity.Value)
		}
	case o.ValueRatio != nil:
		if string(o.ValueRatio.Numerator.Value) != v.Number || string(o.ValueRatio.Denominator.Value) != v.Second {
			t.Fatal("the numbers of a ratio changed")
		}
	case o.ValueRange != nil:
		if string(o.ValueRange.Low.Value) != v.Number || string(o.ValueRange.High.Value) != v.Second {
			t.Fatal("the numbers of a range changed")
		}
	case o.ValueString != "" && clean(v.Text) != "":
		if !strings.HasPrefix(o.ValueString, clean(v.Text)) {
			t.Fatal("the text of a value changed")
		}
	}
}

// FuzzParseLimits: limits are decimals that stand in the text as they are, in
// its order, and the lower is below the upper.
func FuzzParseLimits(f *testing.F) {
	for _, s := range []string{"4.00-10.00", "-2--1", "3.5 to 4.5", "<5 %", ">=1", "0^0", "1e1-2", "4-10 10*3/uL"} {
		f.Add(s, "%")
	}
	f.Fuzz(func(t *testing.T, text, unit string) {
		low, high := parseLimits(text, unit)
		if low != "" && !isDecimal(low) || high != "" && !isDecimal(high) {
			t.Fatalf("limits %q, %q are no numbers", low, high)
		}
		i := strings.Index(text, low)
		if i < 0 || !strings.Contains(text[i+len(low):], high) {
			t.Fatalf("limits %q, %q are not in %q", low, high, text)
		}
		if low != "" && high != "" && !less(low, high) {
			t.Fatalf("limits %q, %q are upside down", low, high)
		}
		if low == "" && high == "" {
			return
		}
		rest := strings.Replace(strings.Replace(text, low, "", 1), high, "", 1)
		for _, rest := range []string{rest, strings.TrimSuffix(rest, unit)} {
			switch strings.TrimSpace(rest) {
			case "-", "^", "to", "<", ">", "<=", ">=":
				return
			}
		}
		t.Fatalf("more than limits was left of %q: %q", text, rest)
	})
}

// FuzzIsDecimal: what is taken is a JSON number, and stays what it is.
func FuzzIsDecimal(f *testing.F) {
	for _, s := range []string{"5.40", "-0", "1e5", ".5", "05", "1E+99", "1e100"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !isDecimal(s) {
			return
		}
		var buf encodeBuffer
		raw, err := buf.encode(quantity{Value: json.Number(s)})
		if err != nil || !json.Valid(raw) || !bytes.Equal(raw, []byte(`{"value":`+s+`}`)) {
			t.Fatalf("%q came out as %s, %v", s, raw, err)
		}
	})
}
