package fhir

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// staged is a result with a status of the analyzer's own word, analysed and
// collected at these times; "" for not known.
func staged(status drivers.ResultStatus, analysed, collected, value string) func(*drivers.Report, *drivers.Result) {
	return func(r *drivers.Report, res *drivers.Result) {
		completed(analysed, value, status)(r, res)
		r.Specimen.Collected, res.Started, r.Order.Reported = drivers.Time{}, drivers.Time{}, drivers.Time{}
		if collected != "" {
			r.Specimen.Collected = at(collected)
		}
		res.StatusRaw = "x"
	}
}

// TestAdvance: which earlier result a later state of it replaces, and which
// never.
func TestAdvance(t *testing.T) {
	const (
		registered, preliminary, final = drivers.StatusRegistered, drivers.StatusPreliminary, drivers.StatusFinal
		corrected, cancelled           = drivers.StatusCorrected, drivers.StatusCancelled
	)
	type there struct {
		received            string
		status              drivers.ResultStatus
		analysed, collected string
	}
	for name, c := range map[string]struct {
		there               []there
		status              drivers.ResultStatus
		analysed, collected string
		want                Choice
		id                  string
	}{
		"nothing earlier":                    {nil, final, "10:00:00", "", Create, ""},
		"preliminary, then final":            {[]there{{"10:01:00", preliminary, "10:00:00", ""}}, final, "10:00:00", "", Replace, "r0"},
		"pending, then preliminary":          {[]there{{"10:01:00", registered, "10:00:00", ""}}, preliminary, "10:00:00", "", Replace, "r0"},
		"preliminary, then cancelled":        {[]there{{"10:01:00", preliminary, "10:00:00", ""}}, cancelled, "10:00:00", "", Replace, "r0"},
		"preliminary again, the same run":    {[]there{{"10:01:00", preliminary, "10:00:00", ""}}, preliminary, "10:00:00", "", Replace, "r0"},
		"preliminary again, another run":     {[]there{{"10:01:00", preliminary, "10:00:00", "08:00:00"}}, preliminary, "11:00:00", "08:00:00", Create, ""},
		"another run":                        {[]there{{"10:01:00", preliminary, "10:00:00", ""}}, final, "11:00:00", "", Create, ""},
		"another analysis of this draw":      {[]there{{"10:01:00", preliminary, "10:00:00", "08:00:00"}}, final, "11:00:00", "08:00:00", Replace, "r0"},
		"another draw":                       {[]there{{"10:01:00", preliminary, "", "08:00:00"}}, final, "", "09:00:00", Create, ""},
		"no analysis yet, the same draw":     {[]there{{"10:01:00", preliminary, "", "08:00:00"}}, final, "11:00:00", "08:00:00", Replace, "r0"},
		"no times at all":                    {[]there{{"10:01:00", preliminary, "", ""}}, final, "", "", Replace, "r0"},
		"a time that cannot be compared":     {[]there{{"10:01:00", preliminary, "", ""}}, final, "11:00:00", "", Replace, "r0"},
		"the certain one of two":             {[]there{{"10:01:00", preliminary, "10:00:00", ""}, {"11:01:00", preliminary, "", ""}}, final, "10:00:00", "", Replace, "r0"},
		"the certain one, seen last":         {[]there{{"11:01:00", preliminary, "", ""}, {"10:01:00", preliminary, "10:00:00", ""}}, final, "10:00:00", "", Replace, "r1"},
		"the newest, seen last":              {[]there{{"10:01:00", preliminary, "", ""}, {"11:01:00", preliminary, "", ""}}, final, "", "", Replace, "r1"},
		"final, of the same run, came first": {[]there{{"13:00:00", preliminary, "10:00:00", ""}}, final, "10:00:00", "", Replace, "r0"},
		"final, of this draw, came first":    {[]there{{"13:00:00", preliminary, "12:30:00", "08:00:00"}}, final, "11:00:00", "08:00:00", Create, ""},
		"preliminary, the same run, older":   {[]there{{"13:00:00", preliminary, "10:00:00", ""}}, preliminary, "10:00:00", "", Obsolete, ""},
		"pending, the same run had a value":  {[]there{{"10:01:00", preliminary, "10:00:00", ""}}, registered, "10:00:00", "", Obsolete, ""},
		"the newest of two":                  {[]there{{"11:01:00", preliminary, "", ""}, {"10:01:00", preliminary, "", ""}}, final, "", "", Replace, "r0"},
		"final is there":                     {[]there{{"10:01:00", final, "", ""}}, final, "", "", Create, ""},
		"final is there, the same run":       {[]there{{"10:01:00", final, "10:00:00", ""}}, final, "10:00:00", "", Create, ""},
		"final, the same run, older":         {[]there{{"13:00:00", final, "10:00:00", ""}}, final, "10:00:00", "", Create, ""},
		"preliminary, the same run is final": {[]there{{"10:01:00", final, "10:00:00", ""}}, preliminary, "10:00:00", "", Obsolete, ""},
		"preliminary, a run before is final": {[]there{{"10:01:00", final, "10:00:00", "08:00:00"}}, preliminary, "11:00:00", "08:00:00", Create, ""},
		"late, this draw is final":           {[]there{{"13:00:00", final, "12:30:00", "08:00:00"}}, preliminary, "11:00:00", "08:00:00", Obsolete, ""},
		"late, something is final":           {[]there{{"13:00:00", final, "", ""}}, preliminary, "", "", Create, ""},
		"final, the same run was corrected":  {[]there{{"10:01:00", corrected, "10:00:00", ""}}, final, "10:00:00", "", Obsolete, ""},
		"final, older than the preliminary":  {[]there{{"13:00:00", preliminary, "", ""}}, final, "", "", Create, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := one(t, "c1", "12:00:00", staged(c.status, c.analysed, c.collected, "6.00"))
			var found []json.RawMessage
			for i, x := range c.there {
				id := string(rune('0' + i))
				found = append(found, onServer(t, one(t, "k"+id, x.received, staged(x.status, x.analysed, x.collected, "5.40")), "r"+id, nil))
			}
			got, err := e.Choose(found)
			if err != nil || got.Choice != c.want || got.ID != c.id {
				t.Fatalf("chose %d %q, %v; want %d %q", got.Choice, got.ID, err, c.want, c.id)
			}
			if text := string(got.Resource); c.want == Replace && (!strings.Contains(text, `"status":"`+string(c.status)+`"`) || strings.Contains(text, "5.40") || !strings.Contains(text, `"k`) || !strings.Contains(text, `"c1-0-0"`)) {
				t.Errorf("merged to %s", text)
			}
		})
	}
}

