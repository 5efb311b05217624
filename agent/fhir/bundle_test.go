package fhir

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBundle(t *testing.T) {
	const one, two, own = "urn:uuid:0001", "urn:uuid:0002", "urn:uuid:0003"
	resolved := map[string]string{one: "Device/7", two: "Specimen/8", "urn:uuid:9": ""}
	tests := []struct {
		name     string
		resource string
		want     string // the resource in the bundle
		err      string
	}{
		{"no reference", `{"a":1.50}`, `{"a":1.50}`, ""},
		{"two references", `{"device":{"reference":"` + one + `"},"specimen":{"reference":"` + two + `"}}`,
			`{"device":{"reference":"Device/7"},"specimen":{"reference":"Specimen/8"}}`, ""},
		{"the same twice", `[{"reference":"` + one + `"},{"reference":"` + one + `"}]`, `[{"reference":"Device/7"},{"reference":"Device/7"}]`, ""},
		{"blanks", `{ "reference" : "` + one + `" }`, `{ "reference" : "Device/7" }`, ""},
		{"of this step", `{"reference":"` + own + `"}`, `{"reference":"` + own + `"}`, ""},
		{"unknown", `{"reference":"urn:uuid:0004"}`, "", "urn:uuid:0004"},
		{"resolved to nothing", `{"reference":"urn:uuid:9"}`, "", "urn:uuid:9"},
		{"already resolved", `{"reference":"Device/1"}`, `{"reference":"Device/1"}`, ""},
		{"text that looks like one", `{"valueString":"` + one + `"}`, `{"valueString":"` + one + `"}`, ""},
		{"text that quotes one", `{"valueString":"\"reference\":\"` + one + `\""}`, `{"valueString":"\"reference\":\"` + one + `\""}`, ""},
		{"key that only ends so", `{"x-reference":"` + one + `"}`, `{"x-reference":"` + one + `"}`, ""},
		{"no HTML escapes", `{"valueString":"<5 & >3"}`, `{"valueString":"<5 & >3"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Step{Name: StepObservations, Entries: []Entry{{FullURL: own, Type: "Observation", System: "urn:x:y", Value: "k-0 1/&=+|é", Resource: json.RawMessage(tt.resource)}}}
			before := tt.resource
			got, err := s.Bundle(resolved)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := `{"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"urn:uuid:0003","resource":` + tt.want +
				`,"request":{"method":"POST","url":"Observation","ifNoneExist":"identifier=urn:x:y|k-0%201/%26%3D%2B%7C%C3%A9"}}]}`
			if string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if string(s.Entries[0].Resource) != before {
				t.Error("Bundle changed the entry")
			}
		})
	}
}
