package status

import (
	"fmt"
	"strings"
	"time"
)

// noon is when every snapshot of the tests was taken.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) Time { return At(noon.Add(-d)) }

// healthy is an agent with four analyzers and nothing wrong.
func healthy() Snapshot {
	s := Snapshot{
		Agent:  Agent{Name: "core-lab-1", Version: "0.1.0", Started: before(76 * time.Hour), Now: At(noon)},
		Config: Config{Loaded: before(2 * time.Hour), Digest: strings.Repeat("1a2b3c4d", 8), RestartNeeded: []string{}},
		Server: Upstream{
			URL: "https://api.medplum.com/fhir/R4", Reachable: true, LastSuccess: before(8 * time.Second),
			Auth:      Auth{Method: "oauth2", Since: before(76 * time.Hour), TokenExpires: before(-42 * time.Minute)},
			RateLimit: RateLimit{Limit: 50000, Remaining: 48210},
		},
		Spool: Spool{Delivered: 4873, Results: 12431, Bytes: 1 << 20, DiskFree: 81234567890, Accepting: true},
	}
	for i, a := range []Analyzer{
		{Name: "xn-550", Driver: "astm", Port: "serial /dev/ttyUSB0 9600 8N1", Peer: "/dev/ttyUSB0", Delivered: 2410, Options: []string{"checksum = any-case", "specimen_id = O.4.3"}},
		{Name: "bc-5380", Driver: "hl7", Port: "tcp listen 0.0.0.0:2575", Peer: "10.0.5.31:50112", Delivered: 1204},
		{Name: "cobas-c311", Driver: "astm", Port: "tcp connect 10.0.5.12:4001", Peer: "10.0.5.12:4001", Delivered: 1187},
		{Name: "gem-5000", Driver: "poct1a", Port: "tcp listen 0.0.0.0:3001", Peer: "10.0.5.44:61220", Delivered: 72},
	} {
		if a.Options == nil {
			a.Options = []string{}
		}
		a.Link, a.Since = LinkConnected, before(5*time.Hour)
		a.LastByte, a.LastMessage = before(time.Duration(i*i*i*90+8)*time.Second), before(time.Duration(i*i*i*90+8)*time.Second)
		a.Acknowledged, a.Refused = a.Delivered, 1
		a.Counters = map[string]uint64{"checksum_errors": 1, "noise_bytes": 14}
		s.Analyzers = append(s.Analyzers, a)
	}
	return s
}

// with is healthy, changed.
func with(change func(*Snapshot)) Snapshot {
	s := healthy()
	change(&s)
	return s
}

func linkDown(s *Snapshot, i int) {
	a := &s.Analyzers[i]
	a.Link, a.Peer, a.Since = LinkDown, "", before(20*time.Minute)
	a.LastByte, a.LastMessage = before(22*time.Minute), before(22*time.Minute)
	a.Reason = "open /dev/ttyUSB0: no such file or directory"
}

func serverAway(s *Snapshot) {
	s.Server.Reachable, s.Server.LastSuccess = false, before(9*time.Minute)
	s.Server.WaitingReason, s.Server.WaitingCause = "dial tcp 52.71.7.20:443: connection refused", CauseNetwork
	s.Spool.Queued = 214
	for i := range s.Analyzers {
		s.Analyzers[i].Queued, s.Analyzers[i].OldestWaiting = 53, 520
	}
	s.Analyzers[0].Queued = 55
}

func parkedTwo(s *Snapshot) {
	s.Spool.Parked, s.Analyzers[2].Parked = 2, 2
	s.Analyzers[2].ParkedReason = "no specimen id in O.3"
}

func fellBack(s *Snapshot) {
	s.Server.Auth = Auth{Method: "basic", Since: before(2 * time.Hour), Fallback: true, Reason: "the token endpoint answered 404"}
}

func spoolFull(s *Snapshot) {
	s.Spool.Accepting, s.Spool.Reason, s.Spool.DiskFree = false, "the disk's reserve is reached", 260<<20
}

func diskLow(s *Snapshot) {
	s.Spool.Warning, s.Spool.DiskFree = "the disk is 93 % full", 3<<30
}

// shadowed gives two analyzers a second server.
func shadowed(s *Snapshot) {
	s.Shadow = &Upstream{URL: "https://next.example.org/fhir/R4", Reachable: true, LastSuccess: before(9 * time.Second),
		Auth: Auth{Method: "basic", Since: before(5 * time.Hour)}}
	s.Analyzers[0].Shadow = &Shadow{Delivered: 1203, LastDelivered: before(9 * time.Second)}
	s.Analyzers[2].Shadow = &Shadow{Delivered: 31, LastDelivered: before(40 * time.Minute)}
}

