package validate

import (
	"slices"
	"time"
)

// Verdict is what came of a comparison.
type Verdict string

// The verdicts, the mildest first.
const (
	Skipped    Verdict = "not compared"
	Equal      Verdict = "equal"
	Digits     Verdict = "digits" // the same number, written otherwise: 5.10 and 5.1
	Superseded Verdict = "superseded"
	Unread     Verdict = "unread"
	Differs    Verdict = "differs"
	Missing    Verdict = "missing"
)

// Verdicts are all there are, the mildest first.
func Verdicts() []Verdict {
	return []Verdict{Skipped, Equal, Digits, Superseded, Unread, Differs, Missing}
}

// worse returns the graver of two.
func worse(a, b Verdict) Verdict {
	if slices.Index(Verdicts(), b) > slices.Index(Verdicts(), a) {
		return b
	}
	return a
}

// Field is one thing that the analyzer said, and what the server says there.
type Field struct {
	Name    string  `json:"name"`
	Sent    string  `json:"sent"`
	Held    string  `json:"held"` // on the server
	Verdict Verdict `json:"verdict"`
	Remark  string  `json:"remark,omitempty"`
}

// Kinds of items.
const (
	KindResult = "result" // an Observation
	KindReport = "report" // the DiagnosticReport of an order
)

// Item is one result, or the report of one order.
type Item struct {
	Kind       string  `json:"kind"`
	Order      int     `json:"order"`            // from 1
	Result     int     `json:"result,omitempty"` // from 1
	Test       string  `json:"test"`
	Identifier string  `json:"identifier"`
	Resource   string  `json:"resource,omitempty"` // "Observation/17/_history/2" as it was read
	Verdict    Verdict `json:"verdict"`
	Remark     string  `json:"remark,omitempty"`
	Fields     []Field `json:"fields,omitempty"`
}

// Message is one stored message.
type Message struct {
	Number    uint64    `json:"number"`
	Received  time.Time `json:"received"`
	Delivered time.Time `json:"delivered,omitzero"`
	Bytes     int       `json:"bytes"`
	SHA256    string    `json:"sha256"`
	State     string    `json:"state"`
	Verdict   Verdict   `json:"verdict"`
	Remark    string    `json:"remark,omitempty"`
	Items     []Item    `json:"items,omitempty"`
}

// add takes an item in, with its weight.
func (m *Message) add(i Item) {
	m.Items = append(m.Items, i)
	m.Verdict = worse(m.Verdict, i.Verdict)
}

// Head says what was compared, by whom and with what.
type Head struct {
	Agent       string    `json:"agent"`
	Version     string    `json:"version"`
	Revision    string    `json:"revision"`
	Platform    string    `json:"platform"`
	Host        string    `json:"host"`
	User        string    `json:"user"`
	Config      string    `json:"config"`
	Digest      string    `json:"config_sha256"`
	Running     string    `json:"running_config_sha256,omitempty"` // of the agent that runs; "": none runs
	Analyzer    string    `json:"analyzer"`
	Driver      string    `json:"driver"`
	Model       string    `json:"model,omitempty"`
	Profile     string    `json:"profile,omitempty"`
	Server      string    `json:"server"`
	Software    string    `json:"server_software,omitempty"` // as it calls itself
	SignIn      string    `json:"sign_in"`
	Selection   string    `json:"selection"` // which messages, in words
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
	MappedBy    []string  `json:"mapped_by"` // versions of labcourier, as the resources tell
	ExactDigits bool      `json:"exact_digits"`
}

// OtherConfig reports whether the agent runs with another configuration than the
// one that the messages were read with.
func (h *Head) OtherConfig() bool { return h.Running != "" && h.Running != h.Digest }

// Report is the whole comparison.
type Report struct {
	Head
	Messages []Message `json:"messages"`
	Counts   Counts    `json:"counts"`
}

// Counts are the verdicts on everything, by what they are about.
type Counts struct {
	Messages map[Verdict]int `json:"messages"`
	Results  map[Verdict]int `json:"results"`
	Reports  map[Verdict]int `json:"reports"`
	Fields   map[Verdict]int `json:"fields"`
}

// count fills Counts.
func (r *Report) count() {
	r.Counts = Counts{map[Verdict]int{}, map[Verdict]int{}, map[Verdict]int{}, map[Verdict]int{}}
	for _, m := range r.Messages {
		r.Counts.Messages[m.Verdict]++
		for _, i := range m.Items {
			if i.Kind == KindReport {
				r.Counts.Reports[i.Verdict]++
			} else {
				r.Counts.Results[i.Verdict]++
			}
			for _, f := range i.Fields {
				r.Counts.Fields[f.Verdict]++
			}
		}
	}
}

// Good reports whether the server holds all that was compared.
func (r *Report) Good() bool {
	for _, v := range []Verdict{Unread, Differs, Missing} {
		if r.Counts.Messages[v] > 0 {
			return false
		}
	}
	return !r.ExactDigits || r.Counts.Fields[Digits] == 0
}
