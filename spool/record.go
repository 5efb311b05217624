package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Seq numbers the records of a spool in the order in which they were stored.
// It only grows; numbers may be left out.
type Seq uint64

// Key is a message's identity beyond the spool: SHA-256 over source, payload
// digest and occurrence. It does not change when a message is sent again.
type Key [32]byte

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// brokenTag keeps the keys of broken messages apart from those of whole ones
// with the same bytes.
const brokenTag = "broken"

// MessageKey derives the key of the given occurrence of a payload.
func MessageKey(lane string, stage Stage, digest [32]byte, occurrence uint32) Key {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(lane)))
	b = append(b, lane...)
	b = append(b, digest[:]...)
	b = binary.BigEndian.AppendUint32(b, occurrence)
	if stage == Broken {
		b = append(b, brokenTag...)
	}
	return sha256.Sum256(b)
}

// State is where a record is on its way.
type State uint8

const (
	// Any is no state: in a Query it stands for all of them.
	Any State = iota

	// Waiting: in its lane, to be delivered.
	Waiting

	// Parked: kept for a person.
	Parked

	// Delivered: done with; kept as history until retention removes it.
	Delivered

	// Discarded: given up by a person; kept as history like Delivered.
	Discarded

	// Drafted: a message that is still coming in.
	Drafted
)

func (s State) String() string {
	switch s {
	case Any:
		return "any"
	case Waiting:
		return "waiting"
	case Parked:
		return "parked"
	case Delivered:
		return "delivered"
	case Discarded:
		return "discarded"
	case Drafted:
		return "draft"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// ParseState reads what State.String writes.
func ParseState(s string) (State, error) {
	for st := Any; st <= Drafted; st++ {
		if st.String() == s {
			return st, nil
		}
	}
	return Any, fmt.Errorf("state %q: want any, waiting, parked, delivered, discarded or draft", s)
}

// Stage says how much of a message is there.
type Stage uint8

const (
	// Complete: the whole message. It waits in its lane.
	Complete Stage = iota

	// Draft: what has come so far of a message that is acknowledged piece by
	// piece. It replaces the earlier draft of its lane and session.
	Draft

	// Broken: a message that ended before it was whole. It is parked at once.
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
	return fmt.Sprintf("stage %d", uint8(s))
}

// Record is one stored message. Put reads Lane, Kind, Received, Payload,
// Stage, Fault and Session; the spool sets the rest.
type Record struct {
	Lane     string    // the analyzer's name
	Kind     string    // the driver that reads it
	Received time.Time // when its last byte came; zero: now
	Payload  []byte    // the bytes as they came; Put keeps no reference
	Stage    Stage
	Fault    string // for Broken: why it is not whole, without patient data
	Session  uint64 // which connection a draft came over

	Seq        Seq
	Key        Key
	Digest     [32]byte // SHA-256 of Payload
	Occurrence uint32

	// Given is what a person added, by word; nil for most. It can be patient
	// data, as Payload is.
	Given map[string]string
	Status
}

// Status is what has become of a record.
type Status struct {
	State   State
	Changed time.Time // when it came into State
	Retries uint32    // how often it was put back to its lane

	Receipt *Receipt // for Delivered
	Reason  *Reason  // for Parked and Discarded

	Duplicates    uint64    // how often the analyzer sent it again
	LastDuplicate time.Time // when it did last
}

// Info is a record without its payload.
type Info struct {
	Lane     string
	Kind     string
	Received time.Time
	Size     int // of the payload, in bytes; -1 when it is Damaged
	Stage    Stage
	Fault    string

	Seq        Seq
	Key        Key
	Digest     [32]byte
	Occurrence uint32
	Status

	// Damaged: the stored bytes fail their checksum. Everything but Seq, Lane
	// and Status is then unknown.
	Damaged bool
}

// Outcomes of a Receipt.
const (
	OutcomeDelivered = "delivered" // the server has it
	OutcomeKept      = "kept"      // nothing of it is to be sent: QC, queries
	OutcomeDropped   = "dropped"   // nor kept: it goes as soon as its bytes cannot be a re-send
)

// Receipt says how a record was done with.
type Receipt struct {
	At        time.Time `json:"at,omitzero"` // zero: now
	Outcome   string    `json:"outcome,omitempty"`
	Note      string    `json:"note,omitempty"`
	Resources []string  `json:"resources,omitempty"` // "Observation/123"
}

// Reason says why a record was parked or discarded, without patient data.
type Reason struct {
	At   time.Time `json:"at,omitzero"` // zero: now
	Code string    `json:"code"`        // a word for machines: "unparsable", "rejected"
	Text string    `json:"text,omitempty"`
}

// Codes of the reasons that the spool itself gives.
const (
	CodeBroken   = "broken"   // the message was not whole
	CodeDamaged  = "damaged"  // the stored bytes fail their checksum
	CodeSalvaged = "salvaged" // found in a damaged file, its state unknown
)

func (r Record) info() Info {
	return Info{
		Lane: r.Lane, Kind: r.Kind, Received: r.Received, Size: len(r.Payload), Stage: r.Stage, Fault: r.Fault,
		Seq: r.Seq, Key: r.Key, Digest: r.Digest, Occurrence: r.Occurrence, Status: r.Status,
	}
}
