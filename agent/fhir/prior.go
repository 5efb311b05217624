package fhir

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Corrections says what becomes of a result that corrects an earlier one, or is
// a later state of it: final after preliminary.
type Corrections string

// The values of Corrections. "" is CorrectionsUpdate.
const (
	CorrectionsUpdate Corrections = "update" // the earlier resource gets a new version
	CorrectionsNew    Corrections = "new"    // a resource of its own, beside the earlier one
	CorrectionsHold   Corrections = "hold"   // a person looks first; a later state is a resource of its own
)

// DefaultCorrectionsWithin is how long after a result its correction is
// expected, where the time of analysis does not say which result it is about.
// Laboratories use short specimen ids again: what is older may be of another
// patient.
const DefaultCorrectionsWithin = 24 * time.Hour

// Prior is what an entry has to do with an earlier resource of its series.
type Prior struct {
	System, Value string // the series: an identifier that several resources share
	Corrects      bool   // it replaces the earlier one
	Advances      bool   // it replaces the earlier one if that was less final; neither: it may be the earlier one, sent again

	At       time.Time // the analyzer's own time of the result; zero: not known to the minute
	Received time.Time
	Within   time.Duration // how much older than Received one of another time may be
}

// Updates reports whether the earlier resource may get a new version.
func (p *Prior) Updates() bool { return p != nil && (p.Corrects || p.Advances) }

// corrects reports whether a status is about a result that was sent before.
// HL7's D and W, "the result was wrong", are as much a correction as C is.
func corrects(s drivers.ResultStatus) bool {
	switch s {
	case drivers.StatusCorrected, drivers.StatusAmended, drivers.StatusEnteredInError:
		return true
	}
	return false
}

// exact is t if it is known to the minute, else zero.
func exact(t drivers.Time) time.Time {
	if t.Precision < drivers.Minute || dateTime(t) == "" {
		return time.Time{}
	}
	return t.Value
}

// series is the identity that the results of one test on one specimen share,
// first run, repetition and correction alike. Type and sub-id are part of it:
// rather no earlier result is found than a wrong one.
func (msg *message) seriesOf(parts ...string) string {
	h := sha256.New()
	for _, p := range append([]string{msg.origin}, parts...) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// resultSeries are the series of the report's results, by index. A test that
// stands several times in the report has several, told apart by their number:
// a correction of one alone then finds nothing, and overwrites nothing.
func (ord *order) resultSeries() map[int]string {
	r := ord.r
	names := make([]string, len(r.Results))
	count := map[string]int{}
	for i := range r.Results {
		res := &r.Results[i]
		cc := concept(res.Test, ord.own)
		name := cc.Text + "|"
		if len(cc.Coding) > 0 {
			name = cc.Coding[0].System + "|" + cc.Coding[0].Code
		}
		names[i] = ord.seriesOf("result", clean(r.Specimen.ID), clean(r.Specimen.Type), name, clean(res.SubID))
		count[names[i]]++
	}
	seen := map[string]int{}
	out := make(map[int]string, len(names))
	for i, name := range names {
		if count[name] > 1 {
			seen[name]++
			name = ord.seriesOf(name, strconv.Itoa(seen[name]), "of several")
		}
		out[r.Results[i].Index] = name
	}
	return out
}

// reportSeries is the series of the report itself.
func (ord *order) reportSeries() string {
	r := ord.r
	var tests []string
	for _, t := range r.Order.Tests {
		tests = append(tests, first(t.Code, t.Text))
	}
	return ord.seriesOf("report", clean(r.Specimen.ID), clean(r.Specimen.Type), strings.Join(tests, "\n"))
}

// seriesIdentifier is the identifier that makes a series findable. It is
// nobody's own: several resources carry it.
func (msg *message) seriesIdentifier(value string) identifier {
	return identifier{Type: textConcept("Test series"), System: msg.base + ":series", Value: value}
}

// prior tells what a result or report has to do with earlier ones, nil if
// nothing. Stated: the analyzer itself says what state it is in.
func (ord *order) prior(series string, status drivers.ResultStatus, previous, stated bool, at drivers.Time) *Prior {
	p := Prior{
		System: ord.base + ":series", Value: series,
		At: exact(at), Received: ord.in.Received, Within: ord.in.Choices.CorrectionsWithin,
	}
	if p.Within == 0 {
		p.Within = DefaultCorrectionsWithin
	}
	c := ord.in.Choices.Corrections
	update := c == CorrectionsUpdate || c == ""
	switch {
	case corrects(status) && update:
		p.Corrects = true
	case previous && p.At.IsZero(): // nothing shows that it is the same
		return nil
	case previous:
	case stated && update:
		p.Advances = true
	default:
		return nil
	}
	return &p
}

// stated reports whether one of the results has a state of the analyzer's own
// word: what never had one never becomes more final.
func stated(results []drivers.Result) bool {
	return slices.ContainsFunc(results, func(r drivers.Result) bool { return clean(r.StatusRaw) != "" })
}
