package text

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// Rule reads one kind of record.
type Rule struct {
	// Match is a regular expression for the records that the rule reads. Unset:
	// all that its layout can read.
	Match string `toml:"match"`

	// Layout is how the fields of a record are found. It says what a place in
	// Fields and Results looks like:
	//
	//	fixed      bytes, counted from 1: "11-22", "34", "42-" to the end
	//	delimited  the field's number, counted from 1: "3"
	//	tagged     the field's tag: "ci"
	//	pattern    the named groups of Pattern are the fields, without Fields
	//	xml        an element or attribute: "value", "result/@unit"
	//	none       nothing is read: the record says nothing of use
	Layout string `toml:"layout"`

	// Delimiter stands between fields ("delimited") or before each ("tagged").
	Delimiter Bytes `toml:"delimiter"`

	// Quote encloses fields that hold the delimiter ("delimited"): "\"".
	Quote string `toml:"quote"`

	// TagWidth is how long a tag is, TagEnd what follows it ("tagged"): one of
	// the two.
	TagWidth int    `toml:"tag_width"`
	TagEnd   string `toml:"tag_end"`

	// Pattern is the regular expression, with groups (?P<value>…) named as the
	// fields. Each match is a result of its own.
	Pattern string `toml:"pattern"`

	// Path is the path of the elements that are a result each ("xml"), anywhere
	// in the document: "results/result".
	Path string `toml:"path"`

	// Trim are characters that are cut off both ends of every field, besides
	// blanks.
	Trim string `toml:"trim"`

	// Fields are what stands where: { specimen = "11-22" }. See Targets.
	Fields map[string]string `toml:"fields"`

	// Set are fields that the record does not hold, as they are to be read:
	// { unit = "%" }.
	Set map[string]string `toml:"set"`

	// Results are the results of a record that has a place for each test.
	Results []Column `toml:"results"`

	// Repeat is after how many columns (fixed) or fields (delimited) the places
	// of test and value repeat themselves, until the record ends. 0: never.
	Repeat int `toml:"repeat"`

	// Decimals is how many digits of a value stand behind a decimal point that
	// the analyzer leaves out. Unset: the analyzer writes the point.
	Decimals *int `toml:"decimals"`

	// Begins says that such a record begins another report, although it names no
	// specimen.
	Begins bool `toml:"begins"`

	// Purpose is what reports with such a record are for: "patient", "qc",
	// "calibration", "training". Unset: "patient".
	Purpose string `toml:"purpose"`
}

// Column is the place of one test's result in a record.
type Column struct {
	Test     string `toml:"test"`    // the test's code
	Name     string `toml:"name"`    // and its name, if it has one
	Unit     string `toml:"unit"`    // the unit, where the record does not hold it
	At       string `toml:"at"`      // the place of the value
	UnitAt   string `toml:"unit_at"` // the places of what belongs to it
	FlagAt   string `toml:"flag_at"`
	RangeAt  string `toml:"range_at"`
	StatusAt string `toml:"status_at"`
	Decimals *int   `toml:"decimals"` // as in Rule
}

// Fields of a report and of a result. Those of a result may also stand once for
// all results of a record; date, time, operator and instrument for all that follow
// in the message, and for those before them in the report that have none.
const (
	fSpecimen     = "specimen" // the laboratory's specimen id
	fSequence     = "sequence" // the analyzer's own: number, rack, position
	fSpecimenType = "specimen_type"
	fSource       = "source"  // where the specimen was taken
	fPatient      = "patient" // the patient's id
	fPatientName  = "patient_name"
	fBirth        = "birth"
	fSex          = "sex"
	fCollected    = "collected"  // when the specimen was taken
	fReceived     = "received"   // when it was received
	fSent         = "sent"       // when the message was made
	fControlID    = "control_id" // the message's own id
	fPriority     = "priority"
	fOrdered      = "ordered" // a test that was ordered
	fKind         = "kind"    // what qc_kinds is compared with
	fNote         = "note"    // a comment on the report
	fSender       = "sender"  // the instrument's name
	fManufacturer = "manufacturer"
	fModel        = "model"
	fVersion      = "version"
	fSerial       = "serial"

	fTest       = "test" // the test's code
	fName       = "name" // and its name
	fValue      = "value"
	fUnit       = "unit"
	fRange      = "range" // the reference range
	fLow        = "low"   // or its limits one by one
	fHigh       = "high"
	fFlag       = "flag"
	fStatus     = "status" // see Options.Statuses
	fMethod     = "method"
	fComment    = "comment" // a comment on the result
	fVerifier   = "verifier"
	fDate       = "date" // when it was measured: the date,
	fTime       = "time" // and the time or all of it
	fOperator   = "operator"
	fInstrument = "instrument"
)

