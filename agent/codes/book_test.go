package codes

import (
	"testing"
)

// glucose is a catalogue's many LOINC codes for one test.
func glucose() []Row {
	row := func(loinc, property, system string) Row {
		return Row{Manufacturer: "Roche Diagnostics", Model: "cobas c 311", Code: "8717", LOINC: loinc, Property: property, System: system, Scale: "Qn"}
	}
	return []Row{
		row("2345-7", "MCnc", "Ser/Plas"), row("14749-6", "SCnc", "Ser/Plas"),
		row("2342-4", "MCnc", "CSF"), row("14744-7", "SCnc", "CSF"),
		row("2350-7", "MCnc", "Urine"), row("15076-3", "SCnc", "Urine"),
		{Manufacturer: "Roche Diagnostics", Model: "cobas c 311", Code: "890", LOINC: "4548-4", Property: "MFr", System: "Bld"},
		{Manufacturer: "Abbott", Model: "ARCHITECT c8000", Code: "1069", LOINC: "2345-7", Property: "MCnc"},
		{Model: "i2000", Code: "HBS", LOINC: "5196-1", Scale: "Ord"},
		{Model: "i2000", Code: "AB", LOINC: "16935-9", Result: "mIU/mL"},
	}
}

func TestTest(t *testing.T) {
	own := []Row{
		{Code: "K", LOINC: "2823-3"},
		{Model: "cobas c311", Code: "K", LOINC: "6298-4"},
		{Analyzer: "left", Code: "K", LOINC: "77142-8"},
		{Analyzer: "left", Code: "890", None: true},
		{Analyzer: "left", Code: "CREA", Specimen: "U", LOINC: "2161-8"},
		{Analyzer: "left", Code: "CREA", LOINC: "2160-0"},
		{Analyzer: "left", Code: "X", Unit: "g/L", LOINC: "718-7"},
		{Analyzer: "left", Code: "X", Specimen: "U", LOINC: "785-6"},
	}
	b := NewBook(own, nil, glucose())
	q := func(code, unit, specimen string) Question {
		q := Question{Analyzer: "right", Manufacturer: "Roche", Model: "Cobas C311", Code: code, Unit: unit, Specimen: specimen, Numeric: true}
		q.UCUM, _ = b.UCUM("", unit)
		return q
	}
	left := func(q Question) Question { q.Analyzer = "left"; return q }
	of := func(q Question, maker, model string) Question { q.Manufacturer, q.Model = maker, model; return q }
	for _, tt := range []struct {
		name       string
		q          Question
		loinc, why string
		candidates int
	}{
		{"unit and specimen", q("8717", "mg/dL", "SER"), "2345-7", "", 0},
		{"another unit", q("8717", "mmol/l", "Serum"), "14749-6", "", 0},
		{"another specimen", q("8717", "mg/dL", "Urine"), "2350-7", "", 0},
		{"an analyzer's word for a specimen is not known", q("8717", "mg/dL", "1"), "", "3 LOINC codes are possible", 3},
		{"no specimen", q("8717", "mg/dL", ""), "", "3 LOINC codes are possible", 3},
		{"no unit", q("8717", "", "UR"), "", "2 LOINC codes are possible", 2},
		{"a unit that is not known", q("8717", "MG/DL", "UR"), "", "2 LOINC codes are possible", 2},
		{"nothing fits the unit", q("8717", "U/L", "SER"), "", "its rows are for other results: another kind of unit", 6},
		{"the only row contradicts", q("890", "g/L", ""), "", "its rows are for other results: another kind of unit", 1},
		{"a fraction in percent", q("890", "%", "WB"), "4548-4", "", 0},
		{"knowingly none", left(q("890", "%", "WB")), "", "", 0},
		{"another model", q("1069", "mg/dL", ""), "", "no row for this code", 0},
		{"its own model", of(q("1069", "mg/dL", ""), "Abbott Diagnostics", "Architect C8000"), "2345-7", "", 0},
		{"another maker", of(q("1069", "mg/dL", ""), "Roche", "Architect C8000"), "", "no row for this code", 0},
		{"words for a number", of(q("HBS", "", ""), "", "i2000"), "", "its rows are for other results: results in words", 1},
		{"the unit that a catalogue gives", of(q("AB", "mg/dL", ""), "", "i2000"), "", "its rows are for other results: another kind of unit", 1},
		{"of one analyzer before its model", left(q("K", "mmol/L", "")), "77142-8", "", 0},
		{"of one model before all", q("K", "mmol/L", ""), "6298-4", "", 0},
		{"of all", of(q("K", "mmol/L", ""), "", ""), "2823-3", "", 0},
		{"the row that names the specimen", left(q("CREA", "mg/dL", "u")), "2161-8", "", 0},
		{"the row that does not", left(q("CREA", "mg/dL", "P")), "2160-0", "", 0},
		{"two rows that say as much", left(q("X", "g/L", "U")), "", "2 LOINC codes are possible", 2},
		{"a code that is not there", q("nothing", "", ""), "", "no row for this code", 0},
		{"case counts", q("k", "", ""), "", "no row for this code", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := b.Test(tt.q)
			if a.LOINC != tt.loinc || a.Why != tt.why || len(a.Candidates) != tt.candidates {
				t.Errorf("got %q, %q with %d candidates, want %q, %q with %d", a.LOINC, a.Why, len(a.Candidates), tt.loinc, tt.why, tt.candidates)
			}
		})
	}
}

