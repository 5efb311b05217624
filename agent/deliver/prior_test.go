package deliver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/spool"
)

func (f *far) permitUpdates() {
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		f.srv.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	}
}

// TestCorrection: the earlier result gets a new version, its report too, and
// an older correction that is delivered later changes nothing.
func TestCorrection(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		f.queue.put("a", "a 0 5")
		f.queue.put("a", "a 1 2 corrects")
		f.drain(time.Minute)
		text := func() (all string) {
			for _, typ := range []string{"Observation", "DiagnosticReport"} {
				for _, r := range f.srv.Resources(typ) {
					all += string(r.Raw) + "\n"
				}
			}
			return all
		}
		now := text()
		if f.srv.Len("Observation") != 5 || f.srv.Len("DiagnosticReport") != 1 || strings.Count(now, `"status":"corrected"`) != 3 || strings.Contains(now, ":0.50") {
			t.Fatalf("after the correction:\n%s", now)
		}
		// The same message once more: a person's retry.
		f.queue.put("a", "a 1 2 corrects")
		f.drain(time.Minute)
		if text() != now {
			t.Errorf("a replay changed something:\n%s", text())
		}
	})
}

// TestOlderCorrectionIsParked: what a newer message corrected stays as it is.
func TestOlderCorrectionIsParked(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		f.queue.put("a", "a 0 1")
		f.drain(time.Minute)
		// Somebody put the report of message 9 on the resource since.
		o := f.srv.Resources("Observation")[0]
		newer := strings.NewReplacer(`"status":"final"`, `"status":"corrected"`, `"issued":"2027-`, `"issued":"2031-`).Replace(string(o.Raw))
		if newer == string(o.Raw) || !strings.Contains(newer, "2031-") {
			t.Fatalf("not as expected: %s", o.Raw)
		}
		if status := f.update("Observation/"+o.ID, newer); status != 200 {
			t.Fatalf("status %d", status)
		}
		seq := f.queue.put("a", "a 1 1 corrects")
		f.drain(time.Minute)
		if r := f.queue.parked[seq]; r.Code != CodeSuperseded {
			t.Errorf("%+v", r)
		}
		if raw := string(f.srv.Resources("Observation")[0].Raw); strings.Contains(raw, "0.75") {
			t.Errorf("overwritten: %s", raw)
		}
	})
}

// TestSentBefore: results that the analyzer says it sent before are not made
// twice, and leave no empty report and no specimen of their own.
func TestSentBefore(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.queue.put("a", "a 0 3")
		all := f.queue.put("a", "a 1 3 previous")
		f.drain(time.Minute)
		counts := func() [3]int {
			return [3]int{f.srv.Len("Specimen"), f.srv.Len("Observation"), f.srv.Len("DiagnosticReport")}
		}
		if got := counts(); got != [3]int{1, 3, 1} {
			t.Errorf("all of them again: %v", got)
		}
		if r := f.queue.receipt[all]; r.Outcome != spool.OutcomeDelivered || !strings.Contains(r.Note, "3 results were sent before") {
			t.Errorf("%+v", r)
		}
		// Some of them are new: the message has its own specimen and report.
		f.queue.put("b", "b 0 2")
		f.queue.put("b", "b 1 4 previous")
		f.drain(time.Minute)
		if got := counts(); got != [3]int{3, 7, 3} {
			t.Errorf("some of them again: %v", got)
		}
		// Again after its own answer was lost: nothing is left out for it.
		f.queue.put("b", "b 1 4 previous")
		f.drain(time.Minute)
		if got := counts(); got != [3]int{3, 7, 3} {
			t.Errorf("a replay: %v", got)
		}
	})
}

// TestOriginsOfTheRest: of a message whose first report was sent before, the
// document and the Provenance are about the second alone, once.
func TestOriginsOfTheRest(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		for _, typ := range []string{"DocumentReference", "Provenance"} {
			f.srv.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search)
		}
		f.queue.put("a", "a 0 2")
		f.queue.put("a", "a 1 2 both")
		f.queue.put("a", "a 1 2 both") // its answer was lost
		f.drain(time.Minute)
		reports, documents, origins := f.srv.Resources("DiagnosticReport"), f.srv.Resources("DocumentReference"), f.srv.Resources("Provenance")
		if len(f.queue.parked) > 0 || len(reports) != 2 || len(documents) != 1 || len(origins) != 1 {
			t.Fatalf("parked %+v; %d reports, %d documents, %d Provenances", f.queue.parked, len(reports), len(documents), len(origins))
		}
		for _, r := range []sandbox.Resource{documents[0], origins[0]} {
			if text := string(r.Raw); !strings.Contains(text, "DiagnosticReport/"+reports[1].ID) || strings.Contains(text, "DiagnosticReport/"+reports[0].ID) || strings.Contains(text, "urn:uuid") {
				t.Errorf("of both reports: %s", text)
			}
		}
	})
}

// texts are the server's results and reports.
func (f *far) texts() (all string) {
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		for _, r := range f.srv.Resources(typ) {
			all += string(r.Raw) + "\n"
		}
	}
	return all
}

