package status

import (
	"fmt"
	"slices"
	"time"
)

// How long something may last before it is worth a person's attention.
const (
	connectingGrace = time.Minute      // a link that opens
	slowAfter       = 5 * time.Minute  // waiting although the server answers
	lateAfter       = 15 * time.Minute // waiting for any reason: clinicians miss it
	lowDisk         = 1 << 30          // below this, space is what a full spool needs
)

// trouble is one thing that is wrong. The headline is text and tail; tail is
// the part that changes while the trouble stays the same. The first advice is
// what to do, and there always is one; the others are what is good to know.
type trouble struct {
	level      Level
	text, tail string
	advice     []string
}

func spoolTrouble(s Snapshot) []trouble {
	if s.Spool.Accepting {
		return nil
	}
	t := trouble{level: LevelBad, text: "New results cannot be stored"}
	if s.Spool.Reason != "" {
		t.text += ": " + clean(s.Spool.Reason)
	}
	todo := "Check the disk that holds the data directory, and labcourier's log, then restart the service."
	if s.Spool.DiskFree < lowDisk {
		todo = fmt.Sprintf("Free space on the disk that holds the data directory: %s are left.", size(s.Spool.DiskFree))
	}
	t.advice = []string{todo, "Until then the analyzers are refused, so that they keep their results and send them again."}
	return []trouble{t}
}

func serverTrouble(s Snapshot) []trouble {
	v := s.Server
	if v.WaitingReason == "" && (v.Reachable || v.LastSuccess.IsZero()) {
		return slowTrouble(s) // well, or not tried yet
	}
	level, text, todo := serverWords(v)
	t := trouble{level: level, text: text}
	if oldest(s) >= lateAfter {
		t.level = LevelBad
	}
	t.tail = ", nothing is waiting"
	if s.Spool.Queued > 0 {
		t.tail = ", " + many(s.Spool.Queued, "message") + " waiting"
		if d := oldest(s); d >= time.Minute {
			t.tail += " for up to " + span(d)
		}
	}
	t.advice = []string{todo, "Nothing is lost: results are stored on this computer and sent, in order, as soon as that works."}
	if v.WaitingReason != "" {
		t.advice = append(t.advice, "The last try: "+ended(v.WaitingReason))
	}
	return []trouble{t}
}

// serverWords tells what is wrong with a server, and what to do.
func serverWords(v Upstream) (level Level, text, todo string) {
	switch v.WaitingCause {
	case CauseServer:
		return LevelWarn, "The server answers with errors", "Tell whoever runs the server; labcourier keeps trying."
	case CauseCredentials:
		return LevelBad, "The server refuses labcourier's credentials",
			"Check the client id and the secret in the configuration: the secret may have expired or been replaced."
	case CauseForbidden:
		return LevelBad, "The server does not let labcourier write",
			"Ask the server's administrator to give this client labcourier's access policy."
	}
	if v.Reachable {
		return LevelWarn, "The server takes no results just now", "labcourier keeps trying. If it stays so, tell whoever runs the server."
	}
	return LevelWarn, "The server does not answer", "Check this computer's network, and whether the server is up."
}

// slowTrouble is about messages that wait although nothing is known to be wrong
// with the server.
func slowTrouble(s Snapshot) []trouble {
	d := oldest(s)
	if d < slowAfter || slices.ContainsFunc(s.Analyzers, func(a Analyzer) bool { return a.WaitingReason != "" }) {
		return nil
	}
	t := trouble{level: LevelWarn, text: "Results take long to reach the server",
		tail:   fmt.Sprintf(", %s waiting for up to %s", many(s.Spool.Queued, "message"), span(d)),
		advice: []string{"The queue may just be long. If the number does not fall, look at labcourier's log."}}
	if d >= lateAfter {
		t.level = LevelBad
	}
	return []trouble{t}
}

func oldest(s Snapshot) (d time.Duration) {
	for _, a := range s.Analyzers {
		d = max(d, time.Duration(a.OldestWaiting)*time.Second)
	}
	return d
}

// laneTrouble is about one analyzer's messages waiting while the others' go
// through. A server that is away is told once, by serverTrouble.
func laneTrouble(s Snapshot) (all []trouble) {
	if s.Server.WaitingReason != "" {
		return nil
	}
	for _, a := range s.Analyzers {
		if a.WaitingReason == "" {
			continue
		}
		t := trouble{level: LevelWarn, text: "Results of " + clean(a.Name) + " cannot be delivered yet",
			tail:   ", " + many(a.Queued, "message") + " waiting",
			advice: []string{"labcourier keeps trying. The last try: " + ended(a.WaitingReason)}}
		if time.Duration(a.OldestWaiting)*time.Second >= lateAfter {
			t.level = LevelBad
		}
		all = append(all, t)
	}
	return all
}

