package drivers

import (
	"time"

	"golang.org/x/text/encoding"
)

// Kind is a protocol that labcourier can speak. The program's list of them is
// in cmd/labcourier/kinds.go and nowhere else.
type Kind struct {
	// Name is what the configuration calls it: "astm", "hl7".
	Name string

	// MediaType is what a payload is called in HTTP; "" means text/plain.
	MediaType string

	// New builds a driver for the analyzer of that name. It opens nothing, so
	// that a configuration can be checked with it; d may then be zero.
	New func(name string, s Section, d Deps) (Driver, error)

	// Parse reads one stored message. It is pure, never panics, and runs after
	// the spool. An error means that nothing of the payload can be passed on.
	Parse ParseFunc

	// Compile, if set, returns Parse for the analyzer with that section, which is
	// read once and not again for each message. It may be used by several
	// goroutines at a time.
	Compile func(s Section) (ParseFunc, error)

	// Split cuts raw captured traffic into messages, for looking at a capture
	// without a link. Faults are told in words and do not stop it.
	Split func(raw []byte, s Section) (messages []Message, faults []string)
}

// ParseFunc reads one stored message; see Kind.Parse.
type ParseFunc func(payload []byte, o ParseOptions) ([]Report, error)

// Parser returns what reads the messages of the analyzer with that section.
func (k Kind) Parser(s Section) ParseFunc {
	if k.Compile != nil && s != nil {
		if parse, err := k.Compile(s); err == nil {
			return parse
		}
	}
	return k.Parse // which tells the fault with each message
}

// Driver builds the driver of an analyzer that speaks k at d.Port: k's own, or the
// one that a port without connections brings.
func (k Kind) Driver(name string, s Section, d Deps) (Driver, error) {
	if p, collects := d.Port.(Collecting); collects {
		return p.Collect(name, k, s, d)
	}
	return k.New(name, s, d)
}

// ParseOptions is what a message does not say of itself.
type ParseOptions struct {
	// Location is the zone of the analyzer's clock; nil means UTC.
	Location *time.Location

	// Charset decodes the payload's text. Nil means: UTF-8 where the bytes are
	// valid UTF-8, else ISO 8859-1, in which every byte has a meaning.
	Charset encoding.Encoding

	// DefaultStatus is the status of a result that carries none; "" means
	// StatusPreliminary.
	DefaultStatus ResultStatus

	// Specimens are the specimen ids that a person gave to reports, by index.
	// One is used only where the message itself has none that can be.
	Specimens map[int]string

	// Section is the driver's own table; nil means its defaults.
	Section Section
}
