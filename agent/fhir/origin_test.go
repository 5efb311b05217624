package fhir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func originInput(payload []byte) Input {
	in := testInput(patientReport(0, "S1", 2), patientReport(3, "S2", 1))
	in.Choices.Raw, in.Choices.Provenance = true, true
	in.Payload, in.MediaType = payload, "text/plain; charset=utf-8"
	return in
}

// TestOrigins: the message and what was made of it, each with an identity that
// holds over retries, and every reference to what is in the plan.
func TestOrigins(t *testing.T) {
	payload := []byte("H|\\^&\rP|1||||Doe^Jane\r\x1a\xff")
	p := mustPlan(t, originInput(payload))
	var names []string
	for _, s := range p.Steps {
		names = append(names, s.Name)
	}
	if want := []string{StepDevice, StepSpecimen, StepObservations, StepReport, StepDocument, StepProvenance}; !slices.Equal(names, want) {
		t.Errorf("steps %v, want %v", names, want)
	}
	checkPlan(t, p)

	doc := entries(p, StepDocument)[0]
	d := decode[documentReference](t, doc)
	a := d.Content[0].Attachment
	if !bytes.Equal(a.Data, payload) || a.Size != len(payload) || a.ContentType != "text/plain; charset=utf-8" || a.Title != "" {
		t.Errorf("attachment %+v", a)
	}
	sum := sha256.Sum256(payload)
	if !strings.Contains(d.Description, hex.EncodeToString(sum[:])) {
		t.Errorf("description %q", d.Description)
	}
	if doc.condition() != "identifier=urn:labcourier:message|"+testKey || d.Identifier[0].Value != testKey {
		t.Errorf("created if there is no %s", doc.condition())
	}
	reports := entries(p, StepReport)
	if len(d.Context.Related) != 2 || d.Context.Related[1].Reference != reports[1].FullURL || d.Context.Related[1].Identifier.Value != testKey+"-3" {
		t.Errorf("related %+v", d.Context.Related)
	}
	if rest := decode[documentReference](t, doc.without(map[string]bool{reports[0].FullURL: true})).Context.Related; len(rest) != 1 || rest[0].Reference != reports[1].FullURL {
		t.Errorf("without the first report: %+v", rest)
	}

	e := entries(p, StepProvenance)[1]
	prov := decode[provenance](t, e)
	if e.condition() != "_tag=urn:labcourier:origin|"+testKey+"-3" || prov.Meta.Tag[0] != (coding{System: "urn:labcourier:origin", Code: testKey + "-3"}) {
		t.Errorf("created if there is no %s, with tags %+v", e.condition(), prov.Meta.Tag)
	}
	if len(prov.Target) != 2 || prov.Target[0].Reference != reports[1].FullURL || prov.Target[1].Reference != reports[1].Results[0] {
		t.Errorf("targets %+v", prov.Target)
	}
	agent := entries(p, StepDevice)[1]
	if prov.Agent[0].Who.Reference != agent.FullURL || prov.Agent[0].Who.Display != "labcourier 0.1.0" || agent.Value != "core-lab-1" {
		t.Errorf("agent %+v, device %s", prov.Agent, agent.Value)
	}
	if prov.Recorded != "2026-03-02T08:31:07.000Z" || prov.Entity[0].What.Reference != doc.FullURL {
		t.Errorf("recorded %s, entity %+v", prov.Recorded, prov.Entity)
	}
}

// TestOriginsOneByOne: each can be had without the other, and neither comes
// unasked.
func TestOriginsOneByOne(t *testing.T) {
	in := originInput([]byte("x"))
	in.Choices.Raw = false
	p := mustPlan(t, in)
	checkPlan(t, p)
	what := decode[provenance](t, entries(p, StepProvenance)[0]).Entity[0].What
	if entries(p, StepDocument) != nil || what.Reference != "" || what.Identifier.Value != testKey || !strings.Contains(what.Display, "SHA-256 2d711642b726b04401627ca9fbac32f5") {
		t.Errorf("without the document the source is %+v", what)
	}
	in.Choices.Raw, in.Choices.Provenance = true, false
	p = mustPlan(t, in)
	if entries(p, StepProvenance) != nil || len(entries(p, StepDevice)) != 1 || len(entries(p, StepDocument)) != 1 {
		t.Errorf("with the document alone: %+v", p.Steps)
	}
	in.Choices = Choices{}
	if p = mustPlan(t, in); len(p.Steps) != 4 {
		t.Errorf("unasked: %+v", p.Steps)
	}
}

// TestDocumentTooLarge: what does not go into one request goes without its data.
func TestDocumentTooLarge(t *testing.T) {
	const maxBody = 64 << 10
	m := NewMapper(Options{AgentName: "core-lab-1", Version: "0.1.0", MaxBody: maxBody})
	included := 0
	for n := 40 << 10; n < 60<<10; n += 500 {
		p, err := m.Plan(originInput(make([]byte, n)))
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]string{}
		for _, s := range p.Steps {
			for _, e := range s.Entries {
				known[e.FullURL] = e.Type + "/11111111-2222-3333-4444-555555555555"
			}
		}
		i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Name == StepDocument })
		body, err := p.Steps[i].Bundle(known)
		if err != nil || len(body) > maxBody {
			t.Errorf("%d bytes make a request of %d: %v", n, len(body), err)
		}
		a := decode[documentReference](t, p.Steps[i].Entries[0]).Content[0].Attachment
		switch {
		case a.Data != nil && a.Title == "":
			included = n
		case a.Data != nil || !strings.Contains(a.Title, "too large") || a.Size != n || len(a.Hash) != 20:
			t.Errorf("%d bytes: %+v", n, a)
		}
	}
	if included < 45<<10 || included > 48<<10 {
		t.Errorf("up to %d bytes were included", included)
	}
}

// TestWithout: what is held of a message takes what is about it alone with it.
func TestWithout(t *testing.T) {
	p := mustPlan(t, originInput([]byte("x")))
	reports := entries(p, StepReport)
	gone := map[string]bool{}
	count := func() (documents, origins int, left Plan) {
		left = Plan{Steps: Without(p.Steps, gone)}
		return len(entries(left, StepDocument)), len(entries(left, StepProvenance)), left
	}
	for _, e := range append(entries(p, StepObservations)[:2], reports[0], entries(p, StepSpecimen)[0]) {
		gone[e.FullURL] = true
	}
	documents, origins, left := count()
	if documents != 1 || origins != 1 || entries(left, StepProvenance)[0].Value != testKey+"-3" {
		t.Errorf("without the first report: %d documents, %d Provenances", documents, origins)
	}
	checkPlan(t, left)
	gone[reports[1].FullURL] = true
	if documents, origins, left = count(); documents+origins != 0 || len(entries(left, StepReport)) != 0 {
		t.Errorf("without both reports: %d documents, %d Provenances", documents, origins)
	}
}
