package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"time"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("checksum or length is wrong")

// Every small value is sealed with a CRC32C over its key and itself: bbolt
// has no checksum on its data pages, and a value on the wrong key is as bad as
// a wrong value.
func sealSmall(key, value []byte) []byte {
	crc := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(value)), crc), value...)
}

func openSmall(key, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, errCorrupt
	}
	crc := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, sealed[4:])
	if crc != binary.BigEndian.Uint32(sealed) {
		return nil, errCorrupt
	}
	return sealed[4:], nil
}

// laneHead is what is known of a lane without counting.
type laneHead struct {
	id   uint32
	name string

	waiting, parked, history uint64 // records in that state now
	delivered, discarded     uint64 // ever
	duplicates               uint64 // ever
	historyBytes             uint64
	lastArrival              int64 // UnixNano

	// floor is the occurrence that bytes get which the digest index does not
	// know. Forgetting an entry raises it past the entry's occurrence, so that
	// no occurrence is ever given out twice.
	floor uint32
}

func (h *laneHead) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(h.name)))
	b = append(b, h.name...)
	for _, n := range []uint64{h.waiting, h.parked, h.history, h.delivered, h.discarded, h.duplicates, h.historyBytes, uint64(h.lastArrival), uint64(h.floor)} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeLaneHead(id uint32, b []byte) (laneHead, error) {
	h := laneHead{id: id}
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return h, errCorrupt
	}
	h.name, b = string(b[used:used+int(n)]), b[used+int(n):]
	var last, floor uint64
	for _, p := range []*uint64{&h.waiting, &h.parked, &h.history, &h.delivered, &h.discarded, &h.duplicates, &h.historyBytes, &last, &floor} {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return h, errCorrupt
		}
		*p, b = v, b[used:]
	}
	h.lastArrival, h.floor = int64(last), uint32(floor)
	return h, nil
}

// waitingEntry is kept short: a long backlog is made of them.
type waitingEntry struct {
	since   int64 // UnixNano: since when it waits
	retries uint32
	counted bool   // was counted as delivered before
	given   []byte // see Spool.Give
}

func (e waitingEntry) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(e.since))
	if e.retries > 0 || e.counted || len(e.given) > 0 {
		b = binary.BigEndian.AppendUint32(b, e.retries)
		b = append(b, boolByte(e.counted))
	}
	return append(b, e.given...)
}

func decodeWaiting(b []byte) (waitingEntry, error) {
	switch n := len(b); {
	case n == 8:
		return waitingEntry{since: int64(binary.BigEndian.Uint64(b))}, nil
	case n >= 13:
		return waitingEntry{
			since:   int64(binary.BigEndian.Uint64(b)),
			retries: binary.BigEndian.Uint32(b[8:]),
			counted: b[12] != 0,
			given:   append([]byte(nil), b[13:]...),
		}, nil
	}
	return waitingEntry{}, errCorrupt
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// stateEntry is the state of a record that does not wait.
type stateEntry struct {
	State   State    `json:"s"`
	At      int64    `json:"t"`
	Expiry  int64    `json:"x,omitempty"` // its time in the expiry bucket
	Retries uint32   `json:"n,omitempty"`
	Counted bool     `json:"c,omitempty"`
	Size    uint64   `json:"z,omitempty"` // of the stored record, for the quota
	Receipt *Receipt `json:"r,omitempty"`
	Reason  *Reason  `json:"w,omitempty"`
	Given   []byte   `json:"g,omitempty"` // see Spool.Give
}

// dropped reports whether nobody wants the record kept.
func (e stateEntry) dropped() bool { return e.Receipt != nil && e.Receipt.Outcome == OutcomeDropped }

func (e stateEntry) encode() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		// Only a time past the year 9999 cannot be written.
		e.Receipt, e.Reason = nil, nil
		b, _ = json.Marshal(e)
	}
	return b
}

// peekState reads the state alone of a stateEntry as it is stored: a walk past a
// million entries cannot decode each. It believes bytes whose checksum it has not
// looked at; Any: it cannot tell.
func peekState(sealed []byte) State {
	const before = `{"s":`
	if len(sealed) < 4+len(before)+1 || string(sealed[4:4+len(before)]) != before {
		return Any
	}
	if n := sealed[4+len(before)]; n > '0' && n <= '9' {
		return State(n - '0')
	}
	return Any
}

func decodeState(b []byte) (e stateEntry, err error) {
	if json.Unmarshal(b, &e) != nil {
		return e, errCorrupt
	}
	return e, nil
}

// digestEntry is the newest occurrence of some bytes in a lane.
type digestEntry struct {
	seq        Seq
	occurrence uint32
	last       int64 // UnixNano of the last arrival; 0: closed, the next arrival is a new occurrence
	duplicates uint32
}

const digestEntryLen = 24

func (e digestEntry) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, digestEntryLen), uint64(e.seq))
	b = binary.BigEndian.AppendUint32(b, e.occurrence)
	b = binary.BigEndian.AppendUint64(b, uint64(e.last))
	return binary.BigEndian.AppendUint32(b, e.duplicates)
}

func decodeDigest(b []byte) (digestEntry, error) {
	if len(b) != digestEntryLen {
		return digestEntry{}, errCorrupt
	}
	return digestEntry{
		seq:        Seq(binary.BigEndian.Uint64(b)),
		occurrence: binary.BigEndian.Uint32(b[8:]),
		last:       int64(binary.BigEndian.Uint64(b[12:])),
		duplicates: binary.BigEndian.Uint32(b[20:]),
	}, nil
}

type expiryEntry struct {
	lane uint32
	size uint64
}

func (e expiryEntry) encode() []byte {
	return binary.BigEndian.AppendUint64(laneKey(e.lane), e.size)
}

func decodeExpiry(b []byte) (expiryEntry, error) {
	if len(b) != 12 {
		return expiryEntry{}, errCorrupt
	}
	return expiryEntry{lane: binary.BigEndian.Uint32(b), size: binary.BigEndian.Uint64(b[4:])}, nil
}

func fromNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
