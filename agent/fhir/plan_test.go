package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

var testReceived = time.Date(2026, 3, 2, 8, 31, 7, 0, time.UTC)

// patientReport is a report of n plain results, to be bent by a test.
func patientReport(index int, specimen string, n int) drivers.Report {
	r := drivers.Report{Index: index, Purpose: drivers.ForPatient, Specimen: drivers.Specimen{ID: specimen}}
	for i := range n {
		r.Results = append(r.Results, drivers.Result{
			Index: i, Test: drivers.Code{Code: fmt.Sprintf("T%d", i)}, Status: drivers.StatusFinal,
			Value: drivers.Value{Text: "1.50", Number: "1.50"}, Unit: "mmol/L",
		})
	}
	return r
}

func testInput(reports ...drivers.Report) Input {
	return Input{Key: testKey, Received: testReceived, Source: Source{Name: "xn"}, Reports: reports}
}

func mustPlan(t testing.TB, in Input) Plan {
	t.Helper()
	p, err := testMapper().Plan(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// entries returns the entries of all steps of that name.
func entries(p Plan, step string) []Entry {
	var all []Entry
	for _, s := range p.Steps {
		if s.Name == step {
			all = append(all, s.Entries...)
		}
	}
	return all
}

func values(list []Entry) []string {
	var v []string
	for _, e := range list {
		v = append(v, e.Value)
	}
	return v
}

// observe maps one result and returns its Observation.
func observe(t *testing.T, edit func(*drivers.Report, *drivers.Result)) observation {
	t.Helper()
	r := patientReport(0, "S1", 1)
	edit(&r, &r.Results[0])
	return decode[observation](t, entries(mustPlan(t, testInput(r)), StepObservations)[0])
}

func decode[T any](t *testing.T, e Entry) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(bytes.NewReader(e.Resource))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("resource of %s: %v", e.Value, err)
	}
	return v
}

