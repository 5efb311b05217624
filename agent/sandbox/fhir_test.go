package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// One request, one answer: the rows of the observations that need no more.
func TestRequests(t *testing.T) {
	batch := bundleOf("batch", conditional(1, "a"))
	tests := []struct {
		name         string
		method, path string
		body         string
		headers      []string
		status       int
		want         []string
	}{
		{"metadata is public", "GET", "metadata", "", []string{"Authorization", ""}, 200, []string{`"fhirVersion":"4.0.1"`}},
		{"create", "POST", "Observation", observation("a"), nil, 201, []string{`"value":5.40`, `"versionId"`}},
		{"plain JSON type", "POST", "Observation", observation("a"), []string{"Content-Type", "application/json"}, 201, nil},
		{"create is 403 off the policy", "POST", "Patient", `{"resourceType":"Patient"}`, nil, 403, []string{`"id":"forbidden"`, `"code":"forbidden"`}},
		{"search is 403 off the policy", "GET", "Patient", "", nil, 403, nil},
		{"read is 403 off the policy", "GET", "Patient/1", "", nil, 403, nil},
		{"update is 403 by default", "PUT", "Observation/1", observation("a"), nil, 403, nil},
		{"bots are 403 by default", "POST", "Bot/1/$execute", "x", []string{"Content-Type", "text/plain"}, 403, nil},
		{"read of nothing", "GET", "Observation/1", "", nil, 404, []string{`"id":"not-found"`}},
		{"unknown type", "POST", "Foo", `{"resourceType":"Foo"}`, nil, 400, nil},
		{"other type in the body", "POST", "Observation", report("a"), nil, 400, []string{"Incorrect resource type"}},
		{"no status", "POST", "Observation", `{"resourceType":"Observation","code":{"text":"x"}}`, nil, 400, []string{`"expression":["Observation.status"]`}},
		{"no code", "POST", "DiagnosticReport", `{"resourceType":"DiagnosticReport","status":"final"}`, nil, 400, []string{`"expression":["DiagnosticReport.code"]`}},
		{"empty string", "POST", "Device", `{"resourceType":"Device","lotNumber":""}`, nil, 400, []string{"Invalid empty value"}},
		{"empty list", "POST", "Device", `{"resourceType":"Device","note":[ ]}`, nil, 400, []string{"Invalid empty value"}},
		{"null member", "POST", "Device", `{"resourceType":"Device","note": null}`, nil, 400, []string{"Invalid empty value"}},
		{"meta of a wrong type", "POST", "Device", `{"resourceType":"Device","meta":[1]}`, nil, 400, nil},
		{"broken JSON", "POST", "Observation", `{"resourceType":`, nil, 400, []string{"could not be parsed"}},
		{"not an object", "POST", "Observation", `["Observation"]`, nil, 400, nil},
		{"text body", "POST", "Observation", observation("a"), []string{"Content-Type", "text/plain"}, 400, []string{"Unsupported content type"}},
		{"unknown parameter", "GET", "Observation?foo=1", "", nil, 400, []string{"Unknown search parameter"}},
		{"empty identifier", "GET", "Observation?identifier=", "", nil, 400, nil},
		{"too large is 400", "POST", "Observation", strings.Repeat(" ", 1<<20) + "x", nil, 400, []string{"File too large"}},
		{"too large after gunzip", "POST", "Observation", zipped(observation("a") + strings.Repeat(" ", 1<<20)), []string{"Content-Encoding", "gzip"}, 400, []string{"File too large"}},
		{"exactly 1 MB", "POST", "Observation", observation("a") + strings.Repeat(" ", 1<<20-len(observation("a"))), nil, 201, nil},
		{"gzip", "POST", "", zipped(batch), []string{"Content-Encoding", "gzip"}, 200, []string{`"status":"201"`}},
		{"broken gzip", "POST", "", "xx", []string{"Content-Encoding", "gzip"}, 400, nil},
		{"other encoding", "POST", "", batch, []string{"Content-Encoding", "br"}, 415, nil},
		{"batch", "POST", "", batch, nil, 200, []string{`"type":"batch-response"`, `"status":"201"`, `"location":"Observation/`}},
		{"batch at the base with a slash", "POST", "/", batch, nil, 200, nil},
		{"bundle of another type", "POST", "", `{"resourceType":"Bundle","type":"document","entry":[{}]}`, nil, 400, []string{"Unrecognized bundle type"}},
		{"bundle without entries", "POST", "", bundleOf("batch"), nil, 400, []string{"Missing bundle entries"}},
		{"not a bundle", "POST", "", observation("a"), nil, 400, nil},
		{"minimal leaves nothing of a bundle", "POST", "", batch, []string{"Prefer", "return=minimal"}, 200, []string{""}},
		{"minimal leaves nothing of a create", "POST", "Observation", observation("a"), []string{"Prefer", "return=minimal"}, 201, []string{""}},
		{"history is not there", "GET", "Observation/1/_history", "", nil, 404, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{})
			path := sandbox.BasePath
			if tt.path != "" {
				path = fhir(strings.TrimPrefix(tt.path, "/"))
			}
			w := ask(t, s, tt.method, path, tt.body, tt.headers...)
			wantStatus(t, w, tt.status)
			for _, want := range tt.want {
				if want == "" && w.Body.Len() > 0 {
					t.Errorf("body %s, want none", w.Body)
				}
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("body %s lacks %s", w.Body, want)
				}
			}
			if w.Code >= 400 && !strings.Contains(w.Body.String(), "OperationOutcome") {
				t.Errorf("refused without an OperationOutcome: %s", w.Body)
			}
			bare, _, _ := strings.Cut(path, "?") // a query may name a specimen: not for the log
			if got := s.Requests(); len(got) != 1 || got[0].Status != tt.status || got[0].Path != bare {
				t.Errorf("log %+v", got)
			}
		})
	}
}

