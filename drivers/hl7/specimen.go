package hl7

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/labcourier/labcourier/drivers"
)

// place is where a value stands.
type place struct {
	segment          string
	field, component int
	sub              int
}

func (p place) String() string {
	s := fmt.Sprintf("%s-%d.%d", p.segment, p.field, p.component)
	if p.sub > 1 {
		s += "." + strconv.Itoa(p.sub)
	}
	return s
}

// usual are the places of the specimen id, the surest first. SPM-2 is placer ^
// filler, each id & authority.
var usual = []place{{"SPM", 2, 1, 1}, {"SPM", 2, 2, 1}, {"OBR", 3, 1, 1}, {"OBR", 2, 1, 1}, {"SAC", 3, 1, 1}}

// parsePlace reads "OBR-3", "OBR-3.1", "SPM-2.1.1" or "PID-3".
func parsePlace(s string) (place, error) {
	bad := fmt.Errorf("specimen_id is %q: name a field of SPM, SAC, OBR, ORC or PID, like \"OBR-3\", \"SPM-2.2\" or \"PID-3.1\"", s)
	name, rest, _ := strings.Cut(s, "-")
	p := place{segment: name, component: 1, sub: 1}
	if !slices.Contains([]string{"SPM", "SAC", "OBR", "ORC", "PID"}, name) {
		return p, bad
	}
	parts := strings.Split(rest, ".")
	if len(parts) > 3 {
		return p, bad
	}
	for i, n := range []*int{&p.field, &p.component, &p.sub}[:len(parts)] {
		v, err := strconv.Atoi(parts[i])
		if err != nil || v < 1 || v > 99 {
			return p, bad
		}
		*n = v
	}
	return p, nil
}

// PlaceSpecimen writes a specimen id where the options say that this analyzer has
// it, into the fields of a segment with the delimiters |, ^ and &; the fields begin
// with the segment's name. Of another segment it changes nothing.
func (o Options) PlaceSpecimen(fields []string, id string) ([]string, error) {
	at, err := parsePlace(o.SpecimenID)
	if err != nil || len(fields) == 0 || fields[0] != at.segment {
		return fields, err
	}
	fields = padded(fields, at.field+1)
	parts := padded(strings.Split(fields[at.field], "^"), at.component)
	subs := padded(strings.Split(parts[at.component-1], "&"), at.sub)
	subs[at.sub-1] = id
	parts[at.component-1] = strings.Join(subs, "&")
	fields[at.field] = strings.Join(parts, "^")
	return fields, nil
}

func padded(parts []string, n int) []string {
	for len(parts) < n {
		parts = append(parts, "")
	}
	return parts
}

// specimenRule finds the laboratory's specimen id in a message, and says when a
// person has to look at it first.
type specimenRule struct {
	at      []place
	chosen  bool           // the site said where
	pattern *regexp.Regexp // nil: looksLikeID
	qc      []string       // prefixes of the ids of control materials
}

// looksLikeID tells an id from a name that somebody typed, which has a blank in
// it, and from an analyzer's own word for a barcode that it could not read.
func looksLikeID(s string) bool {
	return s[0] != '@' && len(s) <= 64 && strings.IndexFunc(s, func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsPrint(c)
	}) < 0
}

func newSpecimenRule(o Options) (specimenRule, error) {
	r := specimenRule{at: usual, qc: o.QCPrefixes}
	if r.qc == nil {
		r.qc = []string{"QC-"}
	}
	if o.SpecimenID != "" {
		p, err := parsePlace(o.SpecimenID)
		if err != nil {
			return r, err
		}
		r.at, r.chosen = []place{p}, true
	}
	if o.SpecimenPattern == "" {
		return r, nil
	}
	var err error
	if r.pattern, err = regexp.Compile(o.SpecimenPattern); err != nil {
		return r, fmt.Errorf("specimen_pattern is not a regular expression: %w", err)
	}
	return r, nil
}

// group is the segments that one order's specimen may be named in.
type group struct{ pid, orc, obr, spm, sac segment }

func (g group) get(p place) string {
	s := map[string]segment{"PID": g.pid, "ORC": g.orc, "OBR": g.obr, "SPM": g.spm, "SAC": g.sac}[p.segment]
	return s.subcomponent(s.repeats(p.field)[0], p.component, p.sub)
}

// orderNumbers are the placer's and the filler's number of the order; ORC goes
// before OBR. Many analyzers write the specimen id in one of them: it is then the
// number of a tube and of no order.
func (g group) orderNumbers(specimen string) (placer, filler string) {
	number := func(field int) string {
		n := or(g.orc.component(field, 1), g.obr.component(field, 1))
		if n == specimen {
			return ""
		}
		return n
	}
	return number(2), number(3)
}

// find returns the specimen id and why it must be held, if it must. Others says
// that the message names the specimens of other orders in SPM.
func (r specimenRule) find(g group, others bool) (id, hold string) {
	at := r.at[0]
	for _, at = range r.at {
		if id = g.get(at); id != "" {
			break
		}
	}
	container := g.get(place{"SAC", 3, 1, 1})
	switch {
	case id == "" && r.chosen:
		return "", "no specimen id in " + at.String()
	case id == "":
		return "", "no specimen id"
	case !r.matches(id):
		return id, "what stands in " + at.String() + " is not a specimen id: the barcode was not read, or something else was typed"
	case r.chosen:
	case at.segment == "OBR" && others:
		return id, "this order has no SPM segment although others of the message have (if OBR names the specimen: hl7 = { specimen_id = \"" + at.String() + "\" })"
	case at.segment == "OBR" && container != "" && container != id:
		return id, "OBR and SAC-3 name different specimens: say which is right, hl7 = { specimen_id = \"SAC-3\" } or { specimen_id = \"" + at.String() + "\" }"
	}
	return id, ""
}

func (r specimenRule) matches(id string) bool {
	if r.pattern == nil {
		return looksLikeID(id)
	}
	return r.pattern.MatchString(id)
}

// purpose tells what an order is for, by its specimen. An unknown role is held.
func (r specimenRule) purpose(g group, id string) (to drivers.Purpose, reason, hold string) {
	roles := map[string]string{"SPM-11": strings.ToUpper(g.spm.component(11, 1)), "OBR-15.7": strings.ToUpper(g.obr.component(15, 7))}
	to = drivers.ForPatient
	for _, at := range []string{"SPM-11", "OBR-15.7"} {
		role := roles[at]
		switch role {
		case "", "P":
			continue
		case "Q", "E", "B", "F", "O", "R": // controls, electronic QC, blind and proficiency samples, replicates of them
			to = drivers.ForQC
		case "C", "V": // calibrators, and their verification
			to = drivers.ForCalibration
		default: // G and L are specimens of several patients
			hold = at + " is of no known role of a single patient's specimen"
			continue
		}
		return to, at + " = " + role, ""
	}
	if g.obr.component(11, 1) == "Q" {
		return drivers.ForQC, "OBR-11 = Q", ""
	}
	ids := []string{id, g.get(usual[0]), g.get(usual[1]), g.get(usual[2]), g.get(usual[3])}
	for _, id := range ids {
		for _, prefix := range r.qc {
			if prefix != "" && strings.HasPrefix(id, prefix) {
				return drivers.ForQC, "the specimen id is one of a control", ""
			}
		}
	}
	return to, "", hold
}
