package fhir

import (
	"crypto/sha1" //nolint:gosec // Attachment.hash is SHA-1 in R4; nothing is secured with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

const systemParticipant = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

// documentBytes is what a document takes in a request beside the message and its
// related reports.
const documentBytes = 2 << 10

// origins adds the steps that say where the reports come from: the message
// itself, and a Provenance for each report.
//
// They are the last, so that no result waits for them. A Provenance is of a
// report and not of the message: a report that a person releases later then gets
// its own, with the same content whenever it is sent.
func (msg *message) origins(p *Plan, reports []Entry) error {
	if msg.in.Choices.Raw {
		e, err := msg.document(reports)
		if err != nil {
			return err
		}
		p.add(StepDocument, []Entry{e})
	}
	if !msg.in.Choices.Provenance {
		return nil
	}
	list := make([]Entry, 0, len(reports))
	for i := range reports {
		e, err := msg.provenance(&reports[i])
		if err != nil {
			return err
		}
		list = append(list, e)
	}
	p.add(StepProvenance, list)
	return nil
}

// documentIdentity is that of the message, whether it is on the server or not.
func (msg *message) documentIdentity() (Entry, identifier) {
	return msg.identity("DocumentReference", "message", msg.in.Key)
}

// document is the message as the analyzer sent it. Its data is in it, since a
// Binary has no identifier that its creation could be conditional on.
func (msg *message) document(reports []Entry) (Entry, error) {
	e, id := msg.documentIdentity()
	sum := sha1.Sum(msg.in.Payload) //nolint:gosec // see the import
	a := attachment{
		ContentType: codeText(msg.in.MediaType), Data: msg.in.Payload, Size: len(msg.in.Payload), Hash: sum[:], Creation: msg.issued,
	}
	d := documentReference{
		ResourceType: "DocumentReference",
		Meta:         msg.meta(),
		Identifier:   []identifier{id},
		Status:       "current",
		Type:         textConcept("Analyzer message"),
		Date:         msg.issued,
		Author:       []reference{{Reference: msg.dev, Display: clean(msg.in.Source.Name)}},
		Description:  "The message as the analyzer sent it. " + msg.digest(),
		Context:      &documentContext{},
	}
	if a.ContentType == "" {
		a.ContentType = "application/octet-stream"
	}
	room := msg.maxBody - documentBytes
	for i := range reports {
		r := &reports[i]
		e.Reports = append(e.Reports, r.FullURL)
		ref := reference{Reference: r.FullURL, Identifier: &identifier{System: r.System, Value: r.Value}}
		d.Context.Related = append(d.Context.Related, ref)
		room -= len(r.FullURL) + len(r.System) + len(r.Value) + 80
	}
	if n := base64.StdEncoding.EncodedLen(len(msg.in.Payload)); n > room {
		a.Data = nil
		a.Title = fmt.Sprintf("Not included: the message is too large for a request of at most %d bytes. The agent keeps it for as long as spool.retain says.", msg.maxBody)
	}
	d.Content = []documentContent{{a}}
	return msg.encode(e, d)
}

// digest names the message by its bytes, for those who have only one of the two.
func (msg *message) digest() string {
	sum := sha256.Sum256(msg.in.Payload)
	return "SHA-256 " + hex.EncodeToString(sum[:])
}

// provenance says how one report came about. It has a tag in place of the
// identifier that R4 does not give it.
func (msg *message) provenance(report *Entry) (Entry, error) {
	e, id := msg.identity("Provenance", "origin", report.Value)
	e.Tagged, e.Reports = true, []string{report.FullURL}
	p := provenance{
		ResourceType: "Provenance",
		Meta:         msg.meta(coding{System: id.System, Code: id.Value}),
		Target:       []reference{{Reference: report.FullURL}},
		Recorded:     msg.issued,
		Activity:     textConcept("An analyzer's message read and mapped to FHIR"),
		Agent: []provenanceAgent{{
			Type: codeableConcept{Coding: []coding{{System: systemParticipant, Code: "assembler", Display: "Assembler"}}},
			Who:  reference{Reference: fullURL(msg.base+":device", msg.agentValue()), Display: join(" ", "labcourier", msg.version)},
		}},
	}
	for _, result := range report.Results {
		p.Target = append(p.Target, reference{Reference: result})
	}
	doc, docID := msg.documentIdentity()
	what := reference{Identifier: &docID, Display: msg.digest()}
	if msg.in.Choices.Raw {
		what.Reference = doc.FullURL
	}
	p.Entity = []provenanceEntity{{Role: "source", What: what}}
	return msg.encode(e, p)
}

// Without returns steps without the entries in gone, by full URL, and without
// what would be about nothing else.
func Without(steps []Step, gone map[string]bool) []Step {
	out := make([]Step, 0, len(steps))
	for _, s := range steps {
		next := Step{Name: s.Name}
		for _, e := range s.Entries {
			left := slices.ContainsFunc(e.Reports, func(url string) bool { return !gone[url] })
			if gone[e.FullURL] || len(e.Reports) > 0 && !left {
				continue
			}
			next.Entries = append(next.Entries, e.without(gone))
		}
		if len(next.Entries) > 0 {
			out = append(out, next)
		}
	}
	return out
}

// without is e without its links to what is gone. Only a document, which is about
// several reports, has such links.
func (e Entry) without(gone map[string]bool) Entry {
	var d documentReference
	if e.Type != "DocumentReference" || json.Unmarshal(e.Resource, &d) != nil || d.Context == nil {
		return e
	}
	d.Context.Related = slices.DeleteFunc(d.Context.Related, func(r reference) bool { return gone[r.Reference] })
	var buf encodeBuffer
	if raw, err := buf.encode(d); err == nil {
		e.Resource = raw
	}
	return e
}
