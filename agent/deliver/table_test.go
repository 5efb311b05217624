package deliver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// The stages of a message's way, as the table has them. The last four are those
// of a correction, and of a final result after a preliminary one.
const (
	atDevice = iota + 1
	atSpecimen
	atObservations
	atReport
	atDocument
	atProvenance
	atLookup
	atUpdate
	atState
	atSettle
)

var stageNames = []string{"", "Device", "Specimen", "Observations", "DiagnosticReport", "DocumentReference", "Provenance", "lookup", "update", "lookup of states", "final"}

// resultsOf is how many results the table's messages have.
const resultsOf = 5

// tableRow is one outcome. It meets the first request of a stage, or, if it
// stays, every one until the lane was seen to wait.
type tableRow struct {
	name  string
	fault sandbox.Fault
	entry bool // it is an entry's, inside a 200: bundles only
	stays bool
	twice bool // a proxy sends every request twice

	says string                 // what the status must have said
	want func(stage int) string // "delivered", or the code that it is parked with
}

func delivered(int) string { return "delivered" }

func parkedAs(code string) func(int) string { return func(int) string { return code } }

// whenSingle: several are sent in halves, a single one is parked.
func whenSingle(stage int) string {
	if stage == atObservations || stage == atDevice {
		return "delivered"
	}
	return CodeTooLarge
}

// outcomeOf is a body that is an OperationOutcome with a text.
func outcomeOf(status int, text string) sandbox.Fault {
	return sandbox.Fault{Status: status, Body: fmt.Sprintf(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","details":{"text":%q}}]}`, text)}
}

func tableRows() []tableRow {
	rows := []tableRow{
		{name: "2xx", want: delivered},
		{name: "no connection", fault: sandbox.Down(), says: "closed before", want: delivered},
		{name: "timeout, done late", fault: sandbox.SlowAnswer(2 * time.Minute), says: "no answer in time", want: delivered},
		{name: "reset after the commit", fault: sandbox.LostAnswer(), says: "closed before", want: delivered},
		{name: "answer cut in the middle", fault: sandbox.CutAnswer(), says: "closed before", want: delivered},
		{name: "sent twice by a proxy", twice: true, want: delivered},
		{name: "200 with a web page", fault: sandbox.HTMLPage(200), says: "not FHIR", want: delivered},
		{name: "200 with fewer entries", fault: sandbox.Fault{Status: 200, Body: `{"resourceType":"Bundle","type":"batch-response","entry":[{}]}`}, want: delivered},
		{name: "302 to a portal", fault: sandbox.Fault{Status: 302, Header: http.Header{"Location": {"http://portal.example/"}}, Body: "x"}, says: "redirects", want: delivered},
		{name: "401 once", fault: sandbox.Reply(401), want: delivered},
		{name: "401 stays", fault: sandbox.Reply(401), stays: true, says: "rejects the credentials (401)", want: delivered},
		{name: "403 stays", fault: sandbox.Reply(403), stays: true, says: "forbids it (403)", want: delivered},
		{name: "403 stays", fault: sandbox.Fault{Entry: refuseAll(403)}, entry: true, stays: true, says: "forbids it (403)", want: delivered},
		{name: "413", fault: sandbox.Reply(413), want: whenSingle},
		{name: "400 too large", fault: outcomeOf(400, "File too large"), want: whenSingle},
		{name: "400", fault: outcomeOf(400, "Invalid"), want: parkedAs(CodeRejected)},
		{name: "422", fault: sandbox.Reply(422), want: parkedAs(CodeRejected)},
		{name: "422", fault: sandbox.RefuseEntry(0, 422), entry: true, want: parkedAs(CodeRejected)},
		{name: "412", fault: sandbox.Reply(412), want: func(stage int) string {
			if stage == atUpdate || stage == atSettle {
				return "delivered" // somebody was quicker: looked at again
			}
			return CodeAmbiguous
		}},
		{name: "412", fault: sandbox.RefuseEntry(0, 412), entry: true, want: parkedAs(CodeAmbiguous)},
		{name: "429 from the first on", fault: sandbox.ThrottleFrom(0), entry: true, says: "429", want: delivered},
	}
	for _, status := range []int{408, 409, 425, 429, 500, 502, 503, 504} {
		rows = append(rows,
			tableRow{name: fmt.Sprint(status), fault: sandbox.Reply(status), says: fmt.Sprint(status), want: delivered},
			tableRow{name: fmt.Sprint(status), fault: sandbox.RefuseEntry(0, status), entry: true, says: fmt.Sprint(status), want: delivered})
	}
	return rows
}

func refuseAll(status int) func(sandbox.Entry) int { return func(sandbox.Entry) int { return status } }

// TestEveryOutcomeAtEveryStage runs every outcome of the package's table at every stage against
// the sandbox, and looks at what was done with the message, what the server
// holds, and what the status says. Run it with -v for the table.
func TestEveryOutcomeAtEveryStage(t *testing.T) {
	var mu sync.Mutex
	lines := []string{fmt.Sprintf("%-26s %-17s %-10s %-32s %s", "OUTCOME", "STAGE", "MESSAGE", "SERVER HOLDS D/S/O/R/M/P", "STATUS SAID")}
	for _, row := range tableRows() {
		for stage := atDevice; stage <= atSettle; stage++ {
			if row.entry && stage >= atLookup {
				continue // no bundle
			}
			name := row.name
			if row.entry {
				name += " in a 200"
			}
			t.Run(name+"/"+stageNames[stage], func(t *testing.T) {
				inSandbox(t, goodSecret, func(f *far) {
					c := &cell{far: f, row: row, stage: stage}
					line := c.run()
					mu.Lock()
					lines = append(lines, fmt.Sprintf("%-26s %-17s %s", name, stageNames[stage], line))
					mu.Unlock()
				})
			})
		}
	}
	t.Log("\n" + strings.Join(lines, "\n"))
}

// cell is one outcome at one stage.
type cell struct {
	*far
	row   tableRow
	stage int

	mu    sync.Mutex
	posts int // bundles since the fault was armed
	armed int // how often the fault is still to come
}

// strike is the sandbox's hook: it gives the stage's request the fault.
func (c *cell) strike(r *http.Request) sandbox.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed == 0 || !c.meets(r) {
		return sandbox.Fault{}
	}
	if !c.row.stays {
		c.armed--
	}
	return c.row.fault
}

func (c *cell) meets(r *http.Request) bool {
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/Observation"):
		return c.stage == atLookup || c.stage == atState
	case r.Method == http.MethodPut:
		return c.stage == atUpdate || c.stage == atSettle
	case r.Method == http.MethodPost && strings.TrimSuffix(r.URL.Path, "/") == sandbox.BasePath:
		c.posts++
		return c.posts >= c.stage
	}
	return false
}

