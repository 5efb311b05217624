package agent

import (
	"fmt"

	"github.com/labcourier/labcourier/agent/browse"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// reader reads a stored message and maps it. It is pure: what it makes of a
// record depends on the record and the configuration alone, so that every retry
// is the same create.
type reader struct {
	kinds     []drivers.Kind
	analyzers map[string]config.Analyzer
	parsers   map[string]drivers.ParseFunc // of the analyzers' own drivers
	mapper    *fhir.Mapper
}

func newReader(kinds []drivers.Kind, analyzers []config.Analyzer, m *fhir.Mapper) *reader {
	r := &reader{kinds: kinds, analyzers: map[string]config.Analyzer{}, parsers: map[string]drivers.ParseFunc{}, mapper: m}
	for _, an := range analyzers {
		r.analyzers[an.Name] = an
		if kind, ok := kindNamed(kinds, an.Driver); ok {
			r.parsers[an.Name] = kind.Parser(an.Section)
		}
	}
	return r
}

// choices are what the configuration says of an analyzer's results.
func choices(an config.Analyzer) fhir.Choices {
	return fhir.Choices{
		Corrections: fhir.Corrections(an.Corrections), CorrectionsWithin: an.CorrectionsWithin, QC: fhir.QC(an.QC),
		Raw: an.Raw, Provenance: an.Provenance,
	}
}

// input reads a record. What is unclear of it is told in words.
func (r *reader) input(rec spool.Record) (in fhir.Input, unclear string, err error) {
	kind, ok := kindNamed(r.kinds, rec.Kind)
	if !ok {
		return in, "", fmt.Errorf("this program has no driver %s to read the message with: run the version that stored it", rec.Kind)
	}
	an := r.analyzers[rec.Lane]
	o := an.ParseOptions()
	parse := r.parsers[rec.Lane]
	if an.Driver != rec.Kind { // the analyzer has another driver by now, whose options say nothing here
		o.Section, parse = nil, kind.Parse
	}
	reports, unclear, err := parseGiven(parse, rec, o)
	if err != nil {
		return in, "", err
	}
	return fhir.Input{
		Key:      rec.Key.String(),
		Received: rec.Received,
		Source:   fhir.Source{Name: rec.Lane, Manufacturer: an.Manufacturer, Model: an.Model, SerialNumber: an.SerialNumber, Location: an.Location},
		Reports:  reports,
		Choices:  choices(an),

		Payload: rec.Payload, MediaType: mediaType(r.kinds, rec.Kind, an),
	}, unclear, nil
}

// plan is a deliver.Mapper.
func (r *reader) plan(rec spool.Record) (fhir.Plan, error) {
	_, plan, err := r.read(rec)
	return plan, err
}

// read parses a message and maps it. The reports come back even where they
// cannot be mapped.
func (r *reader) read(rec spool.Record) ([]drivers.Report, fhir.Plan, error) {
	in, unclear, err := r.input(rec)
	if err != nil {
		return nil, fhir.Plan{}, err
	}
	plan, err := r.mapper.Plan(in)
	if err != nil {
		return in.Reports, fhir.Plan{}, fmt.Errorf("%w: %w", deliver.ErrUnmappable, err)
	}
	if unclear != "" {
		plan.Held = append(plan.Held, unclear)
	}
	return in.Reports, plan, nil
}

// show is what the message browser shows of a message: the same that is
// delivered of it.
func (r *reader) show(rec spool.Record) (out browse.Reading) {
	reports, plan, err := r.read(rec)
	out = browse.Reading{Err: err, Reports: reports, Held: plan.Held, Kept: plan.Kept}
	known := map[string]string{}
	for _, step := range plan.Steps {
		body, err := step.Bundle(known)
		if err != nil {
			out.Err = err
			return out
		}
		out.Steps = append(out.Steps, browse.Step{Name: step.Name, JSON: body})
		for _, e := range step.Entries {
			known[e.FullURL] = e.FullURL // before delivery nobody knows the server's own
		}
	}
	return out
}