func reportFields() []string {
	return []string{
		fSpecimen, fSequence, fSpecimenType, fSource, fPatient, fPatientName, fBirth, fSex, fCollected, fReceived,
		fSent, fControlID, fPriority, fOrdered, fKind, fNote, fSender, fManufacturer, fModel, fVersion, fSerial,
	}
}

func resultFields() []string {
	return []string{
		fTest, fName, fValue, fUnit, fRange, fLow, fHigh, fFlag, fStatus, fMethod, fComment, fVerifier,
		fDate, fTime, fOperator, fInstrument,
	}
}

// Targets are the names that Fields, Set and the groups of Pattern may have.
func Targets() []string { return slices.Concat(reportFields(), resultFields()) }

// rule is a Rule, checked and ready for use.
type rule struct {
	Rule
	match   *regexp.Regexp // nil: any
	layout  layout         // nil: none
	purpose drivers.Purpose
}

func (f *faults) rules(d *description) {
	if len(d.Record) == 0 {
		f.add("record is missing: add a [[analyzer.text.record]] that says where the specimen, the tests and the values stand")
		return
	}
	var hasValue, isXML bool
	for i, r := range d.Record {
		c := f.rule(fmt.Sprintf("record %d", i+1), r)
		d.rules = append(d.rules, c)
		hasValue = hasValue || c.yields(fValue) || len(r.Results) > 0
		isXML = isXML || r.Layout == "xml"
	}
	if !hasValue {
		f.add("record: no rule has a value: add fields = { value = … } or results = [ … ]")
	}
	if isXML && (d.Records != "" || d.many()) {
		f.add("record: layout = \"xml\" reads a whole document: leave records and the message table out")
	}
}

// yields reports whether the rule reads or sets a field.
func (r *rule) yields(target string) bool {
	_, set := r.Set[target]
	_, read := r.Fields[target]
	return set || read || strings.Contains(r.Pattern, "<"+target+">")
}

func (f *faults) rule(where string, r Rule) *rule {
	c := &rule{Rule: r, match: f.pattern(where+": match", r.Match)}
	f.oneOf(where+": purpose", or(r.Purpose, "patient"), "patient", "qc", "calibration", "training")
	c.purpose = drivers.Purpose(r.Purpose)
	known := Targets()
	for _, names := range []map[string]string{r.Fields, r.Set} {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !slices.Contains(known, name) {
				f.add("%s: %q is not a field: use one of %q", where, name, known)
			}
		}
	}
	f.decimals(where, r.Decimals)
	for i, col := range r.Results {
		if col.Test == "" || col.At == "" {
			f.add("%s: result %d needs test (the code) and at (the place of its value)", where, i+1)
		}
		f.decimals(where, col.Decimals)
	}
	c.layout = f.layout(where, c)
	return c
}

func (f *faults) decimals(where string, n *int) {
	if n != nil && (*n < 0 || *n > 9) {
		f.add("%s: decimals is %d: use 0 to 9, or leave it out where the analyzer writes the point", where, *n)
	}
}

// layout checks how a rule finds its fields.
func (f *faults) layout(where string, r *rule) layout {
	f.oneOf(where+": layout", r.Layout, "fixed", "delimited", "tagged", "pattern", "xml", "none")
	only := func(key string, set bool, layouts ...string) {
		if set && !slices.Contains(layouts, r.Layout) {
			f.add("%s: %s has no meaning with layout = %q: remove it, or use layout = %q", where, key, r.Layout, layouts[0])
		}
	}
	only("delimiter", len(r.Delimiter) > 0, "delimited", "tagged")
	only("quote", r.Quote != "", "delimited")
	only("tag_width", r.TagWidth != 0, "tagged")
	only("tag_end", r.TagEnd != "", "tagged")
	only("pattern", r.Pattern != "", "pattern")
	only("path", r.Path != "", "xml")
	only("repeat", r.Repeat != 0, "delimited", "fixed")
	only("results", len(r.Results) > 0, "fixed", "delimited", "tagged", "xml")
	only("fields", len(r.Fields) > 0, "fixed", "delimited", "tagged", "xml")
	switch r.Layout {
	case "fixed":
		return f.fixed(where, r)
	case "delimited":
		return f.delimited(where, r)
	case "tagged":
		return f.tagged(where, r)
	case "pattern":
		return f.grouped(where, r)
	case "xml":
		return f.xml(where, r)
	case "none":
		if r.match == nil && r.Match == "" {
			f.add("%s: match is missing: layout = \"none\" would pass over every record", where)
		}
	}
	return nil
}