func TestOwnUnits(t *testing.T) {
	b := NewBook(nil, []UnitRow{
		{Sent: "G/L", UCUM: "10*9/L"}, {Analyzer: "chem", Sent: "G/L", UCUM: "g/L"}, {Analyzer: "chem", Sent: "ratio"},
	})
	for _, tt := range []struct {
		analyzer, unit, want string
		known                bool
	}{
		{"cells", "G/L", "10*9/L", true}, {"chem", "G/L", "g/L", true},
		{"chem", "ratio", "", true}, {"cells", "ratio", "{ratio}", true}, {"cells", "AU/mL", "", false}, {"cells", "", "", false},
	} {
		if got, known := b.Unit(tt.analyzer, tt.unit); got != tt.want || known != tt.known {
			t.Errorf("%s %q: %q, %v, want %q, %v", tt.analyzer, tt.unit, got, known, tt.want, tt.known)
		}
	}
}

func TestCheckLOINC(t *testing.T) {
	for code, good := range map[string]bool{
		"2345-7": true, "14749-6": true, "718-7": true, "4548-4": true, "94500-6": true, "100156-9": true,
		"2345-8": false, "2354-7": false, "2345": false, "2345-77": false, "-7": false, "": false, "LP123-4": false, "2345 -7": false, "12345678-9": false,
	} {
		if wrong := CheckLOINC(code); (wrong == "") != good {
			t.Errorf("%q: %q", code, wrong)
		}
	}
}

func TestCheckUCUM(t *testing.T) {
	for code, want := range map[string]string{
		"mg/dL": "", "10*3/uL": "", "10*-3/L": "", "[IU]/mL": "", "k[IU]/L": "", "mL/min/{1.73_m2}": "", "{copies}/mL": "", "/[HPF]": "",
		"m[H2O]": "unknown", "mm[Hg]": "", "g{hemoglobin}": "", "(mg.L)/s": "", "mm2": "", "s-1": "", "1": "", "{INR}": "", "daL": "", "g/(12.h)": "",
		"": "wrong", "mg/": "wrong", "mg//dL": "wrong", "mg dL": "wrong", "{open": "wrong", "(mg": "wrong", "mg)": "wrong", "µg": "wrong", "a{b{c}}": "wrong",
		"MG/DL": "unknown", "K/uL": "", "mIU/mL": "unknown", "IU/L": "unknown", "foo": "unknown", "mmin": "unknown", "k%": "unknown",
		"((((((((g))))))))": "wrong",
	} {
		wrong, certain := CheckUCUM(code)
		got := ""
		if wrong != "" {
			got = map[bool]string{true: "wrong", false: "unknown"}[certain]
		}
		if got != want {
			t.Errorf("%q: %s (%s), want %s", code, got, wrong, want)
		}
	}
}
