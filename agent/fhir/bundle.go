package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

type bundle struct {
	ResourceType string        `json:"resourceType"`
	Type         string        `json:"type"`
	Entry        []bundleEntry `json:"entry"`
}

type bundleEntry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
	Request  bundleRequest   `json:"request"`
}

type bundleRequest struct {
	Method      string `json:"method"`
	URL         string `json:"url"`
	IfNoneExist string `json:"ifNoneExist"`
}

// envelopeBytes is about what an entry takes beside its resource.
const envelopeBytes = 320

// Bundle returns the step as a FHIR batch of conditional creates. The map
// resolved gives, for the full URL of each entry of earlier steps, what the
// server calls it: "Specimen/17". A reference that is neither in there nor to
// an entry of this step is an error: it would dangle for ever.
//
// A batch and not a transaction: servers limit conditional transactions to a
// few entries or treat them as a batch anyway, so that each entry's own
// outcome has to be read in any case.
func (s Step) Bundle(resolved map[string]string) ([]byte, error) {
	b := bundle{ResourceType: "Bundle", Type: "batch", Entry: make([]bundleEntry, len(s.Entries))}
	size := 0
	for i, e := range s.Entries {
		resource, err := s.resolve(e.Resource, resolved)
		if err != nil {
			return nil, fmt.Errorf("make bundle of step %s: entry %d: %w", s.Name, i, err)
		}
		size += len(resource)
		b.Entry[i] = bundleEntry{
			FullURL:  e.FullURL,
			Resource: resource,
			Request:  bundleRequest{Method: "POST", URL: e.Type, IfNoneExist: e.condition()},
		}
	}
	var buf encodeBuffer
	buf.b.Grow(size + len(s.Entries)*envelopeBytes)
	raw, err := buf.encode(b)
	if err != nil {
		return nil, fmt.Errorf("make bundle of step %s: %w", s.Name, err)
	}
	return raw, nil
}

// Resolve returns e's resource with the ids in place of references to earlier
// steps, as Bundle does. For what is not sent as an entry of a bundle.
func (s Step) Resolve(e Entry, resolved map[string]string) (json.RawMessage, error) {
	resource, err := s.resolve(e.Resource, resolved)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", e.Type, err)
	}
	return resource, nil
}

// condition is the search that finds e if it is there already. The bar between
// system and value stays bare, as servers' own documentation writes it.
func (e Entry) condition() string {
	return "identifier=" + escape(e.System, ":/") + "|" + escape(e.Value, ":/")
}

// resolve replaces references to earlier steps in a resource. It looks only at
// values of "reference" members: text that an analyzer sent has its quotes
// escaped and can never look like one.
func (s Step) resolve(resource []byte, resolved map[string]string) ([]byte, error) {
	const mark = `"urn:uuid:`
	var out []byte // nil until something is copied
	rest := resource
	for {
		i := bytes.Index(rest, []byte(mark))
		if i < 0 {
			break
		}
		n := bytes.IndexByte(rest[i+1:], '"')
		if n < 0 {
			break
		}
		url := string(rest[i+1 : i+1+n])
		keep, next := rest[:i+1], rest[i+1+n:]
		if out == nil {
			out = make([]byte, 0, len(resource)) // ids are mostly as long as UUIDs, or shorter
		}
		switch id, ok := resolved[url]; {
		case !isReference(rest[:i]) || s.has(url):
			out = append(append(out, keep...), url...)
		case ok && id != "":
			out = append(append(out, keep...), id...)
		default:
			return nil, fmt.Errorf("reference to %s of an earlier step is not resolved", url)
		}
		rest = next
	}
	if out == nil {
		return resource, nil
	}
	return append(out, rest...), nil
}

// isReference reports whether JSON text ends where the value of a member named
// "reference" begins.
func isReference(before []byte) bool {
	before = bytes.TrimRight(before, " \t\r\n")
	before, ok := bytes.CutSuffix(before, []byte(":"))
	return ok && bytes.HasSuffix(bytes.TrimRight(before, " \t\r\n"), []byte(`"reference"`))
}

func (s Step) has(url string) bool {
	return slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.FullURL == url })
}

// encodeBuffer writes JSON without the escapes that HTML would need: "<" in a
// result is a "<" on the wire. Its memory is used again from one to the next.
type encodeBuffer struct{ b bytes.Buffer }

// encode returns v as JSON in memory of its own.
func (eb *encodeBuffer) encode(v any) ([]byte, error) {
	eb.b.Reset()
	enc := json.NewEncoder(&eb.b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode resource: %w", err)
	}
	return bytes.Clone(bytes.TrimSuffix(eb.b.Bytes(), []byte("\n"))), nil
}
