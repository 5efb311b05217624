package sandbox_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// Whatever the body: no panic, an answer that is JSON with an entry for each
// entry, and what is stored is what was sent, number by number.
func FuzzBundle(f *testing.F) {
	f.Add([]byte(bundleOf("batch", conditional(1, "a"), conditional(2, "a"), entry(3, "DiagnosticReport", report("r", urn(1)), ""))), false)
	f.Add([]byte(bundleOf("transaction", conditionals(0, 9)...)), true)
	f.Add([]byte(bundleOf("transaction", conditional(1, "a"), entry(2, "Patient", patient, ""))), true)
	f.Add([]byte(bundleOf("batch", `{"request":{"method":"GET","url":"Observation?identifier=a&_count=1"}}`, `null`)), false)
	f.Add([]byte(bundleOf("batch", `{"fullUrl":"`+urn(1)+`","request":{"method":"PUT","url":"Observation/\"1"},"resource":{"resourceType":"Observation"}}`,
		entry(2, "DiagnosticReport", report("r", urn(1)), ""))), false)
	f.Add([]byte(bundleOf("batch", strings.Replace(conditional(1, "a"), `"Observation","ifNone`, `"Obs\"","ifNone`, 1), entry(2, "DiagnosticReport", report("r", urn(1)), ""))), false)
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":"Device"},"resource":{"resourceType":"Device","meta":{"tag":[{"code":"5.40"}]},"x":5.40}}]}`), false)
	f.Fuzz(func(t *testing.T, body []byte, feature bool) {
		s := sandbox.New(sandbox.Options{TransactionBundles: feature})
		for _, typ := range []string{"Observation", "Device", "Patient", "DiagnosticReport"} {
			s.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
		}
		var stored []json.RawMessage
		s.Created(func(_ string, raw json.RawMessage) { stored = append(stored, bytes.Clone(raw)) })
		w := ask(t, s, "POST", sandbox.BasePath, string(body))
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("answer %d is not JSON: %q", w.Code, w.Body)
		}
		if len(stored) != s.Counts().Created {
			t.Fatalf("%d stored, %d counted", len(stored), s.Counts().Created)
		}
		s.Dangling()
		s.Duplicates()
		if w.Code != 200 {
			if len(stored) > 0 {
				t.Fatalf("stored something and said %d", w.Code)
			}
			return
		}
		var sent struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatalf("answered 200 to %q", body)
		}
		got := read(t, w)
		if len(got.Entry) != len(sent.Entry) {
			t.Fatalf("%d entries answered, %d sent", len(got.Entry), len(sent.Entry))
		}
		for i, e := range got.Entry {
			if string(e.Response["status"]) != `"201"` || strings.Contains(string(body), "urn:uuid") {
				continue
			}
			if a, b := content(t, sent.Entry[i].Resource), content(t, e.Resource); !reflect.DeepEqual(a, b) {
				t.Fatalf("sent %v, stored %v", a, b)
			}
		}
	})
}

// content is a resource without what the server makes, with numbers as text.
func content(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v: %q", err, raw)
	}
	delete(m, "id")
	delete(m, "meta")
	return m
}
