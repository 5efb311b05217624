package fhir

import (
	"fmt"

	"github.com/labcourier/labcourier/drivers"
)

// maxReportComments is how many of a report's comments are repeated at each of
// its results. More would make a message of many comments and many results
// grow with their product.
const maxReportComments = 8

// notes gathers annotations.
type notes struct{ list []annotation }

// remark adds a sentence of this package's own.
func (n *notes) remark(text string) {
	n.list = append(n.list, annotation{AuthorString: "labcourier", Text: text})
}

// comments adds comments of the analyzer as sent.
func (n *notes) comments(list []drivers.Note) {
	for _, c := range list {
		if text := join(": ", clean(c.Code), clean(c.Text)); text != "" {
			n.list = append(n.list, annotation{AuthorString: author(c.Source), Text: text})
		}
	}
}

// reportComments repeats a report's comments at a result: an Observation is
// often read without its report.
func (n *notes) reportComments(list []drivers.Note) {
	if len(list) > maxReportComments {
		n.remark(fmt.Sprintf("The report of this result holds %d comments of the analyzer.", len(list)))
		return
	}
	n.comments(list)
}

// author names who made a comment, in the letters of LIS02 C.3.
func author(source string) string {
	switch source {
	case "I":
		return "Instrument"
	case "L":
		return "Laboratory"
	case "P":
		return "Practice"
	}
	return clean(source)
}

// unit keeps a unit that has no place at the value.
func (n *notes) unit(unit string) {
	if unit = clean(unit); unit != "" {
		n.remark("Unit as sent: " + unit)
	}
}

// ambiguous says so of a local time that a clock change made unsure.
func (n *notes) ambiguous(what string, t drivers.Time) {
	if t.Ambiguous && dateTime(t) != "" {
		n.remark("The " + what + " time falls into a clock change, and the earlier reading is given; as sent: " + first(t.Text, "unknown"))
	}
}

// marks says what the analyzer says of a result beside its value.
func (n *notes) marks(res *drivers.Result, at effective) {
	sent := ""
	if raw := clean(res.StatusRaw); raw != "" {
		sent = " (status as sent: " + raw + ")"
	}
	if res.Doubtful {
		n.remark("The analyzer marks this result as questionable" + sent + ".")
	}
	if res.Previous {
		n.remark("The analyzer says that it sent this result before" + sent + ".")
	}
	if res.Status != "" && !isKnown(res.Status) {
		n.remark("The status of this result is not known, and taken as preliminary" + sent + ".")
	}
	if at.Time != res.Completed {
		n.ambiguous("effective", at.Time)
	}
	n.ambiguous("completion", res.Completed)
}
