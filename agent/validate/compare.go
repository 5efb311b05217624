package validate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Stored is a message of the spool, read by the driver.
type Stored struct {
	Number    uint64
	Key       string // begins the identifiers on the server
	Received  time.Time
	Delivered time.Time
	Bytes     int
	SHA256    string
	State     string
	Resources []string // what the receipt of its delivery names
	Reports   []drivers.Report

	Skip   string // why it is not compared, if it is not
	Unread string // why it cannot be read, if it cannot
}

// Comparison is what to compare, and with what.
type Comparison struct {
	Head
	Server  *Server
	Base    string // agent.identifier_base
	SendsQC bool   // controls go to the server
	Stored  []Stored

	// Known are the numbers, by key, of all messages of this analyzer since the
	// first of Stored: a correction is one of them.
	Known map[string]uint64
}

// Run compares. It ends with an error if the server cannot be read at all; what
// it says of single resources is in the report.
func (c *Comparison) Run(ctx context.Context) (*Report, error) {
	report := &Report{Head: c.Head}
	w := work{Comparison: c, tubes: map[string]tubeAnswer{}, mapped: map[string]bool{}}
	if slices.ContainsFunc(c.Stored, func(s Stored) bool { return s.Skip == "" }) {
		report.Software = c.Server.software(ctx)
	}
	for i := range c.Stored {
		m, err := w.message(ctx, &c.Stored[i])
		if err != nil {
			return nil, err
		}
		report.Messages = append(report.Messages, m)
	}
	for v := range w.mapped {
		report.MappedBy = append(report.MappedBy, v)
	}
	slices.Sort(report.MappedBy)
	report.Ended = time.Now()
	report.count()
	return report, nil
}

// work is a comparison under way.
type work struct {
	*Comparison
	tubes  map[string]tubeAnswer // by reference: reports share them
	mapped map[string]bool       // versions of the agent, by the resources' tags
}

func (w *work) message(ctx context.Context, s *Stored) (Message, error) {
	m := Message{
		Number: s.Number, Received: s.Received, Delivered: s.Delivered, Bytes: s.Bytes, SHA256: s.SHA256,
		State: s.State, Verdict: Skipped, Remark: s.Skip,
	}
	switch {
	case s.Skip != "":
		return m, nil
	case s.Unread != "":
		m.Verdict, m.Remark = Unread, s.Unread
		return m, nil
	}
	found, err := w.fetch(ctx, s)
	if err != nil {
		return m, err
	}
	for i := range s.Reports {
		if err := w.order(ctx, &m, s, &s.Reports[i], found); err != nil {
			return m, err
		}
	}
	return m, nil
}

// skip says why a report is not on the server, "" if it should be.
func (w *work) skip(r *drivers.Report) string {
	control := r.Purpose == drivers.ForQC || r.Purpose == drivers.ForCalibration
	why := ""
	if r.PurposeReason != "" {
		why = " (" + r.PurposeReason + ")"
	}
	switch {
	case control && (!w.SendsQC || r.Hold != ""):
		return string(r.Purpose) + why + ": kept here"
	case !control && r.Purpose != drivers.ForPatient:
		return string(r.Purpose) + why + ": not a patient's result"
	case len(r.Results) == 0:
		return "no results"
	}
	return ""
}