// A preliminary result without a time, of days ago, may be another patient's.
func TestAdvanceOfLongAgo(t *testing.T) {
	for collected, want := range map[string]Choice{"": Create, "08:00:00": Replace} {
		old := onServer(t, one(t, "k1", "10:01:00", staged(drivers.StatusPreliminary, "", collected, "5.40")), "r1", nil)
		e := one(t, "c1", "10:01:00", staged(drivers.StatusFinal, "", collected, "6.00"))
		e.Prior.Received = e.Prior.Received.Add(25 * time.Hour)
		if got, err := e.Choose([]json.RawMessage{old}); err != nil || got.Choice != want {
			t.Errorf("collected %q: %+v, %v", collected, got, err)
		}
	}
	// When the analyzer told its results is no time of the patient.
	told := func(status drivers.ResultStatus, value string) func(*drivers.Report, *drivers.Result) {
		return func(r *drivers.Report, res *drivers.Result) {
			staged(status, "", "", value)(r, res)
			r.Order.Reported = at("09:00:00")
		}
	}
	old := onServer(t, one(t, "k1", "10:01:00", told(drivers.StatusPreliminary, "5.40")), "r1", func(o object) {
		o["meta"] = json.RawMessage(`{"tag":[{"system":"urn:labcourier:effective","code":"reported"}]}`)
	})
	e := one(t, "c1", "10:01:00", told(drivers.StatusFinal, "6.00"))
	e.Prior.Received = e.Prior.Received.Add(25 * time.Hour)
	if got, err := e.Choose([]json.RawMessage{old}); err != nil || got.Choice != Create {
		t.Errorf("told at the same time: %+v, %v", got, err)
	}
}

// TestAdvanceOfReport: a report is a later one of another if they have a result
// in common.
func TestAdvanceOfReport(t *testing.T) {
	report := func(key, received string, status drivers.ResultStatus, result string) Entry {
		r := patientReport(0, "S1", 1)
		r.Results[0].Status, r.Results[0].StatusRaw = status, "x"
		in := testInput(r)
		in.Key, in.Received = key, at(received).Value
		e := entries(mustPlan(t, in), StepReport)[0]
		e.Resource = json.RawMessage(strings.ReplaceAll(string(e.Resource), e.Results[0], result))
		return e
	}
	const p, f = drivers.StatusPreliminary, drivers.StatusFinal
	for name, c := range map[string]struct {
		was    drivers.ResultStatus
		result string
		is     drivers.ResultStatus
		want   Choice
	}{
		"preliminary, then final": {p, "Observation/1", f, Replace},
		"preliminary, again":      {p, "Observation/1", p, Replace},
		"of another result":       {p, "Observation/2", f, Create},
		"final, again":            {f, "Observation/1", f, Create},
		"final, then preliminary": {f, "Observation/1", p, Obsolete},
	} {
		got, err := report("c1", "12:00:00", c.is, "Observation/1").Choose([]json.RawMessage{onServer(t, report("k1", "10:00:00", c.was, c.result), "d1", nil)})
		if err != nil || got.Choice != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestAdvances: which results are asked after at all.
func TestAdvances(t *testing.T) {
	with := func(c Corrections, raw string, previous bool) *Prior {
		r := patientReport(0, "S1", 1)
		r.Results[0].StatusRaw, r.Results[0].Previous, r.Results[0].Completed = raw, previous, drivers.Time{}
		in := testInput(r)
		in.Choices.Corrections = c
		return entries(mustPlan(t, in), StepObservations)[0].Prior
	}
	if p := with("", "F", false); p == nil || !p.Advances || p.Corrects {
		t.Errorf("of the analyzer's own word: %+v", p)
	}
	for name, p := range map[string]*Prior{
		"without a word":            with("", "", false),
		"sent before, at no time":   with("", "R", true),
		"each a resource":           with(CorrectionsNew, "F", false),
		"a person looks at changes": with(CorrectionsHold, "F", false),
	} {
		if p != nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
