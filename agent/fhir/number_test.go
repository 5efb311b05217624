package fhir

import (
	"strings"
	"testing"
)

func TestIsDecimal(t *testing.T) {
	yes := []string{"0", "-0", "0.0", "5.40", "-12.5", "1e5", "1E-05", "1.0e+9", "123456789012345678", "0.00000000000000001"}
	no := []string{"", "-", ".5", "5.", "05", "00", "+5", "5,4", "1e", "1e+", "1e999", "1e5x", "1 ", " 1", "0x1", "NaN", "1.2.3",
		"1234567890123456789", "0.123456789012345678", "--1", "1e1.0", "١"}
	for _, s := range yes {
		if !isDecimal(s) {
			t.Errorf("%q was not taken", s)
		}
	}
	for _, s := range no {
		if isDecimal(s) {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestParseLimits(t *testing.T) {
	tests := []struct{ text, unit, low, high string }{
		{"4.00-10.00", "", "4.00", "10.00"},
		{"4 - 10", "", "4", "10"},
		{"3.5 to 4.5", "", "3.5", "4.5"},
		{"3.5to4.5", "", "3.5", "4.5"},
		{"0.27^4.2", "", "0.27", "4.2"},
		{"-2-3", "", "-2", "3"},
		{"-2--1", "", "-2", "-1"},
		{"-2 - -1", "", "-2", "-1"},
		{"<5.0", "", "", "5.0"},
		{"< 5.0", "", "", "5.0"},
		{"<=5", "", "", "5"},
		{">1", "", "1", ""},
		{">= 1", "", "1", ""},
		{"3.5-5.1 mmol/L", "mmol/L", "3.5", "5.1"},
		{"0-5%", "%", "0", "5"},
		{"<5 ng/mL", "ng/mL", "", "5"},
		{"4-10 10*3/uL", "10*3/uL", "4", "10"},

		{"4-1010*3/uL", "10*3/uL", "", ""}, // where does the number end?
		{"3.5-5.1 mmol/L", "mg/dL", "", ""},
		{"3.5-5.1 mmol/L", "", "", ""},
		{"10-4", "", "", ""},
		{"0-0", "", "", ""},
		{"0 to 0.00", "", "", ""},
		{"5", "", "", ""},
		{"-5", "", "", ""},
		{"5-", "", "", ""},
		{"^5", "", "", ""},
		{"<", "", "", ""},
		{"<-", "", "", ""},
		{"1-2-3", "", "", ""},
		{"03-05", "", "", ""},
		{"1.-2.", "", "", ""},
		{"1e1-2e1", "", "", ""},
		{"3,5-4,5", "", "", ""},
		{"negative", "", "", ""},
		{"M: 4-5", "", "", ""},
		{"4..5", "", "", ""},
		{"<5>3", "", "", ""},
		{"%", "%", "", ""},
		{"", "", "", ""},
	}
	for _, tt := range tests {
		if low, high := parseLimits(tt.text, tt.unit); low != tt.low || high != tt.high {
			t.Errorf("parseLimits(%q, %q) = %q, %q, want %q, %q", tt.text, tt.unit, low, high, tt.low, tt.high)
		}
	}
}

func TestUCUM(t *testing.T) {
	tab := newTables()
	tests := map[string]string{
		// Every row that laboratories asked for, and its spellings.
		"10^3/uL": "10*3/uL", "10e3/uL": "10*3/uL", "x10E3/uL": "10*3/uL", "x10^3/uL": "10*3/uL", "K/uL": "10*3/uL",
		"10*3/ul": "10*3/uL", "10³/µL": "10*3/uL", "10³/μL": "10*3/uL", "×10³/µl": "10*3/uL",
		"10^9/L": "10*9/L", "x10E9/L": "10*9/L", "10*9/L": "10*9/L", "10⁹/L": "10*9/L",
		"10^12/L": "10*12/L", "10¹²/L": "10*12/L", "T/L": "10*12/L",
		"M/uL": "10*6/uL", "10^6/uL": "10*6/uL",
		"mcg/dL": "ug/dL", "µg/dL": "ug/dL", "mg/dl": "mg/dL", "mmol/l": "mmol/L", "umol/l": "umol/L", "µmol/L": "umol/L", "μmol/L": "umol/L",
		"U/L": "U/L", "u/l": "U/L", "IU/L": "[IU]/L", "mIU/L": "m[IU]/L", "uIU/mL": "u[IU]/mL", "µIU/mL": "u[IU]/mL", "uIU/ml": "u[IU]/mL",
		"ng/ml": "ng/mL", "pg/ml": "pg/mL", "%": "%", "fL": "fL", "pg": "pg", "g/dl": "g/dL", "mEq/L": "meq/L", "mmHg": "mm[Hg]", "sec": "s",
		"INR": "{INR}", "ratio": "{ratio}", "copies/mL": "{copies}/mL", "cp/mL": "{copies}/mL", "log copies/mL": "{Log_copies}/mL",
		"cells/uL": "{cells}/uL", "/HPF": "/[HPF]", "mOsm/kg": "mosm/kg", "NGSP %": "%", "mL/min/1.73m²": "mL/min/{1.73_m2}", "°C": "Cel", "µm³": "um3", "/mm3": "/mm3",

		// What could mean two things, or is no unit of UCUM, stays text.
		"G/L": "", "M/L": "", "MG/DL": "", "MMOL/L": "", "g/DL": "", "k/uL": "", "AU/mL": "", "COI": "", "S/CO": "", "Index": "", "mg%": "",
		"": "", " ": "", "10^3": "", "10^5/L": "", "³": "", "mg/dL ": "mg/dL", "foo": "", "10⁻³/L": "",
	}
	for unit, want := range tests {
		got, ok := tab.ucum(unit)
		if got != want || ok != (want != "") {
			t.Errorf("ucum(%q) = %q, %v, want %q", unit, got, ok, want)
		}
	}
}

// No spelling stands in two rows, none is of a kind that plainUnit rewrites,
// and each code that is not an analyzer's spelling is at least well formed.
func TestUCUMTable(t *testing.T) {
	seen := map[string]string{}
	codes := map[string]bool{}
	for _, row := range unitTable() {
		if codes[row.code] {
			t.Errorf("two rows for %s", row.code)
		}
		codes[row.code] = true
		for _, s := range row.sent {
			if was, ok := seen[s]; ok {
				t.Errorf("%q is in the rows of %s and %s", s, was, row.code)
			}
			seen[s] = row.code
			if plainUnit(s) != s && !strings.Contains(s, "°") {
				t.Errorf("%q of row %s can never match", s, row.code)
			}
		}
		if strings.Count(row.code, "[") != strings.Count(row.code, "]") || strings.Count(row.code, "{") != strings.Count(row.code, "}") ||
			strings.ContainsAny(row.code, " ^") || row.code != clean(row.code) {
			t.Errorf("%q is not UCUM", row.code)
		}
	}
}
