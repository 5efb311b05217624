package spool

import (
	"fmt"
)

// deadDraft is what is told of a draft whose process is gone.
const deadDraft = "the agent stopped while the message was coming in; it may be whole"

// endDrafts parks the drafts that a dead process left. They come after all
// that it stored.
func (s *Spool) endDrafts(t *txn) error {
	type left struct{ key, value []byte }
	var all []left
	err := t.b[drafts].ForEach(func(k, v []byte) error {
		all = append(all, left{append([]byte(nil), k...), append([]byte(nil), v...)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range all {
		if err := t.endDraft(l.key, l.value); err != nil {
			return fmt.Errorf("park draft: %w", err)
		}
	}
	return nil
}

func (t *txn) endDraft(key, value []byte) error {
	id, _, ok := splitLaneSeq(key)
	if !ok || len(value) < 8 {
		return t.del(drafts, key)
	}
	h, err := t.laneByID(id)
	if err != nil {
		return err
	}
	q := Seq(be64(value))
	r, _, err := decodeRecord(q, value[8:], t.s.keys, true)
	if err != nil {
		if err := t.lost(Range{Lane: h.name, From: q, To: q, Count: 1}); err != nil {
			return err
		}
		return t.del(drafts, key)
	}
	r.Lane, r.Stage, r.Fault = h.name, Broken, deadDraft
	p := &pendingPut{
		lane: r.Lane, stage: Broken, session: r.Session, fault: r.Fault,
		digest: r.Digest, tag: t.s.tagOf(Broken, r.Digest), received: r.Received,
	}
	p.value = encodeBody(&r, p.tag)
	return p.apply(t) // which also removes the draft
}
