package deliver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/spool"
)

// TestBot: a bot gets the bytes as they came, with their type, in order; what
// is lost on the way comes again with the same key.
func TestBot(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		var keys []string
		posts := 0
		f.srv.SetFault(func(r *http.Request) sandbox.Fault {
			if !strings.Contains(r.URL.Path, "/Bot/") {
				return sandbox.Fault{}
			}
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			posts++
			return []sandbox.Fault{sandbox.LostAnswer(), sandbox.HTMLPage(200), sandbox.Reply(503), sandbox.Reply(401), {}, {}, {}}[posts-1]
		})
		f.queue.put("bot", "bot 0 3")
		second := f.queue.put("bot", "bot 1 "+strings.Repeat("1", 3))
		f.drain(time.Hour)
		if len(f.bots) != 3 || f.bots[0].ID != "b-1" || string(f.bots[0].Body) != "bot 0 3" || string(f.bots[1].Body) != "bot 0 3" || f.bots[2].ContentType != "x-application/hl7-v2+er7" {
			t.Errorf("the bot got %+v", f.bots)
		}
		for i := range 5 {
			if keys[i] == "" || keys[i] != keys[0] {
				t.Errorf("keys %q", keys)
			}
		}
		if r := f.queue.receipt[second]; r.Outcome != spool.OutcomeDelivered || f.srv.Len("Observation") != 0 {
			t.Errorf("%+v, and %d observations", r, f.srv.Len("Observation"))
		}
		// A bot that fails says 400, whatever the reason: a person decides.
		f.sick.Store(true)
		seq := f.queue.put("bot", "bot 2 3")
		f.drain(time.Hour)
		if r := f.queue.parked[seq]; r.Code != CodeRejected || strings.Contains(r.Text, "S0") {
			t.Errorf("parked as %+v", r)
		}
		// No such bot is nobody's fault but the configuration's.
		f.sick.Store(false)
		f.srv.SetFault(sandbox.OnFHIR(sandbox.Always(sandbox.Reply(404))))
		f.queue.put("bot", "bot 3 3")
		time.Sleep(5 * time.Minute)
		if s := f.d.State().Lanes[4]; !strings.Contains(s.Waiting, "no such bot") {
			t.Errorf("%+v", s)
		}
		f.srv.SetFault(nil)
		f.drain(time.Hour)
	})
}

// TestBotGetsNothingThatAPersonMustSee: what is held, or mixed with what is not
// a patient's, is not sent.
func TestBotGetsNothingThatAPersonMustSee(t *testing.T) {
	some := []fhir.Step{{Name: fhir.StepDevice, Entries: []fhir.Entry{{Type: "Device"}}}}
	for name, c := range map[string]struct {
		plan  fhir.Plan
		given map[string]string
		want  string
	}{
		"held":       {fhir.Plan{Steps: some, Held: []string{"order 1 has no specimen id"}}, nil, CodeHeld},
		"mixed":      {fhir.Plan{Steps: some, Kept: []string{"1 report is QC"}, Others: 1}, nil, CodeHeld},
		"given":      {fhir.Plan{Steps: some}, map[string]string{"specimen": "S-1"}, CodeHeld},
		"training":   {fhir.Plan{Kept: []string{"1 report is training"}, Others: 1}, nil, spool.OutcomeKept},
		"dropped QC": {fhir.Plan{Kept: []string{"1 report is QC"}, Others: 1, Drop: true}, nil, spool.OutcomeDropped},
	} {
		l := &lane{d: &Deliverer{}}
		e, err := l.toBot(t.Context(), spool.Record{Given: c.given}, c.plan, Bot{})
		got := e.receipt.Outcome
		if e.reason != nil {
			got = e.reason.Code
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestBotAddress(t *testing.T) {
	for name, want := range map[string]string{
		"7c9e":         "https://x/R4/Bot/7c9e/$execute",
		"urn:bots|hl7": "https://x/R4/Bot/$execute?identifier=urn%3Abots%7Chl7",
	} {
		if got := (Bot{Name: name}).address("https://x/R4"); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
