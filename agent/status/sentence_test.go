package status

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSentence(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Snapshot)
		level  Level
		text   string
		advice string // a part of it
	}{
		{"well", func(*Snapshot) {}, LevelOK, "All 4 analyzers connected, 12,431 results delivered, nothing waiting.", ""},
		{"messages, not results", func(s *Snapshot) { s.Spool.Results = 0 }, LevelOK,
			"All 4 analyzers connected, 4,873 messages delivered, nothing waiting.", ""},
		{"one analyzer, one result", func(s *Snapshot) { s.Analyzers, s.Spool.Results = s.Analyzers[:1], 1 }, LevelOK,
			"The analyzer is connected, 1 result delivered, nothing waiting.", ""},
		{"two", func(s *Snapshot) { s.Analyzers = s.Analyzers[:2]; s.Spool.Queued = 3 }, LevelOK,
			"Both analyzers connected, 12,431 results delivered, 3 on the way.", ""},
		{"one waited for", func(s *Snapshot) { s.Analyzers[1].Link = LinkListening }, LevelOK,
			"3 of 4 analyzers connected, ready for bc-5380, 12,431 results delivered, nothing waiting.", ""},
		{"all waited for", func(s *Snapshot) {
			for i := range s.Analyzers {
				s.Analyzers[i].Link = LinkListening
			}
		}, LevelOK, "Ready for xn-550, bc-5380 and 2 more, 12,431 results delivered, nothing waiting.", ""},
		{"fresh", func(s *Snapshot) { s.Spool, s.Server = Spool{Accepting: true}, Upstream{} }, LevelOK,
			"All 4 analyzers connected, nothing delivered yet, nothing waiting.", ""},
		{"no analyzer", func(s *Snapshot) { s.Analyzers = nil }, LevelWarn, "No analyzer is set up yet.", "[[analyzer]]"},

		{"link down", func(s *Snapshot) { linkDown(s, 0) }, LevelWarn, "xn-550 is not connected.", "no such file"},
		{"two links down", func(s *Snapshot) { linkDown(s, 0); linkDown(s, 2) }, LevelWarn,
			"2 of 4 analyzers are not connected: xn-550 and cobas-c311.", "cables"},
		{"all links down", func(s *Snapshot) {
			for i := range s.Analyzers {
				linkDown(s, i)
			}
		}, LevelBad, "None of the 4 analyzers is connected.", "switched on"},
		{"the only link down", func(s *Snapshot) { linkDown(s, 0); s.Analyzers = s.Analyzers[:1] }, LevelBad, "xn-550 is not connected.", ""},
		{"dialling", func(s *Snapshot) { s.Analyzers[2].Link, s.Analyzers[2].Since = LinkConnecting, before(59*time.Second) }, LevelOK,
			"3 of 4 analyzers connected, ready for cobas-c311, 12,431 results delivered, nothing waiting.", ""},
		{"dialling in vain", func(s *Snapshot) { s.Analyzers[2].Link, s.Analyzers[2].Since = LinkConnecting, before(time.Minute) }, LevelWarn,
			"cobas-c311 is not connected.", "switched on"},
		{"a link word from the future", func(s *Snapshot) { s.Analyzers[2].Link = "asleep" }, LevelWarn, "cobas-c311 is not connected.", ""},

		{"server away", serverAway, LevelWarn, "The server does not answer, 214 messages waiting for up to 8 min.", "Nothing is lost"},
		{"server away, its words", serverAway, LevelWarn, "The server does not answer, 214 messages waiting for up to 8 min.", "connection refused."},
		{"server away, nothing waits", func(s *Snapshot) { s.Server.Reachable = false }, LevelWarn, "The server does not answer, nothing is waiting.", "network"},
		{"server away for long", func(s *Snapshot) { serverAway(s); s.Analyzers[3].OldestWaiting = 900 }, LevelBad,
			"The server does not answer, 214 messages waiting for up to 15 min.", "Nothing is lost"},
		{"server broken", func(s *Snapshot) {
			s.Server.WaitingCause, s.Server.WaitingReason, s.Spool.Queued = CauseServer, "503", 1
		}, LevelWarn,
			"The server answers with errors, 1 message waiting.", "keeps trying"},
		{"waiting, nobody knows why", func(s *Snapshot) { s.Server.WaitingReason = "odd" }, LevelWarn,
			"The server takes no results just now, nothing is waiting.", "The last try: odd."},
		{"credentials", func(s *Snapshot) { s.Server.WaitingCause, s.Server.WaitingReason = CauseCredentials, "401" }, LevelBad,
			"The server refuses labcourier's credentials, nothing is waiting.", "secret"},
		{"forbidden", func(s *Snapshot) { s.Server.WaitingCause, s.Server.WaitingReason = CauseForbidden, "403" }, LevelBad,
			"The server does not let labcourier write, nothing is waiting.", "access policy"},
		{"slow", func(s *Snapshot) { s.Spool.Queued, s.Analyzers[0].OldestWaiting = 40, 300 }, LevelWarn,
			"Results take long to reach the server, 40 messages waiting for up to 5 min.", "log"},
		{"very slow", func(s *Snapshot) { s.Spool.Queued, s.Analyzers[0].OldestWaiting = 40, 3600 }, LevelBad,
			"Results take long to reach the server, 40 messages waiting for up to 1 h.", "log"},
		{"one lane waits", func(s *Snapshot) {
			s.Analyzers[1].Queued, s.Analyzers[1].OldestWaiting, s.Analyzers[1].WaitingReason = 3, 320, "an entry answered 503"
		}, LevelWarn, "Results of bc-5380 cannot be delivered yet, 3 messages waiting.", "503"},

		{"parked", parkedTwo, LevelWarn, "2 messages are parked and need a person.", "cobas-c311: 2 messages. The newest: no specimen id in O.3."},
		{"one parked", func(s *Snapshot) { s.Spool.Parked = 1 }, LevelWarn, "1 message is parked and needs a person.", "It is kept"},
		{"fallback", fellBack, LevelWarn, "Signed in with basic instead of OAuth2 for 2 h.", "the token endpoint answered 404."},
		{"disk low", diskLow, LevelWarn, "The disk is 93 % full.", "3.0 GiB are left"},
		{"full", spoolFull, LevelBad, "New results cannot be stored: the disk's reserve is reached.", "Free space"},
		{"store broken", func(s *Snapshot) { s.Spool.Accepting, s.Spool.Reason = false, "" }, LevelBad, "New results cannot be stored.", "restart"},

		{"worst first", func(s *Snapshot) { linkDown(s, 0); serverAway(s); fellBack(s); spoolFull(s); parkedTwo(s) }, LevelBad,
			"New results cannot be stored: the disk's reserve is reached.", "Also: xn-550 is not connected. Check"},
		{"bad before warn", func(s *Snapshot) {
			serverAway(s)
			for i := range s.Analyzers {
				linkDown(s, i)
			}
		}, LevelBad, "None of the 4 analyzers is connected.", "Also: The server does not answer, 214 messages waiting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			level, text, advice := Sentence(with(tt.change))
			if level != tt.level || text != tt.text {
				t.Errorf("got  %s %q\nwant %s %q", level, text, tt.level, tt.text)
			}
			if level == LevelOK && len(advice) > 0 {
				t.Errorf("advice although all is well: %q", advice)
			}
			if level != LevelOK && !slices.ContainsFunc(advice, func(s string) bool { return strings.Contains(s, tt.advice) }) {
				t.Errorf("advice %q lacks %q", advice, tt.advice)
			}
		})
	}
}

// The announcement must not change while only counts do, or a screen reader
// never rests.
func TestAnnouncementRests(t *testing.T) {
	more := func(s *Snapshot) {
		s.Spool.Results++
		s.Spool.Queued += 5
		for i := range s.Analyzers {
			s.Analyzers[i].OldestWaiting += 61
		}
	}
	for name, change := range map[string]func(*Snapshot){"well": func(*Snapshot) {}, "away": serverAway, "fallback": fellBack} {
		a, b := with(change), with(func(s *Snapshot) { change(s); more(s); s.Agent.Now = before(-time.Minute) })
		if judge(a).text == judge(b).text || judge(a).announce != judge(b).announce {
			t.Errorf("%s: %q, then %q", name, judge(a).announce, judge(b).announce)
		}
	}
}

func TestFallbackPromisesNoDeliveryWhileServerIsAway(t *testing.T) {
	for _, a := range judge(with(func(s *Snapshot) { fellBack(s); serverAway(s) })).advice {
		if strings.Contains(a, "delivered all the same") {
			t.Errorf("advice %q", a)
		}
	}
}
