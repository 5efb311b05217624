package admin

import (
	"encoding/hex"
	"time"

	"github.com/labcourier/labcourier/spool"
)

// Message is a stored message without its content.
type Message struct {
	Seq        spool.Seq      `json:"seq"`
	Analyzer   string         `json:"analyzer"`
	Driver     string         `json:"driver"`
	State      string         `json:"state"` // waiting, parked, delivered, discarded
	Stage      string         `json:"stage"` // complete, broken
	Received   time.Time      `json:"received"`
	Changed    time.Time      `json:"changed"`
	Bytes      int            `json:"bytes"`
	Digest     string         `json:"digest"` // the first 8 bytes of the payload's SHA-256
	Key        string         `json:"key"`    // begins the identifiers on the server
	Duplicates uint64         `json:"duplicates"`
	Retries    uint32         `json:"retries"`
	Damaged    bool           `json:"damaged"`
	Reason     *spool.Reason  `json:"reason,omitempty"`
	Receipt    *spool.Receipt `json:"receipt,omitempty"`
}

// Held reports whether the message waits for a specimen id, which
// [Client.SetSpecimen] gives it.
func (m Message) Held() bool {
	return m.State == spool.Parked.String() && m.Reason != nil && m.Reason.Code == codeHeld
}

// Content is a message with what the analyzer sent: patient data.
type Content struct {
	Message
	Payload []byte `json:"payload"`

	// Given is what a person added, by word: see [GivenSpecimen].
	Given map[string]string `json:"given,omitempty"`
}

func describe(i spool.Info) Message {
	return Message{
		Seq: i.Seq, Analyzer: i.Lane, Driver: i.Kind, State: i.State.String(), Stage: i.Stage.String(),
		Received: i.Received, Changed: i.Changed, Bytes: i.Size,
		Digest: hex.EncodeToString(i.Digest[:8]), Key: i.Key.String(),
		Duplicates: i.Duplicates, Retries: i.Retries, Damaged: i.Damaged,
		Reason: i.Reason, Receipt: i.Receipt,
	}
}

func describeRecord(r spool.Record) Message {
	return describe(spool.Info{
		Lane: r.Lane, Kind: r.Kind, Received: r.Received, Size: len(r.Payload), Stage: r.Stage, Fault: r.Fault,
		Seq: r.Seq, Key: r.Key, Digest: r.Digest, Occurrence: r.Occurrence, Status: r.Status,
	})
}