// order compares one report with its results.
func (w *work) order(ctx context.Context, m *Message, s *Stored, r *drivers.Report, found fetched) error {
	head := Item{Kind: KindReport, Order: r.Index + 1, Test: "(report)", Identifier: w.Base + ":report|" + reportID(s, r)}
	if why := w.skip(r); why != "" {
		head.Identifier, head.Verdict, head.Remark = "", Skipped, why
		m.add(head)
		return nil
	}
	gone := w.sentBefore(s, found)
	var items []Item
	for i := range r.Results {
		item, err := w.result(ctx, s, r, &r.Results[i], found, gone)
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	if err := w.report(ctx, &head, s, r, found, items); err != nil {
		return err
	}
	m.add(head)
	for _, i := range items {
		m.add(i)
	}
	return nil
}

// sentBefore reports whether results that the analyzer marks as sent before may
// be without a resource of their own: all that the receipt names is there.
func (w *work) sentBefore(s *Stored, found fetched) bool {
	n := 0
	for _, name := range s.Resources {
		if name == "Observation" || strings.HasPrefix(name, "Observation/") {
			n++
		}
	}
	return len(found.results) >= n
}

// result compares one result.
func (w *work) result(ctx context.Context, s *Stored, r *drivers.Report, res *drivers.Result, found fetched, gone bool) (Item, error) {
	id := resultID(s, r, res)
	item := Item{Kind: KindResult, Order: r.Index + 1, Result: res.Index + 1, Test: testName(res), Identifier: w.Base + ":result|" + id}
	list := found.results[id]
	switch {
	case item.Test == "" && sentValue(&res.Value) == "" && res.Value.Absent == "":
		item.Verdict, item.Remark = Skipped, "neither a test nor a value was sent"
		return item, nil
	case found.unread != "":
		item.Verdict, item.Remark = Unread, found.unread
		return item, nil
	case len(list) == 0 && res.Previous && gone:
		item.Verdict, item.Remark = Skipped, "the analyzer says that it sent this before; the earlier message's lines are about it"
		return item, nil
	case len(list) == 0:
		item.Verdict, item.Remark = Missing, "no Observation with this identifier"
		item.Fields = []Field{{Name: "value", Sent: join(sentValue(&res.Value), res.Unit), Verdict: Missing}}
		return item, nil
	}
	o := readObservation(list[0])
	if o == nil {
		item.Verdict, item.Remark = Unread, "the Observation is not as FHIR R4 has it"
		return item, nil
	}
	item.Resource = o.name()
	w.version(&o.resource)
	answer, err := w.tube(ctx, o.Specimen.Reference)
	if err != nil {
		return item, err
	}
	item.Fields = append(answer.fields(r), o.fields(r, res, s.Received)...)
	w.judge(&item, s, &o.resource, ":result", len(list))
	return item, nil
}

func testName(res *drivers.Result) string {
	for _, text := range []string{res.Test.Code, res.Test.Text, alternatives(res.Test)} {
		if text = join(text); text != "" {
			return text
		}
	}
	return ""
}

// report compares the DiagnosticReport of an order.
func (w *work) report(ctx context.Context, item *Item, s *Stored, r *drivers.Report, found fetched, results []Item) error {
	list := found.reports[reportID(s, r)]
	named := !slices.ContainsFunc(results, func(i Item) bool { return i.Verdict != Skipped })
	switch {
	case found.unread != "":
		item.Verdict, item.Remark = Unread, found.unread
		return nil
	case len(list) == 0 && named:
		item.Verdict, item.Remark = Skipped, "none of its results has a resource of its own"
		return nil
	case len(list) == 0:
		item.Verdict, item.Remark = Missing, "no DiagnosticReport with this identifier"
		return nil
	}
	d := readReport(list[0])
	if d == nil {
		item.Verdict, item.Remark = Unread, "the DiagnosticReport is not as FHIR R4 has it"
		return nil
	}
	item.Resource = d.name()
	w.version(&d.resource)
	for i := range d.Specimen {
		answer, err := w.tube(ctx, d.Specimen[i].Reference)
		if err != nil {
			return err
		}
		item.Fields = append(item.Fields, answer.fields(r)[0])
	}
	item.Fields = append(item.Fields, d.orderNumbers(&r.Order)...)
	item.Fields = append(item.Fields, d.links(results, w.Server))
	item.Fields = append(item.Fields, patient(&r.Patient, d.Subject)...)
	w.judge(item, s, &d.resource, ":report", len(list))
	return nil
}

// links compares which results the report names with those that were found.
func (d *diagnosticReport) links(results []Item, s *Server) Field {
	linked := 0
	want := 0
	for _, i := range results {
		if i.Resource == "" {
			continue
		}
		want++
		typ, rest, _ := strings.Cut(i.Resource, "/")
		id, _, _ := strings.Cut(rest, "/")
		if slices.ContainsFunc(d.Result, func(r reference) bool { return s.local(r.Reference) == typ+"/"+id }) {
			linked++
		}
	}
	f := Field{Name: "results in the report", Sent: fmt.Sprint(want), Held: fmt.Sprint(linked), Verdict: equalIf(linked == want)}
	if more := len(d.Result) - linked; more > 0 {
		f.Remark = fmt.Sprintf("and %d of other messages", more)
	}
	return f
}

// judge gives an item its verdict.
func (w *work) judge(item *Item, s *Stored, r *resource, kind string, copies int) {
	item.Verdict = Equal
	for _, f := range item.Fields {
		item.Verdict = worse(item.Verdict, f.Verdict)
	}
	if copies > 1 {
		item.Verdict = worse(item.Verdict, Differs)
		item.Remark = fmt.Sprintf("%d resources on the server have this identifier", copies)
		return
	}
	newer := w.newer(s, r, kind)
	if newer == 0 || item.Verdict != Differs {
		return
	}
	item.Verdict, item.Remark = Superseded, fmt.Sprintf("a newer version came with message %d", newer)
	for i := range item.Fields {
		if item.Fields[i].Verdict == Differs {
			item.Fields[i].Verdict = Superseded
		}
	}
}

// newer is the newest later message of this analyzer whose identifier the resource
// carries as well, as it does after a correction; 0: none. Only a message that is
// known here counts: anybody could have added an identifier.
func (w *work) newer(s *Stored, r *resource, kind string) (number uint64) {
	for _, id := range r.Identifier {
		key, _, _ := strings.Cut(id.Value, "-")
		if n := w.Known[key]; id.System == w.Base+kind && n > s.Number {
			number = max(number, n)
		}
	}
	return number
}

// version notes which version of the agent mapped a resource.
func (w *work) version(r *resource) {
	for _, t := range r.Meta.Tag {
		if t.System == "urn:labcourier:version" {
			w.mapped[t.Code] = true
		}
	}
}
