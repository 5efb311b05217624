package status

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestShadowCard(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Snapshot)
		facts  string
		advice string // the parts of it, in order
	}{
		"well": {shadowed, "Address: next.example.org/fhir/R4; State: Takes messages; Last message: just now; Delivered: 1,234 messages; " +
			"Not delivered: 0 messages; Sign-in: Basic for 5 h", ""},
		"new": {func(s *Snapshot) {
			shadowed(s)
			s.Shadow = &Upstream{URL: s.Shadow.URL}
			s.Analyzers[0].Shadow, s.Analyzers[2].Shadow = &Shadow{}, nil
		}, "Address: next.example.org/fhir/R4; State: Nothing to deliver yet; Last message: never; Delivered: 0 messages; Not delivered: 0 messages; Sign-in: Not yet", ""},
		"refused": {func(s *Snapshot) {
			shadowed(s)
			s.Analyzers[0].Shadow.Refused, s.Analyzers[0].Shadow.RefusedReason = 1, "too old"
		},
			"Address: next.example.org/fhir/R4; State: Takes messages; Last message: just now; Delivered: 1,234 messages; " +
				"wrong Not delivered: 1 message, the last never; Sign-in: Basic for 5 h", "The last reason: too old."},
		"away": {shadowAway, "Address: next.example.org/fhir/R4; wrong State: The server does not answer; Last message: just now; Delivered: 1,234 messages; " +
			"wrong Not delivered: 2 messages, the last 3 h ago; Sign-in: Basic for 5 h", "second server is up|The last try: dial|The last reason: the server answered 422."},
		"the newest reason": {func(s *Snapshot) {
			shadowAway(s)
			s.Shadow.WaitingReason = ""
			s.Analyzers[0].Shadow.Refused, s.Analyzers[0].Shadow.RefusedReason, s.Analyzers[0].Shadow.LastRefused = 3, "older", before(9*time.Hour)
		}, "Not delivered: 5 messages, the last 3 h ago", "The last reason: the server answered 422."},
		"credentials": {func(s *Snapshot) {
			shadowed(s)
			s.Shadow.WaitingCause, s.Shadow.WaitingReason = CauseCredentials, "401"
		},
			"wrong State: The server refuses labcourier's credentials", "client id and the secret|The last try: 401."},
	} {
		t.Run(name, func(t *testing.T) {
			s := with(c.change)
			card := newShadowCard(s)
			var facts []string
			for _, f := range card.Facts {
				facts = append(facts, strings.TrimSpace(fmt.Sprintf("%s %s: %s", f.State, f.Name, f.Value)))
			}
			if got := strings.Join(facts, "; "); !strings.Contains(got, c.facts) {
				t.Errorf("got  %s\nwant %s", got, c.facts)
			}
			var want []string
			if c.advice != "" {
				want = strings.Split(c.advice, "|")
			}
			if len(want) != len(card.Advice) {
				t.Fatalf("advice %q", card.Advice)
			}
			for i, a := range card.Advice {
				if !strings.Contains(a, want[i]) {
					t.Errorf("advice %q lacks %q", a, want[i])
				}
			}
			if judge(s).level != LevelOK {
				t.Errorf("the headline says %q", judge(s).text)
			}
		})
	}
	if newShadowCard(healthy()) != nil {
		t.Error("a second server that nobody set up")
	}
}

func TestShadowLine(t *testing.T) {
	for want, change := range map[string]func(*Snapshot){
		"delivered 1,234, not delivered 0, last just now":                                                     shadowed,
		"waiting: dial tcp 10.9.8.7:443: connection refused; delivered 1,234, not delivered 2, last just now": shadowAway,
	} {
		if got := shadowLine(with(change)); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
