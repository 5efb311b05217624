package fhir

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

func at(clock string) drivers.Time {
	v, err := time.Parse(time.RFC3339, "2026-03-02T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return drivers.Time{Text: clock, Value: v, Precision: drivers.Second}
}

// one maps a message of one result, and returns its Observation's entry.
func one(t testing.TB, key, received string, edit func(*drivers.Report, *drivers.Result)) Entry {
	t.Helper()
	r := patientReport(0, "S1", 1)
	if edit != nil {
		edit(&r, &r.Results[0])
	}
	in := testInput(r)
	in.Key, in.Received = key, at(received).Value
	return entries(mustPlan(t, in), StepObservations)[0]
}

// onServer is a resource as a server keeps it.
func onServer(t testing.TB, e Entry, id string, change func(object)) json.RawMessage {
	t.Helper()
	var o object
	if err := json.Unmarshal(e.Resource, &o); err != nil {
		t.Fatal(err)
	}
	o["id"] = json.RawMessage(`"` + id + `"`)
	o["meta"] = json.RawMessage(`{"versionId":"v-` + id + `","lastUpdated":"2026-03-02T09:00:00Z"}`)
	if change != nil {
		change(o)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func completed(clock, value string, status drivers.ResultStatus) func(*drivers.Report, *drivers.Result) {
	return func(_ *drivers.Report, res *drivers.Result) {
		if clock != "" {
			res.Completed = at(clock)
		}
		res.Status, res.Value = status, drivers.Value{Text: value, Number: value}
	}
}

// TestChoose: which earlier result a correction replaces, and which never.
func TestChoose(t *testing.T) {
	const final, corrected = drivers.StatusFinal, drivers.StatusCorrected
	run1 := func(t *testing.T) json.RawMessage {
		return onServer(t, one(t, "k1", "10:01:00", completed("10:00:00", "5.40", final)), "r1", nil)
	}
	run2 := func(t *testing.T) json.RawMessage {
		return onServer(t, one(t, "k2", "11:01:00", completed("11:00:00", "5.50", final)), "r2", nil)
	}
	timeless := func(t *testing.T) json.RawMessage {
		return onServer(t, one(t, "k0", "09:01:00", completed("", "5.30", final)), "r0", nil)
	}
	afterwards := func(t *testing.T) json.RawMessage { // corrected at 12:05 by a message of 12:06
		return onServer(t, one(t, "k9", "12:06:00", completed("12:05:00", "4.90", corrected)), "r9", nil)
	}
	for name, c := range map[string]struct {
		received, clock string
		there           []func(*testing.T) json.RawMessage
		want            Choice
		id              string
	}{
		"nothing earlier":                     {"12:00:00", "10:00:00", nil, Create, ""},
		"the same time":                       {"12:00:00", "10:00:00", []func(*testing.T) json.RawMessage{run1, run2}, Replace, "r1"},
		"the same time, other order":          {"12:00:00", "10:00:00", []func(*testing.T) json.RawMessage{run2, run1}, Replace, "r1"},
		"the newest that is not newer":        {"12:00:00", "11:30:00", []func(*testing.T) json.RawMessage{run1, run2}, Replace, "r2"},
		"between two runs":                    {"12:00:00", "10:30:00", []func(*testing.T) json.RawMessage{run2, run1}, Replace, "r1"},
		"without a time, the last sent":       {"12:00:00", "", []func(*testing.T) json.RawMessage{run2, run1, timeless}, Replace, "r2"},
		"older than all that is there":        {"12:00:00", "09:00:00", []func(*testing.T) json.RawMessage{run1, run2}, Create, ""},
		"a run sent after it":                 {"10:30:00", "", []func(*testing.T) json.RawMessage{run2}, Create, ""},
		"a correction made since":             {"12:00:00", "", []func(*testing.T) json.RawMessage{afterwards}, Obsolete, ""},
		"a correction of a later time":        {"12:10:00", "12:00:00", []func(*testing.T) json.RawMessage{afterwards}, Obsolete, ""},
		"the same time, sent after it":        {"10:00:30", "10:00:00", []func(*testing.T) json.RawMessage{run1}, Obsolete, ""},
		"again after a correction":            {"12:10:00", "12:05:00", []func(*testing.T) json.RawMessage{afterwards}, Replace, "r9"},
		"of another day, with the same time":  {"23:59:00", "10:00:00", []func(*testing.T) json.RawMessage{run1}, Replace, "r1"},
		"no time on the server, newest wins":  {"12:00:00", "11:30:00", []func(*testing.T) json.RawMessage{timeless, run1}, Replace, "r1"},
		"no time on the server, nothing else": {"12:00:00", "11:30:00", []func(*testing.T) json.RawMessage{timeless}, Replace, "r0"},
	} {
		t.Run(name, func(t *testing.T) {
			e := one(t, "c1", c.received, completed(c.clock, "6.00", corrected))
			var found []json.RawMessage
			for _, f := range c.there {
				found = append(found, f(t))
			}
			got, err := e.Choose(found)
			if err != nil || got.Choice != c.want || got.ID != c.id {
				t.Fatalf("chose %d %q, %v; want %d %q", got.Choice, got.ID, err, c.want, c.id)
			}
			if c.want == Replace && got.Version != "v-"+c.id {
				t.Errorf("version %q", got.Version)
			}
		})
	}
}

// A specimen id of days ago may be another patient's by now: without an equal
// time of analysis nothing of then is touched.
func TestCorrectionOfLongAgo(t *testing.T) {
	old := onServer(t, one(t, "k1", "10:01:00", completed("10:00:00", "5.40", drivers.StatusFinal)), "r1", nil)
	later := func(clock string) Entry {
		e := one(t, "c1", "10:01:00", completed(clock, "6.00", drivers.StatusCorrected))
		e.Prior.Received = e.Prior.Received.Add(25 * time.Hour)
		return e
	}
	if got, err := later("").Choose([]json.RawMessage{old}); err != nil || got.Choice != Create {
		t.Errorf("without a time: %+v, %v", got, err)
	}
	if got, err := later("10:00:00").Choose([]json.RawMessage{old}); err != nil || got.Choice != Replace {
		t.Errorf("with the time: %+v, %v", got, err)
	}
}

// TestMerge: the new version says what is true now, and loses nothing that
// others have added.
func TestMerge(t *testing.T) {
	old := onServer(t, one(t, "k1", "10:01:00", func(r *drivers.Report, res *drivers.Result) {
		completed("10:00:00", "5.40", drivers.StatusFinal)(r, res)
		res.Flags, res.Range = []string{"H"}, []string{"3.9-5.3"}
		res.Notes = []drivers.Note{{Source: "I", Text: "lipaemic"}}
	}), "r1", func(o object) {
		o["subject"] = json.RawMessage(`{"reference":"Patient/p1"}`)
		o["encounter"] = json.RawMessage(`{"reference":"Encounter/e1"}`)
	})
	e := one(t, "c1", "12:00:00", func(r *drivers.Report, res *drivers.Result) {
		completed("10:00:00", "4.10", drivers.StatusCorrected)(r, res)
		res.Notes = []drivers.Note{{Source: "I", Text: "measured again"}}
	})
	got, err := e.Choose([]json.RawMessage{old})
	if err != nil || got.Choice != Replace {
		t.Fatalf("%+v, %v", got, err)
	}
	text := string(got.Resource)
	for _, want := range []string{
		`"status":"corrected"`, `"value":4.10`, `"Patient/p1"`, `"Encounter/e1"`, `"k1-0-0"`, `"c1-0-0"`,
		`"id":"r1"`, "lipaemic", "measured again", `"issued":"2026-03-02T12:00:00.000Z"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	for _, gone := range []string{"5.40", "interpretation", "referenceRange", "versionId"} {
		if strings.Contains(text, gone) {
			t.Errorf("still %s in %s", gone, text)
		}
	}
	// The answer was lost, and the correction is looked at again.
	if got, err := e.Choose([]json.RawMessage{onServer(t, Entry{Resource: got.Resource}, "r1", nil)}); err != nil || got.Choice != Have {
		t.Errorf("after the update: %+v, %v", got, err)
	}
}

// A report of many results is not withdrawn because one of them is.
func TestMergedReportStatus(t *testing.T) {
	report := func(key string, n int, status drivers.ResultStatus) Entry {
		r := patientReport(0, "S1", n)
		for i := range r.Results {
			r.Results[i].Status = status
		}
		in := testInput(r)
		in.Key = key
		return entries(mustPlan(t, in), StepReport)[0]
	}
	for name, c := range map[string]struct {
		was, is drivers.ResultStatus
		want    string
	}{
		"one withdrawn":         {drivers.StatusFinal, drivers.StatusEnteredInError, "corrected"},
		"one corrected":         {drivers.StatusFinal, drivers.StatusCorrected, "corrected"},
		"more is still to come": {drivers.StatusPreliminary, drivers.StatusCorrected, "preliminary"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := report("c1", 1, c.is).Choose([]json.RawMessage{onServer(t, report("k1", 3, c.was), "d1", nil)})
			if err != nil || got.Choice != Replace {
				t.Fatalf("%+v, %v", got, err)
			}
			var d struct {
				Status string
				Result []reference
			}
			if err := json.Unmarshal(got.Resource, &d); err != nil || d.Status != c.want || len(d.Result) != 4 {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// TestSeries: what belongs together, and what must not be taken for it.
func TestSeries(t *testing.T) {
	base := one(t, "k1", "10:00:00", nil)
	series := func(e Entry) string {
		var o observation
		if err := json.Unmarshal(e.Resource, &o); err != nil || len(o.Identifier) != 2 {
			t.Fatalf("%v: %+v", err, o.Identifier)
		}
		return o.Identifier[1].Value
	}
	if a, b := series(base), series(one(t, "k2", "11:00:00", completed("10:00:00", "9", drivers.StatusFinal))); a != b {
		t.Error("another value of the same test is another series")
	}
	for name, edit := range map[string]func(*drivers.Report, *drivers.Result){
		"another specimen": func(r *drivers.Report, _ *drivers.Result) { r.Specimen.ID = "S2" },
		"another material": func(r *drivers.Report, _ *drivers.Result) { r.Specimen.Type = "urine" },
		"another test":     func(_ *drivers.Report, res *drivers.Result) { res.Test.Code = "T9" },
		"another sub-id":   func(_ *drivers.Report, res *drivers.Result) { res.SubID = "2" },
		"a test of two": func(r *drivers.Report, res *drivers.Result) {
			r.Results = append(r.Results, *res)
			r.Results[1].Index = 1
		},
	} {
		if series(one(t, "k2", "11:00:00", edit)) == series(base) {
			t.Errorf("%s is the same series", name)
		}
	}
}

// TestRepeated: what the analyzer says that it sent before is not made twice.
func TestRepeated(t *testing.T) {
	again := func(clock, value string) func(*drivers.Report, *drivers.Result) {
		return func(r *drivers.Report, res *drivers.Result) {
			completed(clock, value, drivers.StatusFinal)(r, res)
			res.Previous = true
		}
	}
	there := onServer(t, one(t, "k1", "10:01:00", completed("10:00:00", "5.4", drivers.StatusFinal)), "r1", nil)
	fixed := onServer(t, one(t, "k1", "10:01:00", completed("10:00:00", "4.1", drivers.StatusCorrected)), "r1", nil)
	for name, c := range map[string]struct {
		e     Entry
		there json.RawMessage
		want  Choice
	}{
		"the same":                    {one(t, "k2", "12:00:00", again("10:00:00", "5.40")), there, Repeated},
		"another value":               {one(t, "k2", "12:00:00", again("10:00:00", "5.41")), there, Create},
		"another time":                {one(t, "k2", "12:00:00", again("10:00:01", "5.40")), there, Create},
		"what was corrected since":    {one(t, "k2", "12:00:00", again("10:00:00", "5.40")), fixed, Repeated},
		"this very one, of last time": {one(t, "k1", "12:00:00", again("10:00:00", "5.40")), there, Have},
	} {
		if got, err := c.e.Choose([]json.RawMessage{c.there}); err != nil || got.Choice != c.want {
			t.Errorf("%s: %+v, %v, want %d", name, got, err, c.want)
		}
	}
	if e := one(t, "k2", "12:00:00", again("", "5.40")); e.Prior != nil {
		t.Error("without a time nothing shows that it is the same, and it is looked for")
	}
}

// TestControls: QC goes to the server only when asked for, marked, and never
// with a patient's category or subject. Training never goes.
func TestControls(t *testing.T) {
	qc := patientReport(0, "CTRL", 2)
	qc.Purpose, qc.PurposeReason = drivers.ForQC, "O.12 = Q"
	unread := qc
	unread.Hold = "no specimen id"
	training := patientReport(1, "S9", 1)
	training.Purpose = drivers.ForTraining
	plan := func(choice QC, reports ...drivers.Report) Plan {
		in := testInput(reports...)
		in.Choices.QC = choice
		return mustPlan(t, in)
	}
	for _, choice := range []QC{"", QCKeep, QCDrop} {
		if p := plan(choice, qc); len(p.Steps) != 0 || len(p.Kept) != 1 || p.Drop != (choice == QCDrop) {
			t.Errorf("%q: %+v", choice, p)
		}
	}
	if p := plan(QCDrop, qc, patientReport(1, "S1", 1)); p.Drop {
		t.Error("a message with a patient's results is dropped")
	}
	if p := plan(QCSend, unread, training); len(p.Steps) != 0 || len(p.Held) != 0 || len(p.Kept) != 2 {
		t.Errorf("unread control and training: %+v", p)
	}
	p := plan(QCSend, qc, training)
	if len(p.Kept) != 1 || len(entries(p, StepObservations)) != 2 {
		t.Fatalf("%+v", p)
	}
	device := entries(p, StepDevice)[0].FullURL
	for _, s := range p.Steps[1:] {
		for _, e := range s.Entries {
			text := string(e.Resource)
			if !strings.Contains(text, `"subject":{"reference":"`+device+`"}`) || !strings.Contains(text, systemPurpose) {
				t.Errorf("not marked: %s", text)
			}
			if strings.Contains(text, `"laboratory"`) || strings.Contains(text, `"LAB"`) || e.Prior != nil || strings.Contains(text, ":series") {
				t.Errorf("looks like a patient's: %s", text)
			}
		}
	}
	// A control and a patient of the same number are not one specimen.
	if n := len(entries(plan(QCSend, qc, patientReport(1, "CTRL", 1)), StepSpecimen)); n != 2 {
		t.Errorf("%d specimens", n)
	}
}

// FuzzChoose: no answer of a server makes it panic, and what it merges is JSON
// with both identifiers.
func FuzzChoose(f *testing.F) {
	e := one(f, "c1", "12:00:00", completed("10:00:00", "6.00", drivers.StatusCorrected))
	f.Add([]byte(onServer(f, one(f, "k1", "10:01:00", completed("10:00:00", "5.40", drivers.StatusFinal)), "r1", nil)))
	f.Add([]byte(`{"resourceType":"Observation","id":"x","identifier":"none"}`))
	f.Add([]byte(`{"resourceType":"Observation","id":"x","meta":null,"extension":[null],"note":{},"issued":7}`))
	f.Add([]byte(onServer(f, one(f, "k1", "10:01:00", staged(drivers.StatusPreliminary, "10:00:00", "08:00:00", "5.40")), "r1", nil)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		again, later := e, e
		again.Prior, later.Prior = &Prior{At: e.Prior.At}, &Prior{At: e.Prior.At, Advances: true, Received: e.Prior.Received, Within: time.Hour}
		for _, e := range []Entry{e, again, later} {
			got, err := e.Choose([]json.RawMessage{raw})
			if err == nil && got.Choice == Replace && (!json.Valid(got.Resource) || !strings.Contains(string(got.Resource), e.Value)) {
				t.Errorf("merged to %s", got.Resource)
			}
		}
	})
}
