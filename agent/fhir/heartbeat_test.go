package fhir

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestHeartbeat: the Device of the agent itself, the one that a Provenance names,
// with counts and times and nothing else.
func TestHeartbeat(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	m := NewMapper(Options{AgentName: "core lab", Version: "1.2.3"})
	beat := Beat{At: at, Running: true, Links: 3, LinksUp: 2, Waiting: 4, Parked: 1, OldestWaiting: 90 * time.Second, LastMessage: at.Add(-time.Minute)}
	e, err := m.Heartbeat(beat)
	if err != nil {
		t.Fatal(err)
	}
	in := testInput(patientReport(0, "S1", 1))
	in.Choices.Provenance = true
	p, err := m.Plan(in)
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, of := range p.Steps[0].Entries {
		named = named || of.FullURL == e.FullURL && of.System == e.System && of.Value == e.Value
	}
	if !named {
		t.Error("it is not the Device that a Provenance names")
	}
	for _, want := range []string{
		`"status":"active"`, `"code":"online"`, `"code":"waiting"}]},"valueQuantity":[{"value":4,"unit":"messages"}]`,
		`"code":"links-up"}]},"valueQuantity":[{"value":2,`, `"value":90,"unit":"s","system":"http://unitsofmeasure.org","code":"s"`,
		`"code":"since-last-message"}]},"valueQuantity":[{"value":60,`, `"version":[{"value":"1.2.3"}]`, `"system":"urn:labcourier:role","code":"agent"`,
		`"time":"2026-11-22T08:00:00Z"`, "Messages waiting: 4, the oldest for 1m30s. Parked: 1. Last message: 2026-11-22T07:59:00Z.",
	} {
		if !strings.Contains(string(e.Resource), want) {
			t.Errorf("no %s in %s", want, e.Resource)
		}
	}
	stopped, err := m.Heartbeat(Beat{At: at})
	if err != nil {
		t.Fatal(err)
	}
	if s := string(stopped.Resource); !strings.Contains(s, `"status":"inactive"`) || strings.Contains(s, "since-last") {
		t.Error(s)
	}

	// What others added stays, what was this package's goes.
	stored := `{"resourceType":"Device","id":"7","meta":{"versionId":"2","lastUpdated":"x","tag":[{"system":"site","code":"a"}]},` +
		`"identifier":[{"system":"asset","value":"PC-9"}],"owner":{"reference":"Organization/1"},"status":"inactive","note":[{"text":"old"}]}`
	renewed, err := e.Renew(json.RawMessage(stored))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":"7"`, `"owner":{"reference":"Organization/1"}`, `"value":"PC-9"`, `"code":"a"`, `"code":"agent"`, `"status":"active"`} {
		if !strings.Contains(string(renewed), want) {
			t.Errorf("no %s in %s", want, renewed)
		}
	}
	for _, bad := range []string{"versionId", "lastUpdated", `"old"`} {
		if strings.Contains(string(renewed), bad) {
			t.Errorf("%s in %s", bad, renewed)
		}
	}
	if _, err := e.Renew(json.RawMessage(`[]`)); err == nil {
		t.Error("a list was renewed")
	}
}
