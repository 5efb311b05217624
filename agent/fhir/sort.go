package fhir

import (
	"fmt"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// sort returns the reports that are to be sent, each with the results that can
// be, and notes in p why the others are not.
func (p *Plan) sort(reports []drivers.Report, c Choices) []drivers.Report {
	var send []drivers.Report
	var others tally
	dropped := 0
	for i := range reports {
		r := reports[i]
		order := fmt.Sprintf("order %d", r.Index+1)
		if name, ok := otherPurpose(r.Purpose); ok && !c.sends(&r) {
			others.count(name, r.PurposeReason)
			p.Others++
			if isControl(&r) && c.QC == QCDrop {
				dropped++
			}
			continue
		}
		if why := hold(&r, c); why != "" {
			p.Held = append(p.Held, order+why)
			continue
		}
		r.Results = p.sayingSomething(order, r.Results)
		if len(r.Results) == 0 {
			p.Kept = append(p.Kept, order+" has no results")
			continue
		}
		send = append(send, r)
	}
	p.Kept = append(others.lines(), p.Kept...)
	p.Drop = dropped > 0 && dropped == len(reports)
	return send
}

// sayingSomething returns the results that are not blank; p notes the others.
func (p *Plan) sayingSomething(order string, results []drivers.Result) []drivers.Result {
	blank := func(r drivers.Result) bool { return isBlank(&r) }
	if !slices.ContainsFunc(results, blank) {
		return results
	}
	for i := range results {
		if isBlank(&results[i]) {
			p.Kept = append(p.Kept, fmt.Sprintf("%s: result %d has neither a test nor a value", order, results[i].Index+1))
		}
	}
	return slices.DeleteFunc(slices.Clone(results), blank) // the caller's slice stays as it is
}

// hold returns why a person must look at a report first, as the end of a
// sentence that begins with the order, or "".
func hold(r *drivers.Report, c Choices) string {
	if isControl(r) {
		return "" // what needed a person is kept: see sends
	}
	if r.Purpose != drivers.ForPatient {
		return ": it does not say whether it is about a patient"
	}
	if r.Hold != "" {
		return ": " + clean(r.Hold)
	}
	results := false
	for i := range r.Results {
		res := &r.Results[i]
		if isBlank(res) {
			continue
		}
		results = true
		if !isNamed(&res.Test) {
			return fmt.Sprintf(": result %d does not name its test", res.Index+1)
		}
		if c.Corrections == CorrectionsHold && corrects(statusOf(res)) {
			return fmt.Sprintf(": result %d corrects one that was sent before", res.Index+1)
		}
	}
	if !results {
		return "" // nothing to be sent, and so nothing to be held
	}
	switch id := strings.TrimSpace(r.Specimen.ID); {
	case clean(id) == "":
		return " has no specimen id"
	case hasControl(id):
		return ": the specimen id holds control characters" // without them it could be another's
	}
	return ""
}

// isControl reports whether a report is about a material and not a patient.
func isControl(r *drivers.Report) bool {
	return r.Purpose == drivers.ForQC || r.Purpose == drivers.ForCalibration
}

// sends reports whether a report that is not about a patient goes to the
// server all the same. One that a person would have to look at does not: QC is
// not worth a held message.
func (c Choices) sends(r *drivers.Report) bool {
	if !isControl(r) || c.QC != QCSend || r.Hold != "" || hasControl(r.Specimen.ID) {
		return false
	}
	for i := range r.Results {
		if !isBlank(&r.Results[i]) && !isNamed(&r.Results[i].Test) {
			return false
		}
	}
	return true
}

// isBlank reports whether a result says nothing at all.
func isBlank(r *drivers.Result) bool {
	v := &r.Value
	return !isNamed(&r.Test) && sentText(v) == "" && clean(v.Absent) == ""
}

// isNamed reports whether c says anything.
func isNamed(c *drivers.Code) bool {
	return c != nil && (clean(c.Code) != "" || clean(c.Text) != "" ||
		slices.ContainsFunc(c.Alt, func(a drivers.Code) bool { return clean(a.Code) != "" || clean(a.Text) != "" }))
}

// otherPurpose names a purpose that is not a patient's result, if p is one.
func otherPurpose(p drivers.Purpose) (name string, ok bool) {
	switch p {
	case drivers.ForQC:
		return "QC", true
	case drivers.ForCalibration:
		return "calibration", true
	case drivers.ForTraining:
		return "training", true
	case drivers.ForDebugging:
		return "debugging", true
	case drivers.ForQuery:
		return "a query", true
	case drivers.ForNothing:
		return "empty", true
	}
	return "", false
}

// tally counts equal reasons, in the order of their first appearance.
type tally []struct {
	what  string
	count int
}

func (t *tally) count(what, reason string) {
	if reason = clean(reason); reason != "" {
		what += " (" + reason + ")"
	}
	for i := range *t {
		if (*t)[i].what == what {
			(*t)[i].count++
			return
		}
	}
	*t = append(*t, struct {
		what  string
		count int
	}{what, 1})
}

func (t *tally) lines() []string {
	var lines []string
	for _, e := range *t {
		if e.count == 1 {
			lines = append(lines, "1 report is "+e.what)
			continue
		}
		lines = append(lines, fmt.Sprintf("%d reports are %s", e.count, e.what))
	}
	return lines
}