func TestPlanRefusesWrongIdentities(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Input)
		want string
	}{
		{"no key", func(in *Input) { in.Key = "" }, "message key"},
		{"key with a search separator", func(in *Input) { in.Key = "a|b" }, "message key"},
		{"no analyzer", func(in *Input) { in.Source.Name = "" }, "no name"},
		{"no time of receipt", func(in *Input) { in.Received = time.Time{} }, "time of receipt"},
		{"year 10000", func(in *Input) { in.Received = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time of receipt"},
		{"two reports of one index", func(in *Input) { in.Reports[1].Index = 0 }, "report index 0"},
		{"negative report index", func(in *Input) { in.Reports[1].Index = -1 }, "report index -1"},
		{"two results of one index", func(in *Input) { in.Reports[1].Results[1].Index = 0 }, "result index 0 of report 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := testInput(patientReport(0, "S1", 1), patientReport(1, "S2", 2))
			tt.edit(&in)
			p, err := testMapper().Plan(in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if len(p.Steps) != 0 {
				t.Error("a plan came with the error")
			}
		})
	}
}

func TestPlanRefusesBadBase(t *testing.T) {
	for _, base := range []string{"labcourier", "urn:a b", "urn:a|b", "urn:a,b", ":x", "urn:", "1rn:x"} {
		if _, err := NewMapper(Options{IdentifierBase: base}).Plan(testInput()); err == nil {
			t.Errorf("base %q was taken", base)
		}
	}
	for _, base := range []string{"", "urn:lab", "https://lab.example/id", "urn:oid:1.2.3"} {
		if _, err := NewMapper(Options{IdentifierBase: base}).Plan(testInput()); err != nil {
			t.Errorf("base %q: %v", base, err)
		}
	}
}

func TestPlanIdentifiers(t *testing.T) {
	m := NewMapper(Options{IdentifierBase: "https://lab.example/id", AgentName: "core/lab", Version: "1"})
	p, err := m.Plan(testInput(patientReport(3, "S1", 2)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Steps {
		for _, e := range s.Entries {
			got = append(got, e.Type+" "+e.System+"|"+e.Value)
		}
	}
	want := []string{
		"Device https://lab.example/id:device|core%2Flab/xn",
		"Specimen https://lab.example/id:specimen|" + testKey + "-s3",
		"Observation https://lab.example/id:result|" + testKey + "-3-0",
		"Observation https://lab.example/id:result|" + testKey + "-3-1",
		"DiagnosticReport https://lab.example/id:report|" + testKey + "-3",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Each purpose but a patient's comes to no resource at all.
func TestPlanPurposes(t *testing.T) {
	tests := []struct {
		purpose drivers.Purpose
		reason  string
		kept    string
		held    string
	}{
		{drivers.ForQC, "O.12 = Q", "1 report is QC (O.12 = Q)", ""},
		{drivers.ForCalibration, "", "1 report is calibration", ""},
		{drivers.ForTraining, "H.12 = T", "1 report is training (H.12 = T)", ""},
		{drivers.ForDebugging, "H.12 = D", "1 report is debugging (H.12 = D)", ""},
		{drivers.ForQuery, "Q record", "1 report is a query (Q record)", ""},
		{drivers.ForNothing, "", "1 report is empty", ""},
		{"", "", "", "order 1: it does not say whether it is about a patient"},
		{"research", "", "", "order 1: it does not say whether it is about a patient"},
	}
	for _, tt := range tests {
		t.Run(string(tt.purpose), func(t *testing.T) {
			r := patientReport(0, "S1", 1)
			r.Purpose, r.PurposeReason = tt.purpose, tt.reason
			p := mustPlan(t, testInput(r))
			if len(p.Steps) != 0 {
				t.Fatalf("%d steps for a report that is not a patient's", len(p.Steps))
			}
			if got := strings.Join(p.Kept, ";"); got != tt.kept {
				t.Errorf("kept %q, want %q", got, tt.kept)
			}
			if got := strings.Join(p.Held, ";"); got != tt.held {
				t.Errorf("held %q, want %q", got, tt.held)
			}
		})
	}
}

func TestPlanHolds(t *testing.T) {
	tests := []struct {
		name string
		edit func(*drivers.Report)
		held string
		kept string
		sent bool
	}{
		{"fine", func(r *drivers.Report) {}, "", "", true},
		{"hold", func(r *drivers.Report) { r.Hold = "barcode not read" }, "order 3: barcode not read", "", false},
		{"no id", func(r *drivers.Report) { r.Specimen.ID = "" }, "order 3 has no specimen id", "", false},
		{"blank id", func(r *drivers.Report) { r.Specimen.ID = " \t\u00a0" }, "order 3 has no specimen id", "", false},
		{"control character in id", func(r *drivers.Report) { r.Specimen.ID = "12\x0034" }, "order 3: the specimen id holds control characters", "", false},
		{"id is not text", func(r *drivers.Report) { r.Specimen.ID = "12\xff" }, "order 3: the specimen id holds control characters", "", false},
		{"padded id", func(r *drivers.Report) { r.Specimen.ID = "  1234 " }, "", "", true},
		{"no results", func(r *drivers.Report) { r.Results = nil }, "", "order 3 has no results", false},
		{"no results, no id", func(r *drivers.Report) { r.Results, r.Specimen.ID = nil, "" }, "", "order 3 has no results", false},
		{"no results, hold", func(r *drivers.Report) { r.Results, r.Hold = nil, "x" }, "order 3: x", "", false},
		{"no test", func(r *drivers.Report) { r.Results[0].Test = drivers.Code{} }, "order 3: result 1 does not name its test", "", false},
		{"only an alternate code", func(r *drivers.Report) {
			r.Results[0].Test = drivers.Code{Alt: []drivers.Code{{System: "http://loinc.org", Code: "718-7"}}}
		}, "", "", true},
		{"blank result", func(r *drivers.Report) { r.Results[0] = drivers.Result{} }, "", "order 3: result 1 has neither a test nor a value;order 3 has no results", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := patientReport(2, "S1", 1)
			tt.edit(&r)
			p := mustPlan(t, testInput(r))
			if got := strings.Join(p.Held, ";"); got != tt.held {
				t.Errorf("held %q, want %q", got, tt.held)
			}
			if got := strings.Join(p.Kept, ";"); got != tt.kept {
				t.Errorf("kept %q, want %q", got, tt.kept)
			}
			if sent := len(p.Steps) > 0; sent != tt.sent {
				t.Errorf("sent: %v, want %v", sent, tt.sent)
			}
		})
	}
}

// Steps come in the order of dependence and within their limits.
func TestPlanSteps(t *testing.T) {
	sizes := func(p Plan) (got []string) {
		for _, s := range p.Steps {
			got = append(got, fmt.Sprintf("%s %d", s.Name, len(s.Entries)))
		}
		return got
	}
	many := make([]drivers.Report, 41)
	for i := range many {
		many[i] = patientReport(i, fmt.Sprintf("S%d", i), 1)
	}
	long := patientReport(0, "S1", 3)
	for i := range long.Results {
		long.Results[i].Value = drivers.Value{Text: strings.Repeat("x", 300_000)}
	}
	tests := []struct {
		name    string
		reports []drivers.Report
		want    []string
	}{
		{"40", []drivers.Report{patientReport(0, "S1", 40)}, []string{"device 1", "specimen 1", "observations 40", "report 1"}},
		{"41", []drivers.Report{patientReport(0, "S1", 41)}, []string{"device 1", "specimen 1", "observations 40", "observations 1", "report 1"}},
		{"100 in two", []drivers.Report{patientReport(0, "S1", 50), patientReport(1, "S1", 50)},
			[]string{"device 1", "specimen 1", "observations 40", "observations 40", "observations 20", "report 2"}},
		{"41 specimens", many, []string{"device 1", "specimen 40", "specimen 1", "observations 40", "observations 1", "report 40", "report 1"}},
		{"long values", []drivers.Report{long}, []string{"device 1", "specimen 1", "observations 1", "observations 1", "observations 1", "report 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, sizes(mustPlan(t, testInput(tt.reports...)))); d != "" {
				t.Error(d)
			}
		})
	}
}

// No two entries of a plan share an identity, and every reference is to an
// entry of an earlier step: each bundle can be made from what came before.
func TestPlanReferencesResolve(t *testing.T) {
	p := mustPlan(t, testInput(patientReport(0, "A", 45), patientReport(1, "B", 3), patientReport(2, "A", 1)))
	checkPlan(t, p)
	if got := values(entries(p, StepSpecimen)); !cmp.Equal(got, []string{testKey + "-s0", testKey + "-s1"}) {
		t.Errorf("specimens %v", got)
	}
	last := decode[diagnosticReport](t, entries(p, StepReport)[2])
	if last.Specimen[0].Reference != entries(p, StepSpecimen)[0].FullURL {
		t.Error("the third report is not on the first specimen")
	}
	if last.Result[0].Reference != entries(p, StepObservations)[48].FullURL {
		t.Error("the third report does not hold its result")
	}
}

// checkPlan checks what must hold of every plan.
func checkPlan(t testing.TB, p Plan) {
	t.Helper()
	resolved := map[string]string{}
	for _, s := range p.Steps {
		if len(s.Entries) == 0 || len(s.Entries) > maxEntries {
			t.Fatalf("step %s has %d entries", s.Name, len(s.Entries))
		}
		raw, err := s.Bundle(resolved)
		if err != nil {
			t.Fatal(err)
		}
		checkJSON(t, raw)
		if bytes.Contains(raw, []byte(`"reference":"urn:uuid:`)) {
			t.Fatalf("an unresolved reference in step %s", s.Name)
		}
		for i, e := range s.Entries {
			if _, twice := resolved[e.FullURL]; twice {
				t.Fatalf("identity %s|%s is used twice", e.System, e.Value)
			}
			resolved[e.FullURL] = fmt.Sprintf("%s/%d", e.Type, i)
		}
	}
}

// checkJSON fails on what FHIR's JSON does not know: null, and empty strings,
// lists and objects; and on characters that its strings cannot hold.
func checkJSON(t testing.TB, raw []byte) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v", err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case nil:
			t.Fatalf("%s is null", path)
		case string:
			if strings.TrimSpace(v) == "" {
				t.Fatalf("%s is an empty string", path)
			}
			if strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 && r != '\t' && r != '\r' && r != '\n' }) {
				t.Fatalf("%s holds a control character", path)
			}
		case []any:
			if len(v) == 0 {
				t.Fatalf("%s is an empty list", path)
			}
			for i := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), v[i])
			}
		case map[string]any:
			if len(v) == 0 {
				t.Fatalf("%s is an empty object", path)
			}
			for k := range v {
				walk(path+"."+k, v[k])
			}
		}
	}
	walk("", v)
}

