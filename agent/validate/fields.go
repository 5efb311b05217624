package validate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

const (
	analyzedURL = "http://hl7.org/fhir/StructureDefinition/observation-analysis-date-time"
	subIDURL    = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"
)

// fields compares everything of one result that the Observation itself holds.
func (o *observation) fields(r *drivers.Report, res *drivers.Result, received time.Time) []Field {
	value, unit := o.value(res)
	list := []Field{o.test(res), value, unit, o.ranges(res), o.flags(res), o.status(res), o.subID(res)}
	at, what := effective(r, res)
	for _, f := range []*Field{
		named(timeField("effective time", at, o.EffectiveDateTime), what),
		timeField("analysed", res.Completed, o.analysed()),
		receivedField(received, o.Issued),
	} {
		if f != nil {
			list = append(list, *f)
		}
	}
	return slices.DeleteFunc(list, func(f Field) bool { return f.Sent == "" && f.Held == "" && f.Verdict != Differs })
}

func named(f *Field, what string) *Field {
	if f != nil && what != "" {
		f.Remark = join(f.Remark, what)
	}
	return f
}

// receivedField compares when the message came with what is issued.
func receivedField(received time.Time, held string) *Field {
	t := drivers.Time{Value: received, Precision: drivers.Millisecond, Text: received.UTC().Format("2006-01-02T15:04:05.000Z")}
	return timeField("received", t, held)
}

func (o *observation) test(res *drivers.Result) Field {
	f := Field{Name: "test", Sent: join(res.Test.Code), Held: o.Code.codes()}
	if f.Sent == "" {
		f.Sent = join(res.Test.Text)
	}
	same := o.Code.means(res.Test)
	if f.Sent == "" { // only in another system
		f.Sent = alternatives(res.Test)
		same = slices.ContainsFunc(res.Test.Alt, o.Code.means)
	}
	f.Verdict = equalIf(same)
	return f
}

func alternatives(c drivers.Code) string {
	var list []string
	for _, a := range c.Alt {
		list = append(list, join(a.Code, a.Text))
	}
	return strings.Join(list, ", ")
}

func (o *observation) ranges(res *drivers.Result) Field {
	var sent, held []string
	for _, s := range res.Range {
		if s = join(s); s != "" {
			sent = append(sent, s)
		}
	}
	for _, r := range o.ReferenceRange {
		held = append(held, join(r.Text))
	}
	return Field{Name: "range", Sent: strings.Join(sent, "; "), Held: strings.Join(held, "; "), Verdict: equalIf(slices.Equal(sent, held))}
}

// flags compares abnormal flags, each once.
func (o *observation) flags(res *drivers.Result) Field {
	var sent, held []string
	for _, s := range res.Flags {
		if s = join(s); s != "" && !slices.Contains(sent, s) {
			sent = append(sent, s)
		}
	}
	for i := range o.Interpretation {
		held = append(held, join(o.Interpretation[i].codes()))
	}
	return Field{Name: "flags", Sent: strings.Join(sent, ", "), Held: strings.Join(held, ", "), Verdict: equalIf(slices.Equal(sent, held))}
}

// status compares the state. What nobody has verified is preliminary on the
// server, whatever the analyzer's word for it is.
func (o *observation) status(res *drivers.Result) Field {
	f := Field{Name: "status", Sent: string(res.Status), Held: o.Status, Verdict: equalIf(o.Status == string(res.Status))}
	if raw := join(res.StatusRaw); raw != "" {
		f.Sent = fmt.Sprintf("%s (%s)", raw, res.Status)
	}
	if o.Status != string(drivers.StatusPreliminary) || f.Verdict == Equal {
		return f
	}
	switch res.Status {
	case "", drivers.StatusPartial:
		f.Verdict, f.Remark = Equal, "nobody has verified it"
	case drivers.StatusFinal, drivers.StatusAmended, drivers.StatusCorrected, drivers.StatusUnknown:
		if res.Doubtful {
			f.Verdict, f.Remark = Equal, "the analyzer marks it as questionable"
		}
	}
	return f
}

func (o *observation) subID(res *drivers.Result) Field {
	f := Field{Name: "sub-id", Sent: join(res.SubID)}
	for _, x := range o.Extension {
		for _, y := range x.Extension {
			if x.URL == subIDURL && y.URL == "original-sub-identifier" {
				f.Held = y.ValueString
			}
		}
	}
	f.Verdict = equalIf(sameText(f.Sent, f.Held))
	return f
}

func (o *observation) analysed() string {
	for _, x := range o.Extension {
		if x.URL == analyzedURL {
			return x.ValueDateTime
		}
	}
	return ""
}

// fields compares the specimen.
func (a tubeAnswer) fields(r *drivers.Report) []Field {
	id := Field{Name: "specimen id", Sent: join(r.Specimen.ID), Verdict: a.verdict, Remark: a.why}
	if a.specimen == nil {
		return []Field{id}
	}
	id.Held = a.specimen.AccessionIdentifier.Value
	id.Verdict = equalIf(sameText(id.Sent, id.Held))
	list := []Field{id}
	for _, f := range []*Field{
		timeField("collected", r.Specimen.Collected, a.specimen.Collection.CollectedDateTime),
		timeField("specimen received", r.Specimen.Received, a.specimen.ReceivedTime),
	} {
		if f != nil {
			list = append(list, *f)
		}
	}
	return list
}

// orderNumbers compares the laboratory's and the analyzer's number of an order.
func (d *diagnosticReport) orderNumbers(o *drivers.Order) (list []Field) {
	for _, n := range []struct{ name, code, sent string }{
		{"order number (placer)", "PLAC", o.Placer}, {"order number (filler)", "FILL", o.Filler},
	} {
		f := Field{Name: n.name, Sent: join(n.sent)}
		for _, id := range d.Identifier {
			if slices.ContainsFunc(id.Type.Coding, func(c coding) bool { return c.Code == n.code }) && (f.Held == "" || sameText(id.Value, f.Sent)) {
				f.Held = id.Value // after a correction there may be those of both messages
			}
		}
		if f.Verdict = equalIf(sameText(f.Sent, f.Held)); f.Sent != "" || f.Held != "" {
			list = append(list, f)
		}
	}
	return list
}

// patient shows both sides and compares nothing: see the package's documentation.
func patient(p *drivers.Patient, held reference) (list []Field) {
	var sent []string
	for _, id := range []string{p.PracticeID, p.LaboratoryID, p.OtherID} {
		if id = join(id); id != "" {
			sent = append(sent, id)
		}
	}
	f := Field{Name: "patient", Sent: strings.Join(sent, ", "), Held: join(held.Reference, held.Display), Verdict: Skipped,
		Remark: "a result's patient comes from its order, never from the analyzer"}
	if f.Sent != "" || f.Held != "" {
		list = append(list, f)
	}
	return list
}
