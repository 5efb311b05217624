package codes

import (
	"slices"
	"strings"
)

// unitTable translates units as analyzers write them to UCUM. It is a table,
// case-sensitive, and knows nothing of UCUM's grammar: a unit without a row is
// not translated.
func unitTable() map[string]string {
	t := map[string]string{}
	for _, u := range unitRows() {
		for _, s := range u.sent {
			t[s] = u.code
		}
		t[u.code] = u.code
	}
	return t
}

// Units returns every UCUM code that the built-in table can give, sorted.
func Units() []string {
	var list []string
	for _, u := range unitRows() {
		list = append(list, u.code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// plainUnit writes the signs that have several forms in ASCII: both letters mu
// as u, the multiplication sign as x, and a superscript as ^ with digits.
func plainUnit(s string) string {
	if s = strings.TrimSpace(s); ascii(s) {
		return s
	}
	const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹"
	var b strings.Builder
	raised := false
	for _, r := range s {
		up := strings.IndexRune(superscripts, r)
		switch {
		case up >= 0:
			if !raised {
				b.WriteByte('^')
			}
			b.WriteByte("0123456789"[len([]rune(superscripts[:up]))])
		case r == 'µ' || r == 'μ': // U+00B5, U+03BC
			b.WriteByte('u')
		case r == '×':
			b.WriteByte('x')
		default:
			b.WriteRune(r)
		}
		raised = up >= 0
	}
	return b.String()
}

type unitRow struct {
	code string
	sent []string
}

// unitRows is every unit that is translated. What is not here stays text on
// purpose where it could mean two things:
//
//   - G/L is giga per litre to a cell counter, and grams per litre to one that
//     writes all its units in capitals, as LIS02 lets it (ISO 2955).
//   - M/L is mega or moles per litre.
//   - MG/DL and other capitals: M is milli or mega.
//   - AU, COI, S/CO, Index, R.U. are each maker's own.
//   - mg% and gr are of another time.
//
// U and IU are not the same, and never merged.
func unitRows() []unitRow {
	power := func(n, per string, more ...string) unitRow {
		row := unitRow{code: "10*" + n + "/" + per, sent: more}
		pers := []string{per}
		if per == "uL" || per == "L" {
			pers = append(pers, strings.ToLower(per))
		}
		for _, p := range pers {
			for _, ten := range []string{"10*", "10^", "10e", "10E"} {
				row.sent = append(row.sent, ten+n+"/"+p, "x"+ten+n+"/"+p, "X"+ten+n+"/"+p)
			}
		}
		return row
	}
	return append(concentrations(),
		power("2", "uL"),
		power("3", "uL", "K/uL", "K/ul"),
		power("4", "uL"),
		power("6", "uL", "M/uL", "M/ul"),
		power("6", "L"),
		power("9", "L"),
		power("12", "L", "T/L"),
		power("3", "mm3"),
		power("6", "mm3"),
		unitRow{"/uL", []string{"/uL", "/ul"}},
		unitRow{"/mm3", []string{"/mm3", "/mm^3"}},
		unitRow{"um3", []string{"um3", "um^3"}},
		unitRow{"{cells}/uL", []string{"cells/uL", "cells/ul"}},
		unitRow{"/[HPF]", []string{"/HPF", "/hpf"}},
		unitRow{"/[LPF]", []string{"/LPF", "/lpf"}},
		unitRow{"{copies}/mL", []string{"copies/mL", "copies/ml", "cp/mL", "cp/ml"}},
		unitRow{"{Log_copies}/mL", []string{"log copies/mL", "log copies/ml", "Log copies/mL", "log10 copies/mL"}},
		unitRow{"%", []string{"%", "NGSP %"}},
		unitRow{"fL", []string{"fL", "fl"}},
		unitRow{"pg", []string{"pg"}},
		unitRow{"L/L", []string{"L/L", "l/l"}},
		unitRow{"mm/h", []string{"mm/h", "mm/hr"}},
		unitRow{"mm[Hg]", []string{"mmHg", "mm[Hg]"}},
		unitRow{"kPa", []string{"kPa"}},
		unitRow{"s", []string{"s", "sec"}},
		unitRow{"min", []string{"min"}},
		unitRow{"{INR}", []string{"INR", "{INR}"}},
		unitRow{"{ratio}", []string{"ratio", "Ratio", "{ratio}"}},
		unitRow{"[pH]", []string{"pH", "[pH]"}},
		unitRow{"Cel", []string{"°C", "Cel"}},
		unitRow{"mosm/kg", []string{"mOsm/kg", "mosm/kg"}},
		unitRow{"mosm/L", []string{"mOsm/L", "mosm/L"}},
		unitRow{"mL/min", []string{"mL/min", "ml/min"}},
		unitRow{"mL/min/{1.73_m2}", []string{"mL/min/1.73m2", "ml/min/1.73m2", "mL/min/1.73m^2", "ml/min/1.73m^2", "mL/min/1.73 m2", "mL/min/{1.73_m2}"}},
	)
}

// concentrations are the rows of amounts and activities in a volume or mass.
func concentrations() []unitRow {
	return []unitRow{
		{"g/dL", []string{"g/dL", "g/dl", "gm/dL", "gm/dl"}},
		{"g/L", []string{"g/L", "g/l"}},
		{"mg/dL", []string{"mg/dL", "mg/dl"}},
		{"mg/L", []string{"mg/L", "mg/l"}},
		{"mg/mL", []string{"mg/mL", "mg/ml"}},
		{"ug/dL", []string{"ug/dL", "ug/dl", "mcg/dL", "mcg/dl"}},
		{"ug/L", []string{"ug/L", "ug/l", "mcg/L", "mcg/l"}},
		{"ug/mL", []string{"ug/mL", "ug/ml", "mcg/mL", "mcg/ml"}},
		{"ng/dL", []string{"ng/dL", "ng/dl"}},
		{"ng/L", []string{"ng/L", "ng/l"}},
		{"ng/mL", []string{"ng/mL", "ng/ml"}},
		{"pg/dL", []string{"pg/dL", "pg/dl"}},
		{"pg/L", []string{"pg/L", "pg/l"}},
		{"pg/mL", []string{"pg/mL", "pg/ml"}},
		{"mol/L", []string{"mol/L", "mol/l"}},
		{"mmol/L", []string{"mmol/L", "mmol/l"}},
		{"umol/L", []string{"umol/L", "umol/l"}},
		{"nmol/L", []string{"nmol/L", "nmol/l"}},
		{"pmol/L", []string{"pmol/L", "pmol/l"}},
		{"fmol/L", []string{"fmol/L", "fmol/l"}},
		{"meq/L", []string{"mEq/L", "mEq/l", "meq/L", "meq/l"}},
		{"mmol/mol", []string{"mmol/mol"}},
		{"mg/mmol", []string{"mg/mmol"}},
		{"mg/g", []string{"mg/g"}},
		{"ug/mg", []string{"ug/mg", "mcg/mg"}},
		{"U/L", []string{"U/L", "U/l", "u/l"}},
		{"U/mL", []string{"U/mL", "U/ml"}},
		{"mU/L", []string{"mU/L", "mU/l"}},
		{"mU/mL", []string{"mU/mL", "mU/ml"}},
		{"uU/mL", []string{"uU/mL", "uU/ml"}},
		{"kU/L", []string{"kU/L", "kU/l"}},
		{"[IU]/L", []string{"IU/L", "IU/l", "[IU]/L"}},
		{"[IU]/mL", []string{"IU/mL", "IU/ml", "[IU]/mL"}},
		{"m[IU]/L", []string{"mIU/L", "mIU/l", "m[IU]/L"}},
		{"m[IU]/mL", []string{"mIU/mL", "mIU/ml", "m[IU]/mL"}},
		{"u[IU]/mL", []string{"uIU/mL", "uIU/ml", "u[IU]/mL"}},
		{"k[IU]/L", []string{"kIU/L", "kIU/l", "k[IU]/L"}},
		{"ukat/L", []string{"ukat/L", "ukat/l"}},
		{"nkat/L", []string{"nkat/L", "nkat/l"}},
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] > 0x7e {
			return false
		}
	}
	return true
}
