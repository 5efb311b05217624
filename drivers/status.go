package drivers

import (
	"fmt"
	"time"
)

// LinkState is the state of an analyzer's link.
type LinkState string

const (
	LinkDown       LinkState = "down"       // cannot be opened, or not started
	LinkListening  LinkState = "listening"  // open for the analyzer, which is not there
	LinkConnecting LinkState = "connecting" // being opened
	LinkConnected  LinkState = "connected"  // the line is open or a peer is connected
)

// Status is how one analyzer's link does. It holds no patient data.
type Status struct {
	Link        LinkState
	Since       time.Time // when Link took its present value
	Port        string    // what the port calls itself
	Peer        string    // the newest connection's other end
	Reason      string    // why the link is down, or what went wrong last
	LastByte    time.Time // zero: none yet
	LastMessage time.Time // when the last message was acknowledged; zero: none yet

	Acknowledged uint64 // messages stored and acknowledged
	Refused      uint64 // frames or messages answered with a refusal
	Broken       uint64 // messages that ended before they were whole

	// Options are the options in force that bend the protocol for this analyzer,
	// as the configuration writes them: "checksum = none". Empty: it is followed
	// to the letter.
	Options []string

	// Counters are the driver's own, "noise_bytes", "checksum_errors", and what
	// the port turned away: "peers_not_allowed", "peers_displaced". Those that
	// begin with "files_" say how many files lie in a folder now.
	Counters map[string]uint64
}

// AppendOption adds an option to the list of Status.Options, unless it is unset
// or says what the standard says.
func AppendOption[T comparable](list []string, key string, value, standard T) []string {
	var unset T
	if value == unset || value == standard {
		return list
	}
	return append(list, fmt.Sprintf("%s = %v", key, value))
}
