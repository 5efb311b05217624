package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
)

const patient = `{"resourceType":"Patient","active":true}`

func TestBundles(t *testing.T) {
	broken := entry(50, "Observation", `{"resourceType":"Observation","status":"final"}`, "")
	dangling := []string{broken, entry(51, "DiagnosticReport", report("d", urn(50)), "")}
	plain := func(n int) (out []string) {
		for i := range n {
			out = append(out, entry(i, "Observation", observation(fmt.Sprint(i)), ""))
		}
		return out
	}
	tests := []struct {
		name    string
		feature bool
		bundle  string
		status  int
		entries string // statuses in a 200
		text    string // in the answer
		stored  int    // observations and reports
		dangles int
	}{
		{name: "33 conditional creates in a batch", bundle: bundleOf("batch", conditionals(0, 33)...),
			status: 200, entries: strings.TrimSpace(strings.Repeat("201 ", 33)), stored: 33},
		{name: "a transaction without the feature is a batch", bundle: bundleOf("transaction", append(conditionals(0, 9), broken)...),
			status: 200, entries: strings.Repeat("201 ", 9) + "400", text: `"type":"transaction-response"`, stored: 9},
		{name: "a forbidden entry without the feature", bundle: bundleOf("transaction", conditional(1, "a"), entry(2, "Patient", patient, "")),
			status: 200, entries: "201 403", stored: 1},
		{name: "a forbidden entry with the feature", feature: true, bundle: bundleOf("transaction", conditional(1, "a"), entry(2, "Patient", patient, "")),
			status: 403, text: `"id":"forbidden"`},
		{name: "8 strict entries", feature: true, bundle: bundleOf("transaction", conditionals(0, 8)...),
			status: 200, entries: strings.TrimSpace(strings.Repeat("201 ", 8)), stored: 8},
		{name: "9 strict entries", feature: true, bundle: bundleOf("transaction", conditionals(0, 9)...),
			status: 400, text: "Transaction requires strict isolation but has too many entries"},
		{name: "one condition makes 9 entries strict", feature: true, bundle: bundleOf("transaction", append(plain(8), conditional(9, "x"))...),
			status: 400, text: "too many entries"},
		{name: "9 entries without condition", feature: true, bundle: bundleOf("transaction", plain(9)...),
			status: 200, entries: strings.TrimSpace(strings.Repeat("201 ", 9)), stored: 9},
		{name: "the limit is not for batches", feature: true, bundle: bundleOf("batch", conditionals(0, 9)...),
			status: 200, entries: strings.TrimSpace(strings.Repeat("201 ", 9)), stored: 9},
		{name: "with the feature a failure leaves nothing", feature: true, bundle: bundleOf("transaction", conditional(1, "a"), broken),
			status: 400, text: "Missing required property"},
		{name: "in a batch a report dangles", bundle: bundleOf("batch", dangling...),
			status: 200, entries: "400 201", stored: 1, dangles: 1},
		{name: "one identity twice is created twice", bundle: bundleOf("batch", conditional(1, "a"), conditional(2, "a")),
			status: 200, entries: "201 201", stored: 2},
		{name: "references forward and back", bundle: bundleOf("batch", entry(9, "DiagnosticReport", report("r", urn(1), urn(2)), ""), conditional(1, "a"), conditional(2, "b")),
			status: 200, entries: "201 201 201", stored: 3},
		{name: "an unknown urn stays and dangles", bundle: bundleOf("batch", entry(9, "DiagnosticReport", report("r", urn(1)), "")),
			status: 200, entries: "201", stored: 1, dangles: 1},
		{name: "entries without request", bundle: bundleOf("batch", `{"resource":`+observation("a")+`}`, "null", conditional(1, "b")),
			status: 200, entries: "400 400 201", text: "Missing Bundle entry request method", stored: 1},
		{name: "an URL that is none", bundle: bundleOf("batch", `{"request":{"method":"POST","url":"Observation/1/2"}}`, `{"request":{"method":"GET","url":"Foo"}}`, `{"request":{"method":"POST"}}`),
			status: 200, entries: "404 400 400"},
		{name: "reads and searches", bundle: bundleOf("batch", `{"request":{"method":"GET","url":"Observation?identifier=a"}}`, `{"request":{"method":"GET","url":"Observation/1"}}`, conditional(1, "a")),
			status: 200, entries: "200 404 201", text: `"total"`, stored: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{TransactionBundles: tt.feature})
			w := ask(t, s, "POST", sandbox.BasePath, strings.Replace(tt.bundle, "?identifier=a", "?identifier=a&_total=accurate", 1))
			wantStatus(t, w, tt.status)
			if tt.status == 200 {
				if got := statuses(t, w); got != tt.entries {
					t.Errorf("entries %s, want %s\n%s", got, tt.entries, w.Body)
				}
			}
			if !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("answer lacks %q: %s", tt.text, w.Body)
			}
			if n := s.Len("Observation") + s.Len("DiagnosticReport"); n != tt.stored {
				t.Errorf("%d stored, want %d", n, tt.stored)
			}
			if d := s.Dangling(); len(d) != tt.dangles {
				t.Errorf("dangling %v, want %d", d, tt.dangles)
			}
		})
	}
}