func TestHealthcheck(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	wantStatus(t, ask(t, s, "GET", "/healthcheck", "", "Authorization", ""), 200)
	wantStatus(t, ask(t, s, "GET", "/elsewhere", ""), 404)
}

func TestBearerAndBasicAlike(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	bearer := "Bearer " + newToken(t, s)
	for i, typ := range []string{"batch", "transaction"} {
		for j, auth := range []string{bearer, "Basic " + "c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ="} {
			n := 10*i + j
			w := ask(t, s, "POST", sandbox.BasePath, bundleOf(typ, conditional(n, fmt.Sprint("b", n))), "Authorization", auth)
			if got := statuses(t, w); got != "201" {
				t.Errorf("%s with %.6s: %s", typ, auth, got)
			}
		}
	}
	c := s.Counts()
	if c.Auth[sandbox.AuthBearer] != 2 || c.Auth[sandbox.AuthBasic] != 2 || c.Created != 4 {
		t.Errorf("counts %+v", c)
	}
}

func TestConditionalCreate(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	cond := []string{"If-None-Exist", "identifier=" + resultSystem + "|a"}
	first := ask(t, s, "POST", fhir("Observation"), observation("a"), cond...)
	wantStatus(t, first, 201)
	if loc := first.Header().Get("Location"); !strings.Contains(loc, "/fhir/R4/Observation/") {
		t.Errorf("Location %q", loc)
	}
	second := ask(t, s, "POST", fhir("Observation"), observation("a"), cond...)
	wantStatus(t, second, 200)
	if second.Body.String() != first.Body.String() {
		t.Errorf("the second is not the first: %s", second.Body)
	}
	if _, err := s.Add(json.RawMessage(observation("a"))); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, ask(t, s, "POST", fhir("Observation"), observation("a"), cond...), 412)
	w := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a"), conditional(2, "b")))
	if got := statuses(t, w); got != "412 201" {
		t.Errorf("entries %s, want 412 201", got)
	}
	if !strings.Contains(w.Body.String(), `"id":"multiple-matches"`) {
		t.Errorf("no multiple-matches in %s", w.Body)
	}
	want := resultSystem + "|a"
	if d := s.Duplicates(); len(d) != 1 || d[0] != "Observation "+want {
		t.Errorf("duplicates %v", d)
	}
	if c := s.Counts(); c.Created != 2 || c.Existing != 1 || c.Refused != 2 {
		t.Errorf("counts %+v", c)
	}
	s.Permit("Observation", sandbox.Create)
	wantStatus(t, ask(t, s, "POST", fhir("Observation"), observation("a"), cond...), 403)
}

