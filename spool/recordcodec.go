package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
)

// A record's value:
//
//	0   version (1)
//	1   flags
//	2   two zero bytes
//	4   CRC32C over the seq (8 bytes) and everything here but itself
//	8   lane id
//	12  digest tag (17)
//	29  body, or, sealed: key id (8), nonce (12), AES-256-GCM of the body
//
// and its body:
//
//	0   occurrence
//	4   stage, and 128 if the payload is packed
//	5   received, UnixNano
//	13  session
//	21  SHA-256 of the payload
//	53  kind and fault, each after its length in two bytes; then the payload
//
// That the payload is packed stands in the body, where a seal covers it.
const (
	recordVersion = 1
	flagSealed    = 1
	recordHead    = 29
	bodyHead      = 53
	packedPayload = 0x80
)

// rawRecord is a record's value with its checksum verified.
type rawRecord struct {
	lane uint32
	tag  tag
	body []byte // still sealed if sealed
	flag byte
}

// encodeBody lays out head and body in one buffer with room for a seal. The
// writer fills in what only it knows: lane, occurrence, checksum.
func encodeBody(r *Record, t tag) []byte {
	kind, fault, stage := clip(r.Kind), clip(r.Fault), byte(r.Stage)
	p := packers.Get().(*packer)
	defer p.done()
	stored, packed := p.pack(r.Payload)
	if packed {
		stage |= packedPayload
	}
	v := make([]byte, recordHead, recordHead+bodyHead+4+len(kind)+len(fault)+len(stored))
	v[0] = recordVersion
	copy(v[12:], t[:])
	v = binary.BigEndian.AppendUint32(v, 0)
	v = append(v, stage)
	v = binary.BigEndian.AppendUint64(v, uint64(r.Received.UnixNano()))
	v = binary.BigEndian.AppendUint64(v, r.Session)
	v = append(v, r.Digest[:]...)
	for _, s := range []string{kind, fault} {
		v = binary.BigEndian.AppendUint16(v, uint16(len(s)))
		v = append(v, s...)
	}
	return append(v, stored...)
}

// clip keeps a text inside the two bytes that tell its length.
func clip(s string) string { return s[:min(len(s), 4096)] }

// finishRecord completes what encodeBody began. It may return another buffer.
func finishRecord(v []byte, q Seq, lane, occurrence uint32, k *keyring) ([]byte, error) {
	binary.BigEndian.PutUint32(v[8:], lane)
	binary.BigEndian.PutUint32(v[recordHead:], occurrence)
	if k != nil {
		sealed, err := k.seal(v[:recordHead:recordHead], v[recordHead:], recordAD(q, lane))
		if err != nil {
			return nil, err
		}
		v = sealed
		v[1] |= flagSealed
	}
	binary.BigEndian.PutUint32(v[4:], recordCRC(q, v))
	return v, nil
}

// recordAD binds a sealed body to its place: moved elsewhere it does not open.
func recordAD(q Seq, lane uint32) []byte {
	return binary.BigEndian.AppendUint32(seqKey(q), lane)
}

func recordCRC(q Seq, v []byte) uint32 {
	crc := crc32.Checksum(seqKey(q), castagnoli)
	crc = crc32.Update(crc, castagnoli, v[:4])
	return crc32.Update(crc, castagnoli, v[8:])
}

// openRecord verifies a record's checksum. The result points into v.
func openRecord(q Seq, v []byte) (rawRecord, error) {
	if len(v) < recordHead || v[0] != recordVersion || recordCRC(q, v) != binary.BigEndian.Uint32(v[4:]) {
		return rawRecord{}, errCorrupt
	}
	return rawRecord{
		lane: binary.BigEndian.Uint32(v[8:]),
		tag:  tag(v[12:recordHead]),
		body: v[recordHead:],
		flag: v[1],
	}, nil
}

// decodeRecord reads a verified record. The payload is copied if withPayload,
// and otherwise nil; size is its length in any case.
func decodeRecord(q Seq, v []byte, k *keyring, withPayload bool) (r Record, size int, err error) {
	raw, err := openRecord(q, v)
	if err != nil {
		return r, 0, err
	}
	body := raw.body
	if raw.flag&flagSealed != 0 {
		if body, err = k.open(body, recordAD(q, raw.lane)); err != nil {
			return r, 0, err
		}
	}
	if len(body) < bodyHead+4 {
		return r, 0, errCorrupt
	}
	r.Seq = q
	r.Occurrence = binary.BigEndian.Uint32(body)
	r.Stage = Stage(body[4] &^ packedPayload)
	r.Received = fromNano(int64(binary.BigEndian.Uint64(body[5:])))
	r.Session = binary.BigEndian.Uint64(body[13:])
	copy(r.Digest[:], body[21:])
	rest := body[bodyHead:]
	for _, p := range []*string{&r.Kind, &r.Fault} {
		if len(rest) < 2 {
			return r, 0, errCorrupt
		}
		n := int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; n > len(rest) {
			return r, 0, errCorrupt
		}
		*p, rest = string(rest[:n]), rest[n:]
	}
	r.Payload, size, err = readPayload(rest, body[4]&packedPayload != 0, withPayload)
	if err == nil && withPayload && sha256.Sum256(r.Payload) != r.Digest {
		err = errCorrupt // unpacked to other bytes than were packed
	}
	return r, size, err
}