// TestFinalAfterPreliminary: the final result is a new version of the
// preliminary one, its report too; neither message changes anything when it
// comes again.
func TestFinalAfterPreliminary(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		early := f.queue.put("a", "a 0 5 early")
		f.drain(time.Minute)
		if n := strings.Count(f.texts(), `"status":"preliminary"`); n != 6 {
			t.Fatalf("%d of 6 are preliminary at first", n)
		}
		final := f.queue.put("a", "a 1 5 settles")
		f.drain(time.Minute)
		now := f.texts()
		if f.srv.Len("Observation") != 5 || f.srv.Len("DiagnosticReport") != 1 || strings.Count(now, `"status":"final"`) != 6 || strings.Contains(now, ":0.50") || !strings.Contains(now, ":0.75") {
			t.Fatalf("after the final ones:\n%s", now)
		}
		if a, b := f.queue.receipt[early].Resources, f.queue.receipt[final].Resources; a[len(a)-1] != b[len(b)-1] || a[2] != b[2] {
			t.Errorf("became %v, and then %v", a, b)
		}
		for _, again := range []string{"a 0 5 early", "a 1 5 settles"} {
			f.queue.put("a", again)
			f.drain(time.Minute)
			if f.texts() != now {
				t.Errorf("%s: a replay changed something:\n%s", again, f.texts())
			}
		}
		if len(f.queue.parked) > 0 {
			t.Errorf("parked: %+v", f.queue.parked)
		}
	})
}

// TestFinalInPart: what is still preliminary stays so, and so does the report.
func TestFinalInPart(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		f.queue.put("a", "a 0 3 early")
		f.queue.put("a", "a 1 2 settles")
		f.drain(time.Minute)
		reports := f.srv.Resources("DiagnosticReport")
		if f.srv.Len("Observation") != 3 || len(reports) != 1 || strings.Count(f.texts(), `"status":"final"`) != 2 || !strings.Contains(string(reports[0].Raw), `"status":"preliminary"`) {
			t.Errorf("%s", f.texts())
		}
	})
}

// TestFinalOneByOne: the report is final when the last of its results is.
func TestFinalOneByOne(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		f.queue.put("a", "a 0 3 early")
		f.queue.put("a", "a 1 1 settles")
		f.drain(time.Minute)
		status := func() string {
			reports := f.srv.Resources("DiagnosticReport")
			if len(reports) != 1 || f.srv.Len("Observation") != 3 {
				t.Fatalf("%s", f.texts())
			}
			_, rest, _ := strings.Cut(string(reports[0].Raw), `"status":"`)
			word, _, _ := strings.Cut(rest, `"`)
			return word
		}
		if is := status(); is != "preliminary" {
			t.Errorf("with two of three to come the report is %s", is)
		}
		f.queue.put("a", "a 2 2 later 1")
		f.drain(time.Minute)
		if is := status(); is != "final" || strings.Count(f.texts(), `"status":"final"`) != 4 {
			t.Errorf("with all of them final the report is %s\n%s", is, f.texts())
		}
	})
}

// TestPreliminaryAfterFinal: a preliminary result that comes late, of an older
// message, is parked and replaces nothing.
func TestPreliminaryAfterFinal(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		f.queue.put("a", "a 1 2 settles")
		f.drain(time.Minute)
		now := f.texts()
		late := f.queue.put("a", "a 0 2 early")
		f.drain(time.Minute)
		if r := f.queue.parked[late]; r.Code != CodeSuperseded || f.texts() != now {
			t.Errorf("%+v\n%s", r, f.texts())
		}
	})
}

// TestStatesAreAskedForTogether: looking for earlier states costs a message one
// request, and its report none.
func TestStatesAreAskedForTogether(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.queue.put("a", "a 0 9 early")
		f.queue.put("a", "a 5 9 settles") // of another specimen
		f.drain(time.Minute)
		if n := f.srv.Counts().Kind["search"]; n != 2 || f.srv.Len("Observation") != 18 || f.srv.Len("DiagnosticReport") != 2 {
			t.Errorf("%d searches for 2 messages; %s", n, f.texts())
		}
		f.permitUpdates()
		f.queue.put("a", "a 1 9 settles")
		f.queue.put("b", "b 0 2 early")
		f.queue.put("b", "b 1 9 settles") // of which two were early
		f.drain(time.Minute)
		if n := f.srv.Counts().Kind["search"]; n != 2+1+9+1+1+1+2+1 || f.srv.Len("Observation") != 27 || f.srv.Len("DiagnosticReport") != 3 {
			t.Errorf("%d searches; %s", n, f.texts())
		}
	})
}

// TestSearchesAreShort: 50 results come in steps of 40 and 10, and one search has
// room for 20.
func TestSearchesAreShort(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.queue.put("a", "a 0 50 early")
		f.drain(time.Minute)
		if n := f.srv.Counts().Kind["search"]; n != 3 || f.srv.Len("Observation") != 50 || f.srv.Len("DiagnosticReport") != 1 {
			t.Errorf("%d searches; %d results", n, f.srv.Len("Observation"))
		}
	})
}

// TestFinalAfterAParkedReport: the results are final, their report was refused.
// When the message is put back, the report follows.
func TestFinalAfterAParkedReport(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		f.queue.put("a", "a 0 3 early")
		f.drain(time.Minute)
		f.srv.SetFault(func(r *http.Request) sandbox.Fault {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/DiagnosticReport/") {
				return sandbox.Reply(http.StatusUnprocessableEntity)
			}
			return sandbox.Fault{}
		})
		seq := f.queue.put("a", "a 1 3 settles")
		f.drain(time.Minute)
		if f.queue.parked[seq].Code != CodeRejected || strings.Count(f.texts(), `"status":"final"`) != 3 {
			t.Fatalf("%+v\n%s", f.queue.parked, f.texts())
		}
		f.srv.SetFault(nil)
		f.queue.put("a", "a 1 3 settles")
		f.drain(time.Minute)
		if f.srv.Len("DiagnosticReport") != 1 || strings.Count(f.texts(), `"status":"final"`) != 4 {
			t.Errorf("%s", f.texts())
		}
	})
}
