package spool

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// maxLaneName bounds what a lane may be called.
const maxLaneName = 255

// Put stores r and returns nil only when it is on stable storage.
//
// A Complete record waits in its lane. A Broken one is parked with its Fault
// as the reason. A Draft replaces the earlier draft of its lane and session,
// and ends with the Complete or Broken record of the same lane and session.
//
// Complete bytes that came from the same lane within the resend window are a
// re-send: they are counted as a duplicate of the first, whose Seq is
// returned, as durably as a first time. Broken ones are compared with broken
// ones only. An error, that of ctx included, means that r must not be
// acknowledged; it may be stored all the same, and sending it again is safe.
func (s *Spool) Put(ctx context.Context, r Record) (Seq, error) {
	p, o, err := s.pending(ctx, r)
	if err == nil {
		err = s.submitOp(ctx, o)
	}
	if err != nil {
		return 0, fmt.Errorf("put record of %s: %w", r.Lane, err)
	}
	return p.seq, nil
}

// PutAll is Put for records that came together: they are stored in their order,
// in one commit where they fit into one. An error means that none of them must be
// acknowledged; some may be stored all the same.
func (s *Spool) PutAll(ctx context.Context, records []Record) ([]Seq, error) {
	puts, ops := make([]*pendingPut, len(records)), make([]*op, len(records))
	for i, r := range records { // all of them are looked at before the first is stored
		var err error
		if puts[i], ops[i], err = s.pending(ctx, r); err != nil {
			return nil, fmt.Errorf("put record of %s: %w", r.Lane, err)
		}
	}
	for i, o := range ops {
		if err := s.enqueue(o); err != nil {
			return nil, fmt.Errorf("put record of %s: %w", records[i].Lane, err)
		}
	}
	seqs := make([]Seq, len(records))
	for i, o := range ops {
		if err := s.await(ctx, o); err != nil {
			return nil, fmt.Errorf("put record of %s: %w", records[i].Lane, err)
		}
		seqs[i] = puts[i].seq
	}
	return seqs, nil
}

// pending checks r and makes the change that stores it.
func (s *Spool) pending(ctx context.Context, r Record) (*pendingPut, *op, error) {
	if err := s.checkPut(ctx, &r); err != nil {
		return nil, nil, err
	}
	if r.Received.IsZero() {
		r.Received = s.opt.Now()
	}
	r.Digest = sha256.Sum256(r.Payload)
	p := &pendingPut{
		lane: r.Lane, stage: r.Stage, session: r.Session, fault: clip(r.Fault),
		digest: r.Digest, tag: s.tagOf(r.Stage, r.Digest), received: r.Received,
	}
	p.value = encodeBody(&r, p.tag)
	return p, &op{bytes: len(p.value), apply: p.apply, verify: p.verify}, nil
}

func (s *Spool) checkPut(ctx context.Context, r *Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Lane == "" || len(r.Lane) > maxLaneName {
		return fmt.Errorf("a lane's name has 1 to %d bytes, not %d", maxLaneName, len(r.Lane))
	}
	if r.Stage > Broken {
		return errors.New("unknown " + r.Stage.String())
	}
	if s.set().MaxPayload > 0 && len(r.Payload) > s.set().MaxPayload {
		return fmt.Errorf("%d bytes, at most %d: %w", len(r.Payload), s.set().MaxPayload, ErrTooLarge)
	}
	return s.Accepting()
}

// tagOf is what the digest index knows of some bytes. Its first byte keeps
// broken messages in a space of their own.
func (s *Spool) tagOf(stage Stage, digest [32]byte) tag {
	return tagWith(*s.secret.Load(), stage, digest)
}

func tagWith(secret [32]byte, stage Stage, digest [32]byte) (t tag) {
	if stage == Broken {
		t[0] = 1
	}
	mac := hmac.New(sha256.New, secret[:])
	mac.Write(digest[:])
	var sum [32]byte
	copy(t[1:], mac.Sum(sum[:0]))
	return t
}

