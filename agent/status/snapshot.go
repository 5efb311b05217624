package status

import (
	"encoding/json"
	"time"
)

// Snapshot is how the agent does at one moment. It holds no patient data.
type Snapshot struct {
	Agent     Agent      `json:"agent"`
	Config    Config     `json:"config"`
	Server    Upstream   `json:"server"`
	Shadow    *Upstream  `json:"shadow,omitempty"` // the second server, nil if there is none
	Spool     Spool      `json:"spool"`
	Analyzers []Analyzer `json:"analyzers"` // in the order of the configuration
}

// Agent is the process itself.
type Agent struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Started Time   `json:"started"`
	Now     Time   `json:"now"` // when the snapshot was taken, by the agent's clock
}

// Config is the configuration in force.
type Config struct {
	Loaded  Time   `json:"loaded"`         // at the start, or by the last reload that was not refused
	Digest  string `json:"digest"`         // of the file as it was then, SHA-256
	Refused bool   `json:"reload_refused"` // the last reload was: the log says why

	// Reloads that were asked for since the start, and those of them that were
	// refused.
	Reloads        uint64 `json:"reloads"`
	ReloadsRefused uint64 `json:"reloads_refused"`

	// RestartNeeded are the keys of the file that take effect at the next start.
	RestartNeeded []string `json:"restart_needed"`
}

// MarshalJSON writes an empty list as such.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	if c.RestartNeeded == nil {
		c.RestartNeeded = []string{}
	}
	return json.Marshal(plain(c))
}

// Upstream is the FHIR server that results go to.
type Upstream struct {
	URL         string `json:"url"` // without credentials
	Reachable   bool   `json:"reachable"`
	LastSuccess Time   `json:"last_success"`

	// WaitingReason is why nothing can be delivered to the server just now, in
	// words; "" while deliveries go through, or none was tried. WaitingCause
	// sorts it.
	WaitingReason string `json:"waiting_reason"`
	WaitingCause  Cause  `json:"waiting_cause"`

	Auth      Auth      `json:"auth"`
	RateLimit RateLimit `json:"rate_limit"`
}

// Cause sorts the reasons for which deliveries wait by what a person can do.
type Cause string

const (
	CauseNone        Cause = ""            // nothing waits, or nobody knows
	CauseNetwork     Cause = "network"     // no answer: network, name, TLS, timeout
	CauseServer      Cause = "server"      // it answers, with 5xx, 429 or the like
	CauseCredentials Cause = "credentials" // it does not take the credentials (401, invalid_client)
	CauseForbidden   Cause = "forbidden"   // it knows the agent and does not let it write (403)
)

// Auth is how the agent signs in.
type Auth struct {
	Method       string `json:"method"` // in use now: "oauth2", "basic"; "" before the first sign-in
	Since        Time   `json:"since"`
	Fallback     bool   `json:"fallback"` // basic in the place of OAuth2
	Reason       string `json:"reason"`   // of the fallback, or of the last refusal
	TokenExpires Time   `json:"token_expires"`
}

// RateLimit is what the server last said of the limit that is nearest; all zero
// where it says nothing, or nothing of the present window. Limit is the most that
// was ever left, since servers tell what is left and not of how much.
type RateLimit struct {
	Limit     uint64 `json:"limit"`
	Remaining uint64 `json:"remaining"`
	Resets    Time   `json:"resets"`
}

// Spool is the store on this computer. Queued, Parked and Delivered count
// messages.
type Spool struct {
	Queued    uint64 `json:"queued"`
	Parked    uint64 `json:"parked"`
	Delivered uint64 `json:"delivered"`
	Results   uint64 `json:"results"` // results in the delivered messages; 0 where nobody counts them
	Bytes     uint64 `json:"bytes"`
	DiskFree  uint64 `json:"disk_free"`
	Accepting bool   `json:"accepting"`
	Reason    string `json:"reason"`  // why it does not accept
	Warning   string `json:"warning"` // what will stop it unless somebody acts: "disk is 92 % full"
}

