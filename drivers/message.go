package drivers

import "time"

// Message is one analyzer message exactly as it came off the wire, unframed.
type Message struct {
	Source   string    // the analyzer's configured name
	Kind     string    // the driver that reads it
	Received time.Time // when its last byte came
	Payload  []byte    // the bytes between the framing, unchanged
	Stage    Stage
	Fault    string // for Broken: why it is not whole, in words without patient data

	// Session tells the connections of one analyzer apart while the process
	// lives. Only drafts need it: a draft replaces the earlier draft of its
	// session, and a Complete or Broken message ends it.
	Session uint64
}

// Stage says how much of a message is there.
type Stage uint8

const (
	// Complete: the whole message, to be delivered.
	Complete Stage = iota

	// Draft: all that has come so far of a message whose pieces are
	// acknowledged one by one. It is durable, but neither delivered nor parked
	// while its session lives. What a dead process left becomes Broken.
	Draft

	// Broken: the session ended before the message did. It is kept in sight for
	// a person and never delivered by itself.
	Broken
)

func (s Stage) String() string {
	switch s {
	case Complete:
		return "complete"
	case Draft:
		return "draft"
	case Broken:
		return "broken"
	}
	return "unknown"
}
