package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
)

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
	size := envelopeBytes
	for i := range s.Entries {
		size += len(s.Entries[i].Resource) + envelopeBytes
	}
	// Written by hand: the encoder would read every resource again, twice, to
	// compact what is compact. That was half the time of a message.
	out := make([]byte, 0, size)
	out = append(out, `{"resourceType":"Bundle","type":"batch","entry":[`...)
	for i, e := range s.Entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"fullUrl":`...)
		out = appendText(out, e.FullURL)
		out = append(out, `,"resource":`...)
		var err error
		if out, err = s.appendResolved(out, e.Resource, resolved); err != nil {
			return nil, fmt.Errorf("make bundle of step %s: entry %d: %w", s.Name, i, err)
		}
		out = append(out, `,"request":{"method":"POST","url":`...)
		out = appendText(out, e.Type)
		out = append(out, `,"ifNoneExist":`...)
		out = appendText(out, e.condition())
		out = append(out, "}}"...)
	}
	return append(out, "]}"...), nil
}

// appendText appends s as a JSON string. What stands in an envelope is ASCII
// without quotes, but for what an identifier base could hold.
func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var buf encodeBuffer
			text, err := buf.encode(s)
			if err != nil {
				return append(out, `""`...) // cannot be: any string can be encoded
			}
			return append(out, text...)
		}
	}
	out = append(append(out, '"'), s...)
	return append(out, '"')
}

// Resolve returns e's resource with the ids in place of references to earlier
// steps, as Bundle does. For what is not sent as an entry of a bundle.
func (s Step) Resolve(e Entry, resolved map[string]string) (json.RawMessage, error) {
	resource, err := s.appendResolved(make([]byte, 0, len(e.Resource)), e.Resource, resolved)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", e.Type, err)
	}
	return resource, nil
}

// condition is the search that finds e if it is there already. The bar between
// system and value stays bare, as servers' own documentation writes it.
func (e Entry) condition() string {
	return e.Param() + "=" + escape(e.System, ":/") + "|" + escape(e.Value, ":/")
}

// Param is the search parameter that finds e by "System|Value".
func (e Entry) Param() string {
	if e.Tagged {
		return "_tag" // every type has it (R4, 3.1.1.5.4)
	}
	return "identifier"
}

// appendResolved appends a resource with its references to earlier steps
// replaced. It looks only at values of "reference" members: text that an
// analyzer sent has its quotes escaped and can never look like one.
func (s Step) appendResolved(out, resource []byte, resolved map[string]string) ([]byte, error) {
	const mark = `"urn:uuid:`
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
		url := rest[i+1 : i+1+n]
		out = append(out, rest[:i+1]...)
		switch id, ok := resolved[string(url)]; {
		case !isReference(rest[:i]) || s.has(string(url)):
			out = append(out, url...)
		case ok && id != "":
			out = append(out, id...)
		default:
			return nil, fmt.Errorf("reference to %s of an earlier step is not resolved", url)
		}
		rest = rest[i+1+n:]
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
	for i := range s.Entries {
		if s.Entries[i].FullURL == url {
			return true
		}
	}
	return false
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