// shadowAway is a second server that refused something, and is away now.
func shadowAway(s *Snapshot) {
	shadowed(s)
	s.Shadow.Reachable, s.Shadow.WaitingCause, s.Shadow.WaitingReason = false, CauseNetwork, "dial tcp 10.9.8.7:443: connection refused"
	s.Analyzers[2].Shadow.Refused, s.Analyzers[2].Shadow.RefusedReason, s.Analyzers[2].Shadow.LastRefused = 2, "the server answered 422", before(3*time.Hour)
}

// hostile tries to break out of the page and of the terminal.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>` + "\x1b[2J\x1b]0;owned\a\u202e\r\n{{.}}'&lt;"

// state is one state of the agent that people see.
type state struct {
	name     string
	snapshot Snapshot
	arrivals []Arrival
}

// states are all that a person may meet, for the tests of page and table.
func states() []state {
	var arrivals []Arrival
	for i, r := range [][4]string{
		{"xn-550", "WBC", "6.84", "10*9/L"}, {"xn-550", "HGB", "142", "g/L"}, {"cobas-c311", "GLU", "5.31", "mmol/L"},
		{"cobas-c311", "CREA", "71", "umol/L"}, {"bc-5380", "PLT", "251", "10*9/L"}, {"gem-5000", "pH", "7.41", ""},
		{"gem-5000", "pO2", "11.9", "kPa"},
	} {
		arrivals = append(arrivals, Arrival{before(time.Duration(i*2) * time.Second), r[0], r[1], r[2], r[3], fmt.Sprintf("DEMO-%04d", 217-i)})
	}
	return []state{
		{name: "well", snapshot: healthy()},
		{name: "fresh", snapshot: with(func(s *Snapshot) {
			*s = Snapshot{Agent: s.Agent, Server: Upstream{URL: s.Server.URL}, Spool: Spool{Accepting: true, DiskFree: 1 << 36},
				Analyzers: []Analyzer{{Name: "xn-550", Driver: "astm", Link: LinkListening, Since: before(time.Minute)}}}
		})},
		{name: "nothing", snapshot: with(func(s *Snapshot) { s.Analyzers = nil })},
		{name: "analyzer-down", snapshot: with(func(s *Snapshot) { linkDown(s, 0); s.Analyzers[1].Link = LinkListening })},
		{name: "server-down", snapshot: with(serverAway)},
		{name: "forbidden", snapshot: with(func(s *Snapshot) {
			serverAway(s)
			s.Server.Reachable, s.Server.WaitingCause, s.Server.WaitingReason = true, CauseForbidden, "the server answered 403 Forbidden to a create of Observation"
		})},
		{name: "parked", snapshot: with(parkedTwo)},
		{name: "silent", snapshot: with(func(s *Snapshot) { s.Analyzers[1].Silent, s.Analyzers[1].SilentUsually = 100000, 54000 })},
		{name: "fallback", snapshot: with(fellBack)},
		{name: "spool-full", snapshot: with(spoolFull)},
		{name: "disk-low", snapshot: with(diskLow)},
		{name: "shadow", snapshot: with(shadowed)},
		{name: "shadow-away", snapshot: with(shadowAway)},
		{name: "everything", snapshot: with(func(s *Snapshot) {
			linkDown(s, 0)
			serverAway(s)
			parkedTwo(s)
			fellBack(s)
			spoolFull(s)
		})},
		{name: "demo", snapshot: healthy(), arrivals: arrivals},
		{name: "hostile", snapshot: with(func(s *Snapshot) {
			linkDown(s, 0)
			a := &s.Analyzers[0]
			a.Name, a.Driver, a.Port, a.Peer, a.Reason, a.WaitingReason, a.Parked, a.ParkedReason =
				hostile, hostile, hostile, hostile, hostile, hostile, 1, hostile
			a.Counters = map[string]uint64{hostile: 1 << 63}
			a.Delivered, a.Queued = 1<<64-1, 1<<62
			s.Agent.Name, s.Agent.Version, s.Spool.Reason, s.Spool.Warning = hostile, hostile, hostile, hostile
			s.Server.URL, s.Server.WaitingReason, s.Server.Auth.Reason = "https://u:secret@x/"+hostile, hostile, hostile
			s.Server.Auth.Method, s.Server.Auth.Fallback = hostile, true
			shadowAway(s)
			s.Shadow.URL, s.Shadow.WaitingReason, s.Shadow.Auth.Method, s.Shadow.Auth.Reason = "https://u:secret@x/"+hostile, hostile, hostile, hostile
			s.Analyzers[2].Shadow.RefusedReason = hostile
			s.Analyzers[1].Name = "検査室の分析装置その一番と二番と三番"
			s.Analyzers[1].Link = hostile
			s.Analyzers[2].Name = "an-analyzer-with-a-name-that-somebody-found-funny-to-make-this-long"
		}), arrivals: []Arrival{{before(0), hostile, hostile, hostile, hostile, hostile}}},
	}
}
