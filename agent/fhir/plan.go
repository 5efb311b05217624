package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/labcourier/labcourier/agent/codes"
	"github.com/labcourier/labcourier/drivers"
)

// Plan is what one message comes to: resources in the order in which they have
// to exist, and what was left out, in words without patient data.
type Plan struct {
	Steps  []Step
	Held   []string // not sent until a person has looked: "order 2 has no specimen id"
	Kept   []string // not sent, as it should be: "1 report is QC (O.12 = Q)"
	Others int      // reports among Kept that are not about a patient
	Drop   bool     // nothing of the message is to be sent, and nobody wants it kept
}

// Names of steps.
const (
	StepDevice       = "device"
	StepSpecimen     = "specimen"
	StepObservations = "observations"
	StepReport       = "report"
	StepDocument     = "document"   // the message itself, where it is wanted
	StepProvenance   = "provenance" // what was made of it, and by whom
)

// Step is a set of resources that do not depend on each other. They may depend
// on resources of earlier steps.
type Step struct {
	Name    string // one of the Step constants; several steps may share a name
	Entries []Entry
}

// Entry is one resource to be created unless it is there already.
type Entry struct {
	FullURL  string // urn:uuid, derived from System and Value
	Type     string // "Observation"
	System   string // of the identifier that the creation is conditional on
	Value    string
	Tagged   bool            // it is a meta.tag instead, of a type that has no identifier
	Resource json.RawMessage // compact JSON, as Mapper makes it

	Prior   *Prior   // what it has to do with an earlier resource; nil: nothing
	Results []string // of a report: the full URLs of its results
	Reports []string // of what says where reports come from: their full URLs
	Tube    string   // the specimen id that a patient's resource is about; "" for others
}

// Limits of one step. A server took 33 conditional entries in a batch, and
// refuses bodies over 1 MB; half of that leaves room for the envelope.
const (
	maxEntries   = 40
	maxStepBytes = 512 << 10
)

// Input is one stored message, read.
type Input struct {
	Key      string    // the message key: letters, digits, '.', '_' and '-'
	Received time.Time // as recorded with the message, never the present time
	Source   Source
	Reports  []drivers.Report
	Choices  Choices

	// The message as the analyzer sent it, and what HTTP calls that. Needed for
	// Choices.Raw and Choices.Provenance alone.
	Payload   []byte
	MediaType string
}

// Choices are what a laboratory decides for an analyzer. The zero Choices are
// the defaults.
type Choices struct {
	Corrections       Corrections
	CorrectionsWithin time.Duration // 0: DefaultCorrectionsWithin
	QC                QC
	Raw               bool // the message itself goes to the server, too
	Provenance        bool // and a word on how each report came about
}

// QC says what becomes of QC and calibration results.
type QC string

// The values of QC. "" is QCKeep.
const (
	QCKeep QC = "keep" // in the spool, like all that is delivered
	QCSend QC = "send" // to the server, marked as QC and with the analyzer as subject
	QCDrop QC = "drop" // nowhere: removed as soon as the analyzer cannot send it again
)

// Source is the analyzer that a message came from, as configured. Name is
// required; the rest may be empty.
type Source struct {
	Name         string
	Manufacturer string
	Model        string
	SerialNumber string
	Location     string // where it stands, in the laboratory's words
}

// Options is what all messages of an agent have in common.
type Options struct {
	IdentifierBase string // a URI; "" means "urn:labcourier"
	AgentName      string
	Version        string // the agent's; "" leaves it out

	// Codes says which LOINC and UCUM codes belong to what analyzers send; nil
	// knows no tests and the units that everybody knows.
	Codes *codes.Book

	// MaxBody is the largest request: a message that does not go into one is
	// named on the server, and stays here. 0 means DefaultMaxBody.
	MaxBody int
}

// DefaultMaxBody is Options.MaxBody of those who set none: Medplum refuses from
// 1 MB on.
const DefaultMaxBody = 900 << 10

