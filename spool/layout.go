package spool

import (
	"encoding/binary"
	"time"
)

// formatVersion is the layout that this code writes. A file says its own in
// the settings bucket.
const formatVersion = 5

// bucket is one of the file's buckets. The numbers are not stored.
type bucket int

const (
	settings bucket = iota // format, spool id, index secret, damage report
	lanes                  // lane id -> laneHead
	records                // seq -> record, written once
	waiting                // lane id, seq -> waitingEntry; 0, seq -> arrival
	parked                 // lane id, seq -> stateEntry
	history                // lane id, seq -> stateEntry; 0, seq -> lane id, of what was discarded
	expiry                 // time finished, seq -> lane id, size
	digests                // lane id, digest tag -> digestEntry
	drafts                 // lane id, session -> seq, record
	audit                  // number -> audit entry
	bucketCount
)

var bucketNames = [bucketCount]string{
	"settings", "lanes", "records", "waiting", "parked", "history", "expiry", "digests", "drafts", "audit",
}

// appended tells that keys only ever come at the end, so that pages may be
// filled nearly up.
func (b bucket) appended() bool {
	return b == records || b == expiry || b == audit
}

// tag is a digest as the index knows it: keyed, so that the file of an
// encrypted spool does not let anybody test a guess of a message's content.
type tag [17]byte

func seqKey(q Seq) []byte { return binary.BigEndian.AppendUint64(nil, uint64(q)) }

func laneKey(id uint32) []byte { return binary.BigEndian.AppendUint32(nil, id) }

// laneSeqKey is also the key of a draft, with its session in place of a seq.
func laneSeqKey(id uint32, n uint64) []byte {
	return binary.BigEndian.AppendUint64(laneKey(id), n)
}

func tagKey(id uint32, t tag) []byte { return append(laneKey(id), t[:]...) }

func expiryKey(at time.Time, q Seq) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(max(at.UnixNano(), 0))), uint64(q))
}

func splitLaneSeq(k []byte) (id uint32, n uint64, ok bool) {
	if len(k) != 12 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(k), binary.BigEndian.Uint64(k[4:]), true
}

func splitExpiry(k []byte) (at time.Time, q Seq, ok bool) {
	if len(k) != 16 {
		return time.Time{}, 0, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(k))), Seq(binary.BigEndian.Uint64(k[8:])), true
}
