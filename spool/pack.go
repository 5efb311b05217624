package spool

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/s2"
)

// A payload is stored packed where that is shorter: as one block of S2, which is
// Snappy's format and a little more. Messages of 2 KiB as analyzers send them come
// to 1.1 KiB, so that three of them share a page of 4 KiB, where each would have
// one for itself: there are fewer pages to write, and the file is smaller.

// pooledBytes bounds the buffers that are kept for later payloads.
const pooledBytes = 64 << 10

// packer has the buffers that packing takes.
type packer struct{ packed, back []byte }

var packers = sync.Pool{New: func() any { return new(packer) }}

// done gives the packer back, unless it has grown large.
func (p *packer) done() {
	if cap(p.packed) <= pooledBytes {
		packers.Put(p)
	}
}

// pack returns a payload as it is to be stored, good until done, and whether that is
// packed. What was packed is unpacked again before it counts: a fault in S2 must not
// cost a message.
func (p *packer) pack(payload []byte) (stored []byte, packed bool) {
	if s2.MaxEncodedLen(len(payload)) < 0 { // longer than S2 can take
		return payload, false
	}
	p.packed = s2.Encode(p.packed[:cap(p.packed)], payload)
	if len(p.packed) >= len(payload) {
		return payload, false
	}
	back, err := s2.Decode(p.back[:cap(p.back)], p.packed)
	if err != nil || !bytes.Equal(back, payload) {
		return payload, false
	}
	p.back = back
	return p.packed, true
}

// readPayload returns a copy of a payload, or nil if it is not wanted, and its
// length in any case.
func readPayload(stored []byte, packed, wanted bool) (payload []byte, size int, err error) {
	switch {
	case packed && !wanted:
		size, err = s2.DecodedLen(stored)
	case packed:
		payload, err = s2.Decode(nil, stored)
		size = len(payload)
	case !wanted:
		size = len(stored)
	default:
		payload = append(make([]byte, 0, len(stored)), stored...)
		size = len(payload)
	}
	if err != nil {
		return nil, 0, errCorrupt
	}
	return payload, size, nil
}
