package astm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// place is where a value stands: a record's letter, a field and a component.
type place struct {
	kind             byte
	field, component int
}

// parsePlace reads "O.3", "O.4.3" or "P.4".
func parsePlace(s string) (place, error) {
	bad := fmt.Errorf("specimen_id is %q: name a field of the P or O record, like \"O.3\", \"O.4.3\" or \"P.4\"", s)
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 3 || parts[0] != "O" && parts[0] != "P" {
		return place{}, bad
	}
	p := place{kind: parts[0][0], component: 1}
	for i, n := range []*int{&p.field, &p.component}[:len(parts)-1] {
		v, err := strconv.Atoi(parts[i+1])
		if err != nil || v < 1 || v > 99 {
			return place{}, bad
		}
		*n = v
	}
	if p.field < 2 {
		return place{}, bad
	}
	return p, nil
}

// PlaceSpecimen writes a specimen id where the options say that this analyzer has
// it, into the fields of a P or an O record with the delimiters | and ^; the fields
// begin with the record's letter. Of the other record it changes nothing.
func (o Options) PlaceSpecimen(fields []string, id string) ([]string, error) {
	at, err := parsePlace(or(o.SpecimenID, defaultPlace))
	if err != nil || len(fields) == 0 || fields[0] != string(at.kind) {
		return fields, err
	}
	for len(fields) < at.field {
		fields = append(fields, "")
	}
	parts := strings.Split(fields[at.field-1], "^")
	for len(parts) < at.component {
		parts = append(parts, "")
	}
	parts[at.component-1] = id
	fields[at.field-1] = strings.Join(parts, "^")
	return fields, nil
}

// specimenRule finds the laboratory's specimen id in a message, and says when a
// person has to look at it first.
type specimenRule struct {
	at      place
	pattern *regexp.Regexp // nil: looksLikeID
	qc      []string       // prefixes of the ids of control materials
}

// Defaults of specimenRule. An id has no blank in it: what has one is a name
// that somebody typed. An id that begins with @ is the analyzer's own word for a
// barcode that it could not read (cobas e 411).
const defaultPlace = "O.3"

func looksLikeID(s string) bool {
	return s[0] != '@' && len(s) <= 64 && strings.IndexFunc(s, func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsPrint(c)
	}) < 0
}

func newSpecimenRule(o Options) (specimenRule, error) {
	r := specimenRule{qc: o.QCPrefixes}
	if r.qc == nil {
		r.qc = []string{"QC-"}
	}
	var err error
	if r.at, err = parsePlace(or(o.SpecimenID, defaultPlace)); err != nil {
		return r, err
	}
	if o.SpecimenPattern == "" {
		return r, nil
	}
	if r.pattern, err = regexp.Compile(o.SpecimenPattern); err != nil {
		return r, fmt.Errorf("specimen_pattern is not a regular expression: %w", err)
	}
	return r, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// find returns the specimen id and why it must be held, if it must.
func (r specimenRule) find(patient, order record) (id, hold string) {
	rec := order
	if r.at.kind == 'P' {
		rec = patient
	}
	if len(rec.fields) == 0 {
		return "", "no specimen id"
	}
	where := fmt.Sprintf("%c.%d.%d", r.at.kind, r.at.field, r.at.component)
	for i, rep := range rec.repeats(r.at.field) {
		parts := rec.components(rep)
		if r.at.component > len(parts) {
			continue
		}
		switch other := parts[r.at.component-1]; {
		case i == 0:
			id = other
		case other != id:
			return id, where + " holds more than one specimen id"
		}
	}
	switch {
	case id == "":
		return "", "no specimen id in " + where
	case !r.matches(id):
		return id, "what stands in " + where + " is not a specimen id: the barcode was not read, or something else was typed"
	}
	return id, ""
}

func (r specimenRule) matches(id string) bool {
	if r.pattern == nil {
		return looksLikeID(id)
	}
	return r.pattern.MatchString(id)
}

// control reports whether an id of the order is one of a control material.
func (r specimenRule) control(id string, order record) bool {
	ids := []string{id}
	if len(order.fields) > 0 {
		ids = append(ids, order.components(order.repeats(3)[0])...)
		ids = append(ids, order.components(order.repeats(4)[0])...)
	}
	for _, id := range ids {
		for _, prefix := range r.qc {
			if prefix != "" && strings.HasPrefix(id, prefix) {
				return true
			}
		}
	}
	return false
}