func linkTrouble(s Snapshot) []trouble {
	if len(s.Analyzers) == 0 {
		return []trouble{{level: LevelWarn, text: "No analyzer is set up yet",
			advice: []string{"Add an [[analyzer]] to the configuration file and restart labcourier."}}}
	}
	var names, reasons []string
	for _, a := range s.Analyzers {
		if !faulty(a, s.now()) {
			continue
		}
		names = append(names, clean(a.Name))
		if a.Reason != "" {
			reasons = append(reasons, clean(a.Name)+": "+ended(a.Reason))
		}
	}
	todo := "Check that it is switched on and its cable is plugged in."
	if len(names) > 1 {
		todo = "Check that they are switched on and their cables are plugged in."
	}
	t := trouble{level: LevelWarn, advice: append([]string{todo}, reasons...)}
	switch n := len(s.Analyzers); {
	case len(names) == 0:
		return nil
	case len(names) == 1:
		t.text = names[0] + " is not connected"
	case len(names) == n:
		t.text = fmt.Sprintf("None of the %d analyzers is connected", n)
	default:
		t.text = fmt.Sprintf("%d of %d analyzers are not connected: %s", len(names), n, listed(names, 3))
	}
	if len(names) == len(s.Analyzers) {
		t.level = LevelBad
	}
	return []trouble{t}
}

// faulty tells a link that should be up and is not.
func faulty(a Analyzer, now time.Time) bool {
	switch a.Link {
	case LinkConnected, LinkListening:
		return false
	case LinkConnecting:
		return !a.Since.IsZero() && now.Sub(a.Since.Time) >= connectingGrace
	}
	return true
}

// silentTrouble is about analyzers that have sent nothing for longer than they
// ever do.
func silentTrouble(s Snapshot) (all []trouble) {
	for _, a := range s.Analyzers {
		if a.Silent == 0 {
			continue
		}
		all = append(all, trouble{level: LevelWarn, text: clean(a.Name) + " has sent nothing",
			tail: " for " + span(time.Duration(a.Silent)*time.Second),
			advice: []string{fmt.Sprintf("Its longest pause of the last two weeks was %s. Check that it measures, and that it is set to send its results here.",
				span(time.Duration(a.SilentUsually)*time.Second))}})
	}
	return all
}

func parkedTrouble(s Snapshot) []trouble {
	n := s.Spool.Parked
	if n == 0 {
		return nil
	}
	t := trouble{level: LevelWarn, text: many(n, "message") + " are parked and need a person",
		advice: []string{"They are kept and not delivered until somebody decides."}}
	if n == 1 {
		t.text = "1 message is parked and needs a person"
		t.advice = []string{"It is kept and not delivered until somebody decides."}
	}
	for _, a := range s.Analyzers {
		if a.Parked == 0 {
			continue
		}
		line := fmt.Sprintf("%s: %s.", clean(a.Name), many(a.Parked, "message"))
		if a.ParkedReason != "" {
			line += " The newest: " + ended(a.ParkedReason)
		}
		t.advice = append(t.advice, line)
	}
	return []trouble{t}
}

func diskTrouble(s Snapshot) []trouble {
	if s.Spool.Warning == "" || !s.Spool.Accepting {
		return nil
	}
	return []trouble{{level: LevelWarn, text: capital(s.Spool.Warning), advice: []string{fmt.Sprintf(
		"Free space on the disk that holds the data directory (%s are left), before new results have to be refused.",
		size(s.Spool.DiskFree))}}}
}

func fallbackTrouble(s Snapshot) []trouble {
	a := s.Server.Auth
	if !a.Fallback {
		return nil
	}
	t := trouble{level: LevelWarn, text: "Signed in with basic instead of OAuth2"}
	if !a.Since.IsZero() {
		t.tail = " for " + span(s.now().Sub(a.Since.Time))
	}
	t.advice = []string{"OAuth2 is tried again every few minutes. If it stays so, tell whoever runs the server."}
	if serverTrouble(s) == nil {
		t.advice = append(t.advice, "Results are delivered all the same.")
	}
	if a.Reason != "" {
		t.advice = append(t.advice, "The reason: "+ended(a.Reason))
	}
	return []trouble{t}
}