func TestNumberTextIsKept(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	numbers := []string{"5.40", "0.10", "1e2", "1E+02", "-0.0", "12345678901234567890.123456789", "100"}
	for i, n := range numbers {
		obs := strings.Replace(observation(fmt.Sprint(i)), "5.40", " "+n+" ", 1)
		w := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", entry(i, "Observation", obs, "")))
		if got := statuses(t, w); got != "201" {
			t.Fatalf("entry %s", got)
		}
		var doc struct {
			ValueQuantity struct{ Value json.RawMessage }
		}
		raw := s.Resources("Observation")[i].Raw
		if err := json.Unmarshal(raw, &doc); err != nil || string(doc.ValueQuantity.Value) != n {
			t.Errorf("stored %s as %s", n, raw)
		}
		if !bytes.Contains(read(t, w).Entry[0].Resource, []byte(`"value":`+n+`}`)) {
			t.Errorf("answered %s as %s", n, w.Body)
		}
	}
}

func TestServerOwnsIDAndMeta(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	w := ask(t, s, "POST", fhir("Device"), `{ "id":"mine", "resourceType":"Device", "note":[{"text":"a \" } , b"}],
		"meta":{"versionId":"1","source":"urn:x","lastUpdated":"2000"}, "i\u0064":"again" }`)
	wantStatus(t, w, 201)
	var doc struct {
		ID   string
		Meta struct{ VersionID, Source, LastUpdated string }
		Note []struct{ Text string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if len(doc.ID) != 36 || doc.Meta.VersionID == "1" || doc.Meta.LastUpdated == "2000" || doc.Meta.Source != "urn:x" || doc.Note[0].Text != `a " } , b` {
		t.Errorf("stored %s", w.Body)
	}
	wantStatus(t, ask(t, s, "GET", fhir("Device/"+doc.ID), ""), 200)
}

// The clock is read between the search of a conditional create and its commit;
// giving way there lets the others in, if anything can.
func TestConcurrentConditionalCreatesMakeOne(t *testing.T) {
	const rounds, each = 20, 6
	s := sandbox.New(sandbox.Options{Now: func() time.Time {
		for range 20 {
			runtime.Gosched()
		}
		return time.Now()
	}})
	for round := range rounds {
		var wg sync.WaitGroup
		value := fmt.Sprint("one", round)
		bundle := bundleOf("batch", append(conditionals(5*round, 5), conditional(0, value))...)
		for range each {
			wg.Go(func() {
				ask(t, s, "POST", fhir("Observation"), observation(value), "If-None-Exist", "identifier="+resultSystem+"|"+value)
			})
			wg.Go(func() { ask(t, s, "POST", sandbox.BasePath, bundle) })
		}
		wg.Wait()
	}
	if n, d := s.Len("Observation"), s.Duplicates(); n != 6*rounds || len(d) != 0 {
		t.Errorf("%d observations, want %d; %d duplicates", n, 6*rounds, len(d))
	}
	if c := s.Counts(); c.Created != 6*rounds || c.Existing != (7*each-6)*rounds {
		t.Errorf("counts %+v", c)
	}
}