// pendingPut is a record on its way through the writer.
type pendingPut struct {
	lane     string
	stage    Stage
	session  uint64
	fault    string
	digest   [32]byte
	tag      tag
	received time.Time
	value    []byte // as encodeBody left it

	seq    Seq // the answer
	laneID uint32
}

func (p *pendingPut) apply(t *txn) error {
	h, err := t.lane(p.lane, true)
	if err != nil {
		return err
	}
	p.laneID = h.id
	h.lastArrival = p.received.UnixNano()
	if p.stage == Draft {
		return p.draft(t, h)
	}
	if err := p.endDraft(t, h); err != nil {
		return err
	}
	key := tagKey(h.id, p.tag)
	known, occurrence := t.known(h, key)
	if known != nil && p.inWindow(t, *known) {
		if t.holds(*known, p.digest) {
			known.duplicates++
			known.last = max(known.last, p.received.UnixNano())
			h.duplicates++
			p.seq = known.seq
			return t.setDigest(key, *known)
		}
		// The first cannot be read any more and must not swallow this one, which
		// takes over its identity: if it was delivered, the server knows it.
		occurrence = known.occurrence
	}
	return p.store(t, h, key, occurrence)
}

// known looks bytes up in the digest index and tells which occurrence they
// are if they are no re-send. An entry that fails its checksum counts as
// forgotten.
func (t *txn) known(h *laneHead, key []byte) (*digestEntry, uint32) {
	e, err := t.digest(key)
	if err != nil {
		h.floor += lostEntryStep
		return nil, h.floor
	}
	if e == nil {
		return nil, h.floor
	}
	return e, e.occurrence + 1
}

// lostEntryStep is more than one message's bytes ever came as new: what a lost
// entry had counted up to is not known.
const lostEntryStep = 1 << 16

func (p *pendingPut) inWindow(t *txn, e digestEntry) bool {
	window := t.s.set().window(p.lane)
	return window > 0 && e.last != 0 && p.received.Sub(time.Unix(0, e.last)) < window
}

// holds tells whether the entry's record is really there, with these bytes.
func (t *txn) holds(e digestEntry, digest [32]byte) bool {
	r, _, err := decodeRecord(e.seq, t.b[records].Get(seqKey(e.seq)), t.s.keys, false)
	return err == nil && r.Digest == digest
}

func (p *pendingPut) store(t *txn, h *laneHead, key []byte, occurrence uint32) error {
	seq, err := t.nextSeq()
	if err != nil {
		return err
	}
	v, err := finishRecord(p.value, seq, h.id, occurrence, t.s.keys)
	if err != nil {
		return err
	}
	if err := t.putRaw(records, seqKey(seq), v); err != nil {
		return err
	}
	t.addDigest(key, digestEntry{seq: seq, occurrence: occurrence, last: p.received.UnixNano()}, len(v))
	p.seq = seq
	if p.stage == Broken {
		return t.park(h, seq, stateEntry{Size: uint64(len(v))}, &Reason{At: p.received, Code: CodeBroken, Text: p.fault})
	}
	return t.arrive(h, seq, p.received.UnixNano())
}

// A draft is stored under its session, with its seq before the record.
func (p *pendingPut) draft(t *txn, h *laneHead) error {
	seq, err := t.nextSeq()
	if err != nil {
		return err
	}
	v, err := finishRecord(p.value, seq, h.id, 0, t.s.keys)
	if err != nil {
		return err
	}
	p.seq = seq
	return t.putRaw(drafts, laneSeqKey(h.id, p.session), append(seqKey(seq), v...))
}

func (p *pendingPut) endDraft(t *txn, h *laneHead) error {
	key := laneSeqKey(h.id, p.session)
	if !t.has(drafts, key) {
		return nil
	}
	return t.del(drafts, key)
}

// verify finds the record that apply stored, or the first of it, whole in the
// file.
func (p *pendingPut) verify(v *view) error {
	value := v.b[records].Get(seqKey(p.seq))
	if p.stage == Draft {
		id := p.laneID
		if value = v.b[drafts].Get(laneSeqKey(id, p.session)); len(value) > 8 {
			value = value[8:]
		}
	}
	_, err := openRecord(p.seq, value)
	return err
}
