package codes

import (
	"strings"
	"testing"
)

func TestUCUM(t *testing.T) {
	book := NewBook(nil, nil)
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
		got, ok := book.UCUM("", unit)
		if got != want || ok != (want != "") {
			t.Errorf("ucum(%q) = %q, %v, want %q", unit, got, ok, want)
		}
	}
}

// No spelling stands in two rows, none is of a kind that plainUnit rewrites,
// and each code is well formed.
func TestUCUMTable(t *testing.T) {
	seen := map[string]string{}
	codes := map[string]bool{}
	for _, row := range unitRows() {
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
		if wrong, _ := CheckUCUM(row.code); wrong != "" {
			t.Errorf("%q %s", row.code, wrong)
		}
	}
}
