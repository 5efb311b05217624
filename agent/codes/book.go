package codes

import (
	"fmt"
	"slices"
	"strings"
)

// Row says that an analyzer's test is a LOINC code, and when.
type Row struct {
	// Who sends it; empty means everybody. Analyzer is a name of the
	// configuration.
	Analyzer     string `json:"analyzer,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`

	Code string `json:"code,omitempty"` // as the analyzer sends it
	Name string `json:"name,omitempty"` // the maker's name for it

	// As sent: the row is for results with this unit, on this specimen only.
	Unit     string `json:"unit,omitempty"`
	Specimen string `json:"specimen,omitempty"`

	// Result is the unit that a catalogue gives, in the maker's own writing: it
	// excludes results in units of another kind.
	Result string `json:"result,omitempty"`

	LOINC    string `json:"loinc,omitempty"` // "" with None
	Display  string `json:"display,omitempty"`
	Property string `json:"property,omitempty"` // of the LOINC code: "MCnc"
	System   string `json:"system,omitempty"`   // "Ser/Plas"
	Scale    string `json:"scale,omitempty"`    // "Qn"

	None bool `json:"none,omitempty"` // there is no LOINC code for it, on purpose

	At string `json:"at,omitempty"` // where the row stands: "codes.toml:12"
}

// UnitRow says that a unit as sent is a UCUM code.
type UnitRow struct {
	Analyzer string `json:"analyzer,omitempty"` // "": everybody
	Sent     string `json:"sent,omitempty"`
	UCUM     string `json:"ucum,omitempty"` // "": knowingly none, and not the built-in table's either
	At       string `json:"at,omitempty"`
}

// Question is one result to be coded.
type Question struct {
	Analyzer, Manufacturer, Model string

	Code     string
	Unit     string // as sent
	UCUM     string // of Unit, "" if unknown
	Specimen string // type as sent
	Numeric  bool   // the value is a number
}

// Answer is a LOINC code, or why there is none.
type Answer struct {
	LOINC   string
	Display string

	// Why is empty with a LOINC code, and where a row says that there is none.
	Why        string
	Candidates []Row // what would have to be told apart
}

// Book answers questions. It does not change, and may be used by several
// goroutines at once.
type Book struct {
	levels    [4]map[string][]entry // analyzer, model, all; catalogues: each by code
	units     map[unitKey]string
	materials map[string][]string
}

// entry is a row with what its words mean.
type entry struct {
	Row
	result    string   // Result in UCUM
	materials []string // of System; nil: judge nothing by it
}

type unitKey struct{ analyzer, unit string }

// NewBook makes a Book of a person's rows and of catalogues.
func NewBook(own []Row, units []UnitRow, catalogues ...[]Row) *Book {
	b := &Book{units: map[unitKey]string{}, materials: materials()}
	for sent, code := range unitTable() {
		b.units[unitKey{"", sent}] = code
	}
	for i := range b.levels {
		b.levels[i] = map[string][]entry{}
	}
	for _, r := range own {
		b.add(level(r), r)
	}
	for _, rows := range catalogues {
		for _, r := range rows {
			b.add(3, r)
		}
	}
	for _, u := range units {
		b.units[unitKey{u.Analyzer, plainUnit(u.Sent)}] = u.UCUM
	}
	return b
}

func (b *Book) add(level int, r Row) {
	e := entry{Row: r, result: b.units[unitKey{"", plainUnit(r.Result)}], materials: b.materialsOf(r.System)}
	b.levels[level][r.Code] = append(b.levels[level][r.Code], e)
}

func level(r Row) int {
	switch {
	case r.Analyzer != "":
		return 0
	case r.Model != "" || r.Manufacturer != "":
		return 1
	}
	return 2
}

// UCUM returns the UCUM code of a unit as an analyzer writes it.
func (b *Book) UCUM(analyzer, unit string) (code string, ok bool) {
	code, _ = b.Unit(analyzer, unit)
	return code, code != ""
}

