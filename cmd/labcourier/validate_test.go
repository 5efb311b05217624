package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/validate"
)

// settle waits until n messages are in their last state.
func (w *world) settle(t testing.TB, n int) *admin.Client {
	t.Helper()
	token, err := admin.ReadToken(filepath.Join(w.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	c := admin.NewClient(w.status, token)
	until(t, "messages do not come to their end", func() bool {
		list, err := c.List(t.Context(), admin.Query{})
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		for _, m := range list {
			if m.State != "waiting" {
				done++
			}
		}
		return done == n
	})
	return c
}

// compared runs the command with --json.
func (w *world) compared(t testing.TB, code int, args ...string) (r validate.Report, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{in: strings.NewReader(""), out: &out, err: &errs}
	args = append([]string{"validate-interface", w.benchs[0].name, "--config", w.config, "--json"}, args...)
	if got := p.main(t.Context(), args); got != code {
		t.Fatalf("exit code %d, want %d: %s\n%s", got, code, errs.String(), out.String())
	}
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
	}
	return r, errs.String()
}

// item finds an item by message, order and result.
func item(t testing.TB, r validate.Report, message uint64, order, result int) validate.Item {
	t.Helper()
	for _, m := range r.Messages {
		for _, i := range m.Items {
			if m.Number == message && i.Order == order && i.Result == result {
				return i
			}
		}
	}
	t.Fatalf("no item %d.%d of message %d", order, result, message)
	return validate.Item{}
}

func field(i validate.Item, name string) (f validate.Field) {
	for _, f := range i.Fields {
		if f.Name == name {
			return f
		}
	}
	return f
}

// tamper changes the Observation of a specimen behind everybody's back.
func (w *world) tamper(t testing.TB, id, old, text string) {
	t.Helper()
	_, rest, _ := strings.Cut(id, "/")
	rest, _, _ = strings.Cut(rest, "/")
	for _, o := range w.server.Resources("Observation") {
		if o.ID != rest {
			continue
		}
		raw := strings.Replace(string(o.Raw), old, text, 1)
		if raw == string(o.Raw) {
			t.Fatalf("no %s in %s", old, raw)
		}
		if err := w.server.Change("Observation", o.ID, json.RawMessage(raw)); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no %s", id)
}

// TestValidateInterface: the report finds what was changed, removed or corrected on
// the server, and nothing else, with the agent running and without.
func TestValidateInterface(t *testing.T) {
	w := newWorld(t, 1)
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		w.server.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	}
	stopServer := w.startServer()
	stop := w.startInProcess(t)
	defer func() { stop() }()
	b := w.benchs[0]
	b.sendOne(t, astmMessage("F", "S-1"))
	b.sendOne(t, strings.Replace(astmMessage("C", "S-1"), "5.40", "4.10", 1)) // corrects it
	b.sendOne(t, strings.Replace(astmMessage("F", "S-2", "S-3"), "R|1|^^^GLU|5.40|mmol/L||N", "R|1|^^^GLU|<0.10|mmol/L|3.9^5.8|L", 1))
	b.sendOne(t, strings.Replace(strings.Replace(astmMessage("F", "QC-1"), "||||N||||SER", "||||Q||||SER", 1), "5.40", "5.00", 1))
	b.sendOne(t, strings.Replace(astmMessage("F", "S-5", ""), "5.40", "POS", 1)) // parked: one order has no tube
	c := w.settle(t, 5)

	r, _ := w.compared(t, 0)
	if r.Running != r.Digest || r.Digest == "" {
		t.Errorf("the agent runs with %q, the report says %q", r.Running, r.Digest)
	}
	if !r.Good() || r.Counts.Messages[validate.Superseded] != 1 || r.Counts.Messages[validate.Equal] != 2 || r.Counts.Messages[validate.Skipped] != 2 {
		t.Errorf("%+v", r.Counts)
	}
	if i := item(t, r, 1, 1, 1); i.Verdict != validate.Superseded || i.Remark != "a newer version came with message 2" || field(i, "value").Held != "4.10" {
		t.Errorf("%+v", i)
	}
	if i := item(t, r, 2, 1, 1); i.Verdict != validate.Equal || field(i, "specimen id").Held != "S-1" || field(i, "status").Sent != "C (corrected)" {
		t.Errorf("%+v", i)
	}
	third := item(t, r, 3, 1, 1)
	for name, want := range map[string]string{"specimen id": "S-2", "value": "<0.10", "unit": "mmol/L (UCUM mmol/L)", "range": "3.9^5.8", "flags": "L", "test": "GLU"} {
		if f := field(third, name); f.Held != want || f.Verdict != validate.Equal {
			t.Errorf("%s: %+v", name, f)
		}
	}

	// Tampering shows, each with the right word.
	w.tamper(t, third.Resource, `"value":0.10`, `"value":0.1`)
	if r, _ = w.compared(t, 0); item(t, r, 3, 1, 1).Verdict != validate.Digits {
		t.Errorf("%+v", item(t, r, 3, 1, 1))
	}
	w.compared(t, 3, "--exact")
	w.tamper(t, third.Resource, `"value":0.1`, `"value":0.2`)
	w.tamper(t, item(t, r, 2, 1, 1).Resource, `"unit":"mmol/L"`, `"unit":"mg/dL"`)
	_, gone, _ := strings.Cut(item(t, r, 3, 2, 1).Resource, "/")
	gone, _, _ = strings.Cut(gone, "/")
	if !w.server.Remove("Observation", gone) {
		t.Fatal("nothing was removed")
	}
	html, table := filepath.Join(w.dir, "report.html"), filepath.Join(w.dir, "report.csv")
	r, _ = w.compared(t, 3, "--html", html, "--csv", table)
	if i := item(t, r, 3, 1, 1); i.Verdict != validate.Differs || field(i, "value").Verdict != validate.Differs || field(i, "unit").Verdict != validate.Equal {
		t.Errorf("%+v", i)
	}
	if i := item(t, r, 2, 1, 1); field(i, "unit").Verdict != validate.Differs || field(i, "value").Verdict != validate.Equal {
		t.Errorf("%+v", i)
	}
	if i := item(t, r, 3, 2, 1); i.Verdict != validate.Missing {
		t.Errorf("%+v", i)
	}
	if r.Counts.Results[validate.Missing] != 1 || r.Counts.Results[validate.Differs] != 2 {
		t.Errorf("%+v", r.Counts)
	}
	w.judgeFiles(t, html, table, r)
	w.compared(t, 1, "--html", html) // nothing is written over

	log, err := c.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	viewed, noted := 0, 0
	for _, e := range log {
		switch e.What {
		case "viewed":
			viewed++
		case "validated":
			noted++
		}
	}
	if viewed != 12 || noted != 4 {
		t.Errorf("%d looks and %d comparisons in the audit log", viewed, noted)
	}

	// Without the agent the spool is opened.
	stop()
	stop = func() {}
	if r, _ = w.compared(t, 3, "--last", "1"); len(r.Messages) != 3 || r.Counts.Messages[validate.Missing] != 1 {
		t.Errorf("%+v", r.Counts)
	}
	stopServer()
	if _, said := w.compared(t, 1); !strings.Contains(said, "the server cannot be read") || !strings.Contains(said, "doctor") {
		t.Errorf("server down: %s", said)
	}
	if _, said := w.compared(t, 1, "--until", "2020-01-01"); !strings.Contains(said, "no message was delivered in that time") {
		t.Error(said)
	}
}

// TestValidatePreliminary: a result that became final is one resource on the server,
// and the preliminary message is superseded.
func TestValidatePreliminary(t *testing.T) {
	w := newWorld(t, 1)
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		w.server.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	}
	w.startServer()
	stop := w.startInProcess(t)
	defer stop()
	b := w.benchs[0]
	b.sendOne(t, astmMessage("P", "S-1"))
	b.sendOne(t, astmMessage("F", "S-1"))
	w.settle(t, 2)
	r, _ := w.compared(t, 0)
	if w.server.Len("Observation") != 1 || item(t, r, 1, 1, 1).Verdict != validate.Superseded || item(t, r, 2, 1, 1).Verdict != validate.Equal {
		t.Errorf("%d Observations; %+v", w.server.Len("Observation"), r.Messages)
	}
}

// judgeFiles looks at what was written.
func (w *world) judgeFiles(t *testing.T, html, table string, r validate.Report) {
	t.Helper()
	for _, name := range []string{html, table} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	page, err := os.ReadFile(html)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Signature", "S-2", "&lt;0.10", "≠ &lt;0.2", "a newer version came with message 2", r.Digest, r.Messages[0].SHA256, "QC", "Not everything"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in the page", want)
		}
	}
	f, err := os.Open(table)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 20 || rows[0][0] != "message" || rows[0][len(rows[0])-1] != "guarded" {
		t.Errorf("%d rows, the first %q", len(rows), rows[0])
	}
}
