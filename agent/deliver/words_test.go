package deliver

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labcourier/labcourier/agent/fhir"
)

func sentValues(t testing.TB, resource string) []fhir.Entry {
	t.Helper()
	if !json.Valid([]byte(resource)) {
		t.Fatalf("%s is not JSON", resource)
	}
	return []fhir.Entry{{Type: "Observation", System: "urn:test", Value: "sid-7.2", Resource: json.RawMessage(resource)}}
}

func TestWords(t *testing.T) {
	sent := sentValues(t, `{"resourceType":"Observation","status":"final","subject":{"display":"Zebulon O'Brien-Müller"},
		"valueString":"Klebsiella","valueQuantity":{"value":5.40,"unit":"mmol/L"},"note":[{"text":"not for the chart"}]}`)
	issue := func(text, diagnostics, expression string) string {
		b, err := json.Marshal(map[string]any{"resourceType": "OperationOutcome", "issue": []any{map[string]any{
			"severity": "error", "code": "invalid", "details": map[string]string{"text": text}, "diagnostics": diagnostics, "expression": []string{expression},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	tests := []struct{ name, outcome, want string }{
		{"plain", issue("Missing required property", "", "Observation.code"), "invalid: Observation.code: Missing required property"},
		{"in quotes", issue(`Invalid value "Zebulon" found`, "", ""), "invalid: Invalid value … found"},
		{"without quotes", issue("Unknown organism klebsiella, please", "", ""), "invalid: Unknown organism … please"},
		{"in a longer word", issue("name=Zebulon;x", "", ""), "invalid"},
		{"its beginning", issue("bad value Zebul", "", ""), "invalid: bad value …"},
		{"numbers and ids", issue("result 5.40 of sid-7.2 exceeds", "", ""), "invalid: result … of … exceeds"},
		{"another spelling", issue("bad M%C3%BCller M&uuml;ller Mu\u0308ller MÜLLER seen", "", ""), "invalid: bad … seen"},
		{"a quote that stays open", issue("bad 'Zebulon Smith and so on", "", ""), "invalid: bad …"},
		{"an apostrophe", issue("the resource doesn't fit", "", ""), "invalid: … resource doesn't fit"}, // "the" was sent
		{"an expression with a value", issue("bad", "", "Observation.where(note='Zebulon')"), "invalid: bad"},
		{"an expression that is a value", issue("bad", "", "Klebsiella"), "invalid: bad"},
		{"our own words", issue("Observation final", "", ""), "invalid: Observation final"},
		{"control characters", issue("a\x1b[31m\nb", "", ""), "invalid: a … b"},
		{"diagnostics", issue("bad", "at com.example.Server", ""), "invalid: bad: at com.example.Server"},
		{"a strange code", strings.Replace(issue("bad", "", ""), `"invalid"`, `"Zebulon 4711"`, 1), "bad"},
		{"no issue", `{"resourceType":"OperationOutcome"}`, ""},
		{"not an outcome", `<html>Zebulon`, ""},
		{"long", issue(strings.Repeat("blah ", 200), "", ""), "invalid: " + strings.Repeat("blah ", 200)[:291] + gap},
	}
	for _, test := range tests {
		if got := words(parseOutcome([]byte(test.outcome)), sent); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

// FuzzWords: no word of four letters or more that was sent comes back, whatever
// the server says and however it writes it.
func FuzzWords(f *testing.F) {
	f.Add(`{"resourceType":"OperationOutcome","issue":[{"code":"invalid","details":{"text":"Zebulon 'x' \"y"},"expression":["a.zebulon"]}]}`, "Zebulon")
	f.Add(`{"resourceType":"OperationOutcome","issue":[{"code":"zebulon","diagnostics":"{\"_msBeforeNext\":1e99}"},{},{},{}]}`, "zebulon")
	f.Add(`{"resourceType":"OperationOutcome","extension":[{"url":"/rate-limit-reset","valueInteger":99999999999}]}`, "")
	f.Fuzz(func(t *testing.T, outcome, name string) {
		resource, err := json.Marshal(map[string]any{"resourceType": "Observation", "note": name})
		if err != nil {
			t.Fatal(err)
		}
		said := parseOutcome([]byte(outcome))
		if d := said.resetAfter(); d < 0 || d > longestAsked {
			t.Fatalf("%q asks to wait %s", outcome, d)
		}
		got := words(said, []fhir.Entry{{Type: "Observation", Resource: resource}})
		if len(got) > longestWords+len(gap) || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\x1b\x00") {
			t.Fatalf("words are %q", got)
		}
		for _, w := range strings.FieldsFunc(name, notLetter) {
			// A code is one of the server's fixed words and may be any.
			rest := strings.ToLower(got)
			if said != nil {
				for _, i := range said.Issue {
					rest = strings.Replace(rest, i.Code, "", 1)
				}
			}
			if len(w) > 3 && strings.Contains(rest, strings.ToLower(w)) {
				t.Fatalf("%q was sent and came back in %q", w, got)
			}
		}
	})
}
