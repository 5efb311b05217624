package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"
)

// draft is a resource as a client sent it, checked as far as the sandbox
// checks.
type draft struct {
	typ         string
	raw         []byte // compact
	identifiers []Identifier
}

// parseDraft checks a resource of the expected type.
func parseDraft(typ string, raw []byte) (*draft, *outcome) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, badRequest("Content could not be parsed")
	}
	d := &draft{typ: typ, raw: b.Bytes()}
	if d.raw[0] != '{' {
		return nil, badRequest("Resource is not an object")
	}
	if found := text(find(d.raw, "resourceType")); found != typ {
		return nil, badRequest("Incorrect resource type: expected " + typ)
	}
	if holdsEmpty(d.raw) {
		return nil, structureFault("Invalid empty value", typ)
	}
	if meta := find(d.raw, "meta"); meta != nil && meta[0] != '{' {
		return nil, structureFault("Invalid value", typ+".meta")
	}
	var err error
	if d.identifiers, err = parseIdentifiers(find(d.raw, "identifier")); err != nil {
		return nil, structureFault("Invalid value", typ+".identifier")
	}
	return d, d.checkRequired()
}

// checkRequired looks for what R4 requires of results at their top.
func (d *draft) checkRequired() *outcome {
	if d.typ != "Observation" && d.typ != "DiagnosticReport" {
		return nil
	}
	if status := find(d.raw, "status"); status == nil {
		return structureFault("Missing required property", d.typ+".status")
	} else if status[0] != '"' {
		return structureFault("Invalid value", d.typ+".status")
	}
	if code := find(d.raw, "code"); code == nil {
		return structureFault("Missing required property", d.typ+".code")
	} else if code[0] != '{' {
		return structureFault("Invalid value", d.typ+".code")
	}
	return nil
}

// rewrite resolves the bundle's own references. It returns a draft of its own
// when something changed.
func (d *draft) rewrite(resolved map[string]string) *draft {
	raw := rewrite(d.raw, resolved)
	if len(raw) == len(d.raw) && &raw[0] == &d.raw[0] {
		return d
	}
	ids, _ := parseIdentifiers(find(raw, "identifier")) // could be read before
	return &draft{d.typ, raw, ids}
}

// build makes a version of the draft: the client's text, with the server's id
// and meta instead of the client's.
func (d *draft) build(id, author string, now time.Time) *resource {
	r := &resource{typ: d.typ, id: id, version: newUUID(), updated: now, identifiers: d.identifiers}
	b := make([]byte, 0, len(d.raw)+256)
	b = append(b, `{"resourceType":"`+d.typ+`","id":"`+id+`","meta":{"versionId":"`+r.version+`","lastUpdated":"`...)
	b = now.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","author":{"reference":`+author+`}`...)
	for m := range members(find(d.raw, "meta")) {
		switch m.name {
		case "versionId", "lastUpdated", "author":
		default:
			b = append(append(b, ','), m.whole...)
		}
	}
	b = append(b, '}')
	for m := range members(d.raw) {
		switch m.name {
		case "resourceType", "id", "meta":
		default:
			b = append(append(b, ','), m.whole...)
		}
	}
	b = append(b, '}')
	r.raw = b
	return r
}

// newUUID is a random UUID, version 4.
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	b := make([]byte, 0, 36)
	for i, end := range []int{4, 6, 8, 10, 16} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, u[[]int{0, 4, 6, 8, 10}[i]:end])
	}
	return string(b)
}