func TestEntryForm(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	w := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a")))
	e := read(t, w).Entry[0]
	id := s.Resources("Observation")[0].ID
	if got := string(e.Response["status"]); got != `"201"` {
		t.Errorf("status %s, want a bare 201", got)
	}
	if got := string(e.Response["location"]); got != `"Observation/`+id+`"` {
		t.Errorf("location %s, want no history", got)
	}
	if _, has := e.Response["etag"]; has {
		t.Error("the entry has an etag")
	}
	if !strings.Contains(string(e.Response["outcome"]), `"id":"created"`) {
		t.Errorf("outcome %s", e.Response["outcome"])
	}
	again := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a")))
	e = read(t, again).Entry[0]
	if string(e.Response["status"]) != `"200"` || string(e.Response["location"]) != `"Observation/`+id+`"` {
		t.Errorf("the second time: %s", again.Body)
	}
}

func TestReferencesAreRewritten(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "there")))
	there := s.Resources("Observation")[0].ID
	w := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch",
		conditional(1, "there"), conditional(2, "new"),
		entry(3, "DiagnosticReport", report("r", urn(1), urn(2)), "")))
	if got := statuses(t, w); got != "200 201 201" {
		t.Fatal(got)
	}
	raw := string(s.Resources("DiagnosticReport")[0].Raw)
	fresh := s.Resources("Observation")[1].ID
	for _, want := range []string{`"Observation/` + there + `"`, `"Observation/` + fresh + `"`} {
		if !strings.Contains(raw, want) {
			t.Errorf("report %s lacks %s", raw, want)
		}
	}
	if d := s.Dangling(); d != nil {
		t.Errorf("dangling %v", d)
	}
	found := ask(t, s, "GET", fhir("DiagnosticReport?result=Observation/"+fresh), "")
	if n := len(read(t, found).Entry); n != 1 {
		t.Errorf("found %d reports by result, want 1", n)
	}
}

func TestTransactionIsUnseenUntilItIsWhole(t *testing.T) {
	s := sandbox.New(sandbox.Options{TransactionBundles: true})
	var seen []int
	s.SetFault(sandbox.Always(sandbox.Fault{Entry: func(sandbox.Entry) int {
		seen = append(seen, s.Len("Observation"))
		return 0
	}}))
	w := ask(t, s, "POST", sandbox.BasePath, bundleOf("transaction", conditionals(0, 3)...))
	if got := statuses(t, w); got != "201 201 201" {
		t.Error(got)
	}
	if !slices.Equal(seen, []int{0, 0, 0}) {
		t.Errorf("seen in between: %v", seen)
	}
}

func TestTransactionRefusesOneTargetTwice(t *testing.T) {
	s := sandbox.New(sandbox.Options{TransactionBundles: true})
	both := bundleOf("transaction", conditional(1, "a"), conditional(2, "a"))
	wantStatus(t, ask(t, s, "POST", sandbox.BasePath, both), 200)
	if n := len(s.Duplicates()); n != 1 {
		t.Errorf("%d duplicates, want 1: neither was there when the bundle came", n)
	}
	s = sandbox.New(sandbox.Options{TransactionBundles: true})
	ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a")))
	wantStatus(t, ask(t, s, "POST", sandbox.BasePath, both), 400)
}
