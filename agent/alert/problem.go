package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// Kinds of problems.
const (
	KindSpool       = "spool"       // nothing is stored, so analyzers are refused
	KindDisk        = "disk"        // the disk fills up, or the spool was repaired
	KindCredentials = "credentials" // the server does not take the credentials
	KindForbidden   = "forbidden"   // the server does not let the agent write
	KindWaiting     = "waiting"     // messages wait for too long, whatever the reason
	KindFallback    = "fallback"    // signed in with basic instead of OAuth2
	KindCertificate = "certificate" // a certificate ends soon, or has ended
	KindLink        = "link"        // an analyzer is not connected
	KindSilent      = "silent"      // an analyzer sends nothing for longer than it ever does
	KindParked      = "parked"      // messages need a person
)

// Kinds lists every kind of problem.
func Kinds() []string {
	return []string{KindSpool, KindDisk, KindCredentials, KindForbidden, KindWaiting, KindFallback, KindCertificate, KindLink, KindSilent, KindParked}
}

// Limits say from when on something is a problem.
type Limits struct {
	Mute    []string      // kinds that are not told
	Hold    time.Duration // how long a problem lasts before it is told, and is over before that is told
	Digest  time.Duration // between two notices
	Link    time.Duration // how long a link may be down; 0: for ever
	Waiting time.Duration // how long a message may wait
	Expiry  time.Duration // how long before its end a certificate is told
}

// Expiry is when something ends that somebody has to renew.
type Expiry struct {
	What string // "the client's certificate"
	Ends time.Time
}

// problem is one thing that is wrong at one moment.
type problem struct {
	kind, analyzer string
	level          status.Level
	text, todo     string
	count          uint64
	lasts          time.Duration // how long it must last before it is told
}

func (p problem) key() string { return p.kind + "/" + p.analyzer }

// problems tells what is wrong. It takes no words from the snapshot but names.
func problems(s status.Snapshot, ends []Expiry, l Limits) (all []problem) {
	add := func(lasts time.Duration, kind string, level status.Level, text, todo string) {
		all = append(all, problem{kind: kind, level: level, text: text, todo: todo, lasts: lasts})
	}
	switch {
	case !s.Spool.Accepting:
		add(l.Hold, KindSpool, status.LevelBad, "New results cannot be stored; the analyzers are refused",
			"Check the disk that holds labcourier's data, and labcourier's log, at once.")
	case s.Spool.Warning != "":
		add(l.Hold, KindDisk, status.LevelWarn, "The store warns: the disk fills up, or the store was repaired",
			fmt.Sprintf("See labcourier's status page. %d MiB are free on the disk that holds its data.", s.Spool.DiskFree>>20))
	}
	switch s.Server.WaitingCause {
	case status.CauseCredentials:
		add(l.Hold, KindCredentials, status.LevelBad, "The server refuses labcourier's credentials",
			"Check the client id and the secret in the configuration: the secret may have expired or been replaced.")
	case status.CauseForbidden:
		add(l.Hold, KindForbidden, status.LevelBad, "The server does not let labcourier write",
			"Ask the server's administrator to give this client labcourier's access policy.")
	}
	if s.Server.Auth.Fallback {
		add(l.Hold, KindFallback, status.LevelWarn, "Signed in with basic instead of OAuth2",
			"Results are delivered. If it stays so, tell whoever runs the server.")
	}
	for _, e := range ends {
		if left := e.Ends.Sub(s.Agent.Now.Time); left <= l.Expiry {
			level, verb := status.LevelWarn, "ends on "
			if left <= 0 {
				level, verb = status.LevelBad, "ended on "
			}
			add(0, KindCertificate, level, e.What+" "+verb+e.Ends.UTC().Format(time.DateOnly), "Have it renewed. New files are picked up without a restart.")
		}
	}
	return unmuted(append(all, analyzerProblems(s, l)...), l.Mute)
}

func analyzerProblems(s status.Snapshot, l Limits) (all []problem) {
	waiting := problem{kind: KindWaiting, level: status.LevelBad, lasts: l.Hold,
		todo: "They are stored safely. See labcourier's status page for the reason; check the network and the server."}
	for _, a := range s.Analyzers {
		name := plain(a.Name)
		if time.Duration(a.OldestWaiting)*time.Second >= l.Waiting {
			waiting.count += a.Queued
		}
		if a.Driver == "" {
			all = append(all, problem{KindLink, name, status.LevelWarn, name + " is not in the configuration any more, and messages of it are stored here",
				"Add it again to deliver what waits, or discard that on labcourier's status page.", 0, l.Hold})
		} else if l.Link > 0 && (a.Link == status.LinkDown || a.Link == status.LinkConnecting) {
			all = append(all, problem{KindLink, name, status.LevelWarn, name + " is not connected",
				"Check that it is switched on and its cable is plugged in.", 0, l.Link})
		}
		if a.Silent > 0 {
			all = append(all, problem{KindSilent, name, status.LevelWarn, name + " has sent nothing for longer than is its habit",
				"Check that it measures, and that it is set to send its results here.", 0, l.Hold})
		}
		if a.Parked > 0 {
			all = append(all, problem{KindParked, name, status.LevelWarn, fmt.Sprintf("%s: %s", name, parkedWords(a.Parked)),
				"They are kept and not delivered until somebody decides: see Messages on labcourier's status page.", a.Parked, 0})
		}
	}
	if waiting.count > 0 {
		waiting.text = fmt.Sprintf("Results have waited for the server for over %s", l.Waiting)
		all = append(all, waiting)
	}
	return all
}

func parkedWords(n uint64) string {
	if n == 1 {
		return "1 message is parked and needs a person"
	}
	return fmt.Sprintf("%d messages are parked and need a person", n)
}

func unmuted(all []problem, mute []string) (told []problem) {
	for _, p := range all {
		if !slices.Contains(mute, p.kind) {
			told = append(told, p)
		}
	}
	return told
}

// plain makes a name fit for a line of text and a mail's subject. Names in the
// configuration are plain; a lane of a former configuration may be anything.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
}