// The same message mapped again, later, by another process or on another
// goroutine, is the same bytes: a retry is the same create.
func TestPlanIsDeterministic(t *testing.T) {
	for _, name := range []string{"cbc", "immuno", "coded", "mixed"} {
		in := readGoldenReport(t, "testdata/golden/"+name+"/report.json")
		want := mustPlan(t, in)
		shared := testMapper()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					got, err := shared.Plan(in)
					if err != nil || !reflect.DeepEqual(want, got) {
						t.Errorf("another plan, error %v", err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// Releasing a held report later must not move what was sent before: each
// report keeps its identities, whatever happens to its neighbours.
func TestPlanIdentitiesDoNotMove(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var reports []drivers.Report
		for i := range 2 + rng.IntN(5) {
			reports = append(reports, patientReport(i, string(rune('A'+rng.IntN(4))), 1))
		}
		owner := map[string]string{} // specimen identity -> specimen id
		for range 4 {
			held := append([]drivers.Report(nil), reports...)
			for i := range held {
				switch rng.IntN(3) {
				case 0:
					held[i].Hold = "wait"
				case 1:
					held[i].Specimen.ID = ""
				}
			}
			for _, e := range entries(mustPlan(t, testInput(held...)), StepSpecimen) {
				id := decode[specimen](t, e).AccessionIdentifier.Value
				if was, ok := owner[e.Value]; ok && was != id {
					t.Fatalf("specimen %s was %s and is %s", e.Value, was, id)
				}
				owner[e.Value] = id
			}
		}
	}
}

func TestPlanLeavesInputAlone(t *testing.T) {
	r := patientReport(0, "S1", 2)
	r.Results[0] = drivers.Result{Index: 0} // is left out of what is sent
	in := testInput(r)
	mustPlan(t, in)
	if len(in.Reports[0].Results) != 2 || in.Reports[0].Results[0].Test.Code != "" || in.Reports[0].Results[1].Test.Code != "T1" {
		t.Error("Plan changed the reports it was given")
	}
}