// The values of Analyzer.Link; drivers have the same words.
const (
	LinkDown       = "down"       // cannot be opened, or not started
	LinkListening  = "listening"  // open for the analyzer, which is not there
	LinkConnecting = "connecting" // being opened
	LinkConnected  = "connected"  // the line is open or the analyzer is connected
)

// Analyzer is one analyzer's link and its lane. Acknowledged, Refused, Broken
// and Counters count since the agent started.
type Analyzer struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
	Port   string `json:"port"` // what the port calls itself
	Peer   string `json:"peer"` // the other end, while there is one

	Link        string `json:"link"`
	Since       Time   `json:"since"`  // when Link took its value
	Reason      string `json:"reason"` // why the link is down, or what went wrong last
	LastByte    Time   `json:"last_byte"`
	LastMessage Time   `json:"last_message"`

	Acknowledged uint64 `json:"acknowledged"`
	Refused      uint64 `json:"refused"`
	Broken       uint64 `json:"broken"` // ended before they were whole
	Duplicates   uint64 `json:"duplicates"`
	Queued       uint64 `json:"queued"`
	Parked       uint64 `json:"parked"`
	Delivered    uint64 `json:"delivered"`

	ParkedReason  string `json:"parked_reason"`  // of the newest parked message
	WaitingReason string `json:"waiting_reason"` // why this lane's oldest message waits, where the server as a whole does not
	// Shadow is how a second server does with the same messages, nil if the
	// analyzer has none. Nothing of it is in the counts above.
	Shadow *Shadow `json:"shadow,omitempty"`

	OldestWaiting int64 `json:"oldest_waiting_s"` // seconds since the oldest queued message came; 0 while none is queued

	Options []string `json:"options"` // in force, that bend the protocol's standard: "checksum = none"
	// Silent is for how long it has sent nothing, in seconds, where that is longer
	// than its habit; 0 where it is not. SilentUsually is its longest pause of the
	// last two weeks.
	Silent        int64 `json:"silent_s"`
	SilentUsually int64 `json:"silent_usually_s"`

	Counters map[string]uint64 `json:"counters"` // the driver's own
}

// Shadow is an analyzer's lane to the second server. It counts over restarts.
type Shadow struct {
	Delivered     uint64 `json:"delivered"`
	Refused       uint64 `json:"refused"`        // passed over: the server did not take them, or a person must look
	RefusedReason string `json:"refused_reason"` // of the last
	LastDelivered Time   `json:"last_delivered"`
	LastRefused   Time   `json:"last_refused"`
	WaitingReason string `json:"waiting_reason"` // why its next message does not go on its way; "" if it does
	WaitingSince  Time   `json:"waiting_since"`
}

// MarshalJSON writes empty lists and tables as such, never as null.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	type plain Snapshot
	if s.Analyzers == nil {
		s.Analyzers = []Analyzer{}
	}
	return json.Marshal(plain(s))
}

// MarshalJSON writes a missing list or table as an empty one.
func (a Analyzer) MarshalJSON() ([]byte, error) {
	type plain Analyzer
	if a.Options == nil {
		a.Options = []string{}
	}
	if a.Counters == nil {
		a.Counters = map[string]uint64{}
	}
	return json.Marshal(plain(a))
}

// now is the moment that ages are told from: the agent's clock, so that a
// reader's own clock does not matter.
func (s Snapshot) now() time.Time {
	if s.Agent.Now.IsZero() {
		return time.Now()
	}
	return s.Agent.Now.Time
}

// Time is a point in time that reads and writes as RFC 3339 in UTC with whole
// seconds, and as null when it is zero.
type Time struct{ time.Time }

// At makes a Time of t.
func At(t time.Time) Time { return Time{t} }

// MarshalJSON writes t.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.RFC3339())
}

// UnmarshalJSON reads what MarshalJSON writes, and "" as zero.
func (t *Time) UnmarshalJSON(b []byte) error {
	if s := string(b); s == "null" || s == `""` {
		*t = Time{}
		return nil
	}
	return t.Time.UnmarshalJSON(b)
}

// RFC3339 is t in text, "" when it is zero.
func (t Time) RFC3339() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
