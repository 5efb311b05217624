package fhir

import (
	"slices"

	"github.com/labcourier/labcourier/drivers"
)

// tube gathers what the reports of a message say of one specimen.
type tube struct {
	report      int // index of the first report on it
	specimen    drivers.Specimen
	control     bool     // a control or calibrator
	instruments []string // the analyzer's own ids, where they differ
}

// specimens maps the specimens of the reports, and notes which report has
// which.
func (msg *message) specimens(reports []drivers.Report) ([]Entry, error) {
	tubes := msg.tubes(reports)
	entries := make([]Entry, 0, len(tubes))
	for _, t := range tubes {
		e, err := msg.specimen(t)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// tubes groups the reports by specimen.
func (msg *message) tubes(reports []drivers.Report) []*tube {
	var tubes []*tube
	byID := make(map[string][]*tube, len(reports))
	for i := range reports {
		r := &reports[i]
		id := clean(r.Specimen.ID)
		at := slices.IndexFunc(byID[id], func(t *tube) bool { return t.control == isControl(r) && t.agrees(&r.Specimen) })
		if at < 0 {
			t := &tube{report: r.Index, specimen: r.Specimen, control: isControl(r)}
			tubes = append(tubes, t)
			at = len(byID[id])
			byID[id] = append(byID[id], t)
		}
		t := byID[id][at]
		t.add(&r.Specimen)
		msg.spec[r.Index] = fullURL(msg.base+":specimen", msg.specimenValue(t.report))
	}
	return tubes
}

// agrees reports whether s, of the same id, can be the same specimen: whatever
// both say of it is the same. The same number on a serum and a urine is two.
func (t *tube) agrees(s *drivers.Specimen) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	return same(clean(t.specimen.Type), clean(s.Type)) &&
		same(clean(t.specimen.Source), clean(s.Source)) &&
		same(dateTime(t.specimen.Collected), dateTime(s.Collected)) &&
		same(dateTime(t.specimen.Received), dateTime(s.Received))
}

// add fills what is not known of the tube yet.
func (t *tube) add(s *drivers.Specimen) {
	have := &t.specimen
	have.Type = first(have.Type, s.Type)
	have.Source = first(have.Source, s.Source)
	if dateTime(have.Collected) == "" {
		have.Collected = s.Collected
	}
	if dateTime(have.Received) == "" {
		have.Received = s.Received
	}
	if id := clean(s.InstrumentID); id != "" && !slices.Contains(t.instruments, id) {
		t.instruments = append(t.instruments, id)
	}
}

func (msg *message) specimen(t *tube) (Entry, error) {
	e, id := msg.identity("Specimen", "specimen", msg.specimenValue(t.report))
	s := specimen{
		ResourceType: "Specimen",
		Meta:         msg.meta(),
		Identifier:   []identifier{id},
		Type:         textConcept(t.specimen.Type),
		ReceivedTime: dateTime(t.specimen.Received),
	}
	if v := clean(t.specimen.ID); v != "" { // a control may have none
		s.AccessionIdentifier = &identifier{Value: v}
	}
	if !t.control {
		e.Tube = clean(t.specimen.ID)
	}
	if t.control {
		s.Meta.Tag = append(s.Meta.Tag, controlTag())
		s.Subject = &reference{Reference: msg.dev}
	}
	for _, own := range t.instruments {
		s.Identifier = append(s.Identifier, identifier{Type: textConcept("Instrument specimen id"), Value: own})
	}
	site, at := textConcept(t.specimen.Source), dateTime(t.specimen.Collected)
	if site != nil || at != "" {
		s.Collection = &collection{CollectedDateTime: at, BodySite: site}
	}
	var n notes
	n.ambiguous("collection", t.specimen.Collected)
	n.ambiguous("receipt", t.specimen.Received)
	s.Note = n.list
	return msg.encode(e, s)
}
