package drivers

import "time"

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

	// Counters are the driver's own: "noise_bytes", "checksum_errors".
	Counters map[string]uint64
}