func (c *cell) run() string {
	t, corrects := c.t, c.stage >= atLookup
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		c.srv.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	}
	for _, typ := range []string{"DocumentReference", "Provenance"} {
		c.srv.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search)
	}
	payload := fmt.Sprintf("a 0 %d origins", resultsOf)
	if corrects {
		before, after := payload, "a 1 1 corrects"
		if c.stage >= atState {
			before, after = "a 0 5 early origins", "a 1 1 settles"
		}
		c.queue.put("a", before)
		c.drain(time.Minute)
		payload = after
	}
	c.double.Store(c.row.twice)
	if c.row.fault.Status+int(c.row.fault.Break) != 0 || c.row.fault.Hold != 0 || c.row.fault.Entry != nil {
		c.armed = 1
		if corrects && c.row.want(c.stage) != "delivered" {
			c.armed = 2 // a refusal is tried once more, without the remembered Device
		}
		c.srv.SetFault(c.strike)
	}
	seq := c.queue.put("a", payload) // the fault stands ready by now
	said := c.watch()
	want := c.row.want(c.stage)
	got := c.queue.parked[seq].Code
	if slices.Contains(c.queue.done["a"], seq) {
		got = "delivered"
	}
	if got != want {
		t.Errorf("the message is %q, want %q: %+v", got, want, c.queue.parked[seq])
	}
	if retried := (c.stage == atLookup || c.stage == atState) && c.row.fault.Break != sandbox.NoBreak; !retried && !strings.Contains(said, c.row.says) { // a GET is repeated by net/http itself
		t.Errorf("the status said %q, want %q", said, c.row.says)
	}
	if s := c.d.State().Lanes[0]; s.Waiting != "" || !s.Since.IsZero() {
		t.Errorf("at the end the status still says %q", s.Waiting)
	}
	return fmt.Sprintf("%-10s %-32s %s", got, c.holds(want), said)
}

// watch waits for the end, and returns what the status said meanwhile.
func (c *cell) watch() string {
	var said []string
	for range 60_000 {
		state := c.d.State()
		w := state.Lanes[0].Waiting
		if w != "" && !slices.Contains(said, w) {
			said = append(said, w)
			if state.Lanes[0].Since.IsZero() || state.Server.Waiting == "" {
				c.t.Errorf("waits for %q, since %v; of the server: %q", w, state.Lanes[0].Since, state.Server.Waiting)
			}
		}
		if c.row.stays && w != "" && time.Since(state.Lanes[0].Since) > 10*time.Minute {
			c.mu.Lock()
			c.armed = 0 // a person has mended it
			c.mu.Unlock()
		}
		c.queue.mu.Lock()
		left := len(c.queue.waiting["a"])
		c.queue.mu.Unlock()
		if left == 0 {
			return strings.Join(said, "; ")
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.t.Fatalf("not at its end: %+v", c.d.State())
	return ""
}

// holds compares what is on the server with what must be there: each resource
// once, and none of a later stage than that at which the message was parked.
func (c *cell) holds(want string) string {
	counts := [6]int{2, 1, resultsOf, 1, 1, 1}
	switch {
	case c.stage >= atLookup:
		counts[1] = 2 // the correction brings the tube's again
	case want != "delivered":
		// What comes before the refused entry is there; in a 200 the entries
		// beside it, too.
		for i := c.stage - 1; i < len(counts); i++ {
			counts[i] = 0
		}
		if c.row.entry && c.stage == atObservations {
			counts[2] = resultsOf - 1
		}
		if c.row.entry && c.stage == atDevice {
			counts[0] = 1 // the agent's own
		}
	}
	var got [6]int
	for i, typ := range []string{"Device", "Specimen", "Observation", "DiagnosticReport", "DocumentReference", "Provenance"} {
		got[i] = c.srv.Len(typ)
	}
	if got != counts {
		c.t.Errorf("the server holds %v, want %v", got, counts)
	}
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(got), " ", "/"), "[]")
	if c.stage < atLookup {
		return text
	}
	corrected, status := 0, `"status":"corrected"`
	if c.stage >= atState {
		status = `"status":"final"`
	}
	for _, o := range c.srv.Resources("Observation") {
		if strings.Contains(string(o.Raw), status) && strings.Contains(string(o.Raw), "0.75") {
			corrected++
		}
	}
	if (corrected == 1) != (want == "delivered") {
		c.t.Errorf("%d observations have the new version", corrected)
	}
	return fmt.Sprintf("%s, %d updated", text, corrected)
}