// Unit is UCUM, which also tells a unit that is known to have no code from one
// that is not known.
func (b *Book) Unit(analyzer, unit string) (code string, known bool) {
	if unit == "" {
		return "", false
	}
	unit = plainUnit(unit)
	if code, known = b.units[unitKey{analyzer, unit}]; !known {
		code, known = b.units[unitKey{"", unit}]
	}
	return code, known
}

// Test finds the LOINC code of a result.
func (b *Book) Test(q Question) Answer {
	why := "no row for this code"
	var excluded []Row
	for _, rows := range b.levels {
		var left []Row
		for i := range rows[q.Code] {
			e := &rows[q.Code][i]
			if !e.isOf(q) {
				continue
			}
			if what := b.contradicts(e, q); what != "" {
				why = "its rows are for other results: " + what
				excluded = append(excluded, e.Row)
				continue
			}
			left = append(left, e.Row)
		}
		if len(left) > 0 {
			return choose(closest(left))
		}
	}
	return Answer{Why: why, Candidates: excluded}
}

// choose answers with what the rows agree on.
func choose(rows []Row) Answer {
	first := rows[0]
	for _, r := range rows[1:] {
		if r.LOINC != first.LOINC {
			return Answer{Why: fmt.Sprintf("%d LOINC codes are possible", distinct(rows)), Candidates: rows}
		}
	}
	for _, r := range rows { // rows of one code may differ in how much they say
		if first.Display == "" {
			first.Display = r.Display
		}
	}
	return Answer{LOINC: first.LOINC, Display: first.Display}
}

func distinct(rows []Row) int {
	var seen []string
	for _, r := range rows {
		if !slices.Contains(seen, r.LOINC) {
			seen = append(seen, r.LOINC)
		}
	}
	return len(seen)
}

// closest keeps the rows that name the most of unit and specimen.
func closest(rows []Row) []Row {
	named := func(r Row) (n int) {
		if r.Unit != "" {
			n++
		}
		if r.Specimen != "" {
			n++
		}
		return n
	}
	most := 0
	for _, r := range rows {
		most = max(most, named(r))
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return named(r) < most })
}

// isOf reports whether the row is for the analyzer that asks.
func (r Row) isOf(q Question) bool {
	if r.Analyzer != "" {
		return r.Analyzer == q.Analyzer
	}
	return r.IsFor(q.Manufacturer, q.Model)
}

// IsFor reports whether the row is for an analyzer of that make. Models are
// compared by letters and digits; of makers, who have many forms of their
// names ("Roche", "Roche Diagnostics"), by the first word.
func (r Row) IsFor(manufacturer, model string) bool {
	if r.Model != "" && squash(r.Model) != squash(model) {
		return false
	}
	return r.Manufacturer == "" || manufacturer == "" || firstWord(r.Manufacturer) == firstWord(manufacturer)
}

// contradicts says what of the result does not fit the row, "" if all does.
func (b *Book) contradicts(e *entry, q Question) string {
	switch {
	case e.Unit != "" && plainUnit(e.Unit) != plainUnit(q.Unit):
		return "another unit"
	case e.Specimen != "" && !strings.EqualFold(e.Specimen, q.Specimen):
		return "another specimen"
	case !propertyFits(e.Property, q.UCUM), !sameKind(e.result, q.UCUM):
		return "another kind of unit"
	case e.materials != nil && q.Specimen != "" && apart(e.materials, b.materialsOf(q.Specimen)):
		return "another kind of specimen"
	case q.Numeric && isWords(e.Scale):
		return "results in words"
	}
	return ""
}

func isWords(scale string) bool { return scale == "Ord" || scale == "Nom" || scale == "Nar" }

// squash keeps letters and digits, in lower case.
func squash(s string) string {
	return strings.Map(func(r rune) rune {
		if isWordRune(r) {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func firstWord(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !isWordRune(r) })
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// isWordRune takes all letters of other alphabets for what they are.
func isWordRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r > 0x7f
}