// Mapper maps messages to plans. It keeps nothing between messages and may be
// used by several goroutines at once.
type Mapper struct {
	base    string
	agent   string
	version string
	tables  tables
	codes   *codes.Book
	maxBody int
	err     error // wrong options, told by every Plan
}

// NewMapper returns a Mapper for one agent.
func NewMapper(o Options) *Mapper {
	m := &Mapper{base: o.IdentifierBase, agent: o.AgentName, version: codeText(o.Version), tables: newTables(), codes: o.Codes, maxBody: o.MaxBody}
	if m.maxBody <= 0 {
		m.maxBody = DefaultMaxBody
	}
	if m.codes == nil {
		m.codes = codes.NewBook(nil, nil)
	}
	if m.base == "" {
		m.base = "urn:labcourier"
	}
	if !isURI(m.base) || !searchable(m.base) {
		m.err = fmt.Errorf("identifier base %q is not a URI that a search can hold: set agent.identifier_base to one without blanks and without | , $ \\", m.base)
	}
	return m
}

// Plan maps one message. An error means that the message as a whole cannot be
// mapped, now or later, and must be parked. Reports that only a person can
// release are in Held, those that are not for a server in Kept; a plan may be
// without steps.
func (m *Mapper) Plan(in Input) (Plan, error) {
	if m.err != nil {
		return Plan{}, m.err
	}
	if err := check(in); err != nil {
		return Plan{}, fmt.Errorf("map message: %w", err)
	}
	var p Plan
	send := p.sort(in.Reports, in.Choices)
	if len(send) == 0 {
		return p, nil
	}
	msg := m.message(in)
	device, err := msg.device(send[0].Sender)
	if err != nil {
		return Plan{}, err
	}
	specimens, err := msg.specimens(send)
	if err != nil {
		return Plan{}, err
	}
	var observations, reports []Entry
	for i := range send {
		results, report, err := msg.report(&send[i])
		if err != nil {
			return Plan{}, err
		}
		observations = append(observations, results...)
		reports = append(reports, report)
	}
	devices := []Entry{device}
	if in.Choices.Provenance {
		agent, err := msg.agentDevice()
		if err != nil {
			return Plan{}, err
		}
		devices = append(devices, agent)
	}
	p.add(StepDevice, devices)
	p.add(StepSpecimen, specimens)
	p.add(StepObservations, observations)
	p.add(StepReport, reports)
	return p, msg.origins(&p, reports)
}

// add appends entries as one or more steps within the limits.
func (p *Plan) add(name string, entries []Entry) {
	start, size := 0, 0
	for i := range entries {
		n := len(entries[i].Resource)
		if i > start && (i-start == maxEntries || size+n > maxStepBytes) {
			p.Steps = append(p.Steps, Step{Name: name, Entries: entries[start:i:i]})
			start, size = i, 0
		}
		size += n
	}
	p.Steps = append(p.Steps, Step{Name: name, Entries: entries[start:]})
}

// check refuses an input whose identities would be wrong. Two entries with one
// identity in a bundle would both be created.
func check(in Input) error {
	if !isKey(in.Key) {
		return errors.New("the message key is empty or not a key")
	}
	if in.Source.Name == "" {
		return errors.New("the analyzer has no name")
	}
	if y := in.Received.UTC().Year(); in.Received.IsZero() || y < 1 || y > 9999 {
		return errors.New("the time of receipt is missing or out of range")
	}
	reports := make(map[int]bool, len(in.Reports))
	for i := range in.Reports {
		r := &in.Reports[i]
		if r.Index < 0 || reports[r.Index] {
			return errors.New("report index " + strconv.Itoa(r.Index) + " is used twice or negative")
		}
		reports[r.Index] = true
		results := make(map[int]bool, len(r.Results))
		for j := range r.Results {
			n := r.Results[j].Index
			if n < 0 || results[n] {
				return fmt.Errorf("result index %d of report %d is used twice or negative", n, r.Index)
			}
			results[n] = true
		}
	}
	return nil
}
