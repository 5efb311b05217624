package spool

import "time"

// pruneBatch bounds how much one transaction removes, so that a Put never
// waits long for it.
const pruneBatch = 256

// prune removes history past its time or over the quota, oldest first. Parked
// and waiting records are never looked at.
func (s *Spool) prune() {
	for s.healthy() == nil {
		var more bool
		o := &op{done: make(chan error, 1), apply: func(t *txn) (err error) {
			if more, err = t.prune(pruneBatch); err != nil || more {
				return err
			}
			more, err = t.pruneAudit(pruneBatch)
			return err
		}}
		s.commitGroup(o)
		if err := <-o.done; err != nil || !more {
			return
		}
	}
}

// prune removes up to n records and tells whether it stopped because of n.
func (t *txn) prune(n int) (more bool, err error) {
	now := t.s.opt.Now()
	over := t.s.overQuota()
	progress := false // without it all of these were put off
	type item struct {
		key, value []byte
	}
	var items []item
	c := t.b[expiry].Cursor()
	for k, v := c.First(); k != nil && len(items) < n; k, v = c.Next() {
		items = append(items, item{append([]byte(nil), k...), append([]byte(nil), v...)})
	}
	for _, it := range items {
		at, q, ok := splitExpiry(it.key)
		if !ok {
			if err := t.del(expiry, it.key); err != nil {
				return false, err
			}
			continue
		}
		old := t.s.set().Retain > 0 && now.Sub(at) >= t.s.set().Retain
		if !old && over <= 0 {
			return false, nil
		}
		freed, err := t.forget(it.key, it.value, q, now)
		if err != nil {
			return false, err
		}
		over -= freed
		progress = progress || freed > 0
	}
	return progress && len(items) == n, nil
}

// overQuota is by how many bytes history exceeds Options.RetainBytes.
func (s *Spool) overQuota() int64 {
	if s.set().RetainBytes <= 0 {
		return 0
	}
	over := -s.set().RetainBytes
	for _, h := range s.heads() {
		over += int64(h.historyBytes)
	}
	return over
}

// forget removes one record of the history with all that points at it, or,
// while its bytes may still be sent again, puts the removal off.
func (t *txn) forget(key, value []byte, q Seq, now time.Time) (freed int64, err error) {
	sealed, err := openSmall(key, value)
	if err != nil {
		return 0, t.del(expiry, key) // the record stays; nothing says whose it is
	}
	e, err := decodeExpiry(sealed)
	if err != nil {
		return 0, t.del(expiry, key)
	}
	h, err := t.laneByID(e.lane)
	if err != nil || h == nil {
		return 0, t.del(expiry, key)
	}
	until, err := t.forgetDigest(h, q, now)
	if err != nil {
		return 0, err
	}
	if !until.IsZero() {
		return 0, t.putOff(h, q, key, until, e)
	}
	state := laneSeqKey(h.id, uint64(q))
	if t.has(history, state) {
		h.history -= min(h.history, 1)
		h.historyBytes -= min(h.historyBytes, e.size)
		if err := t.del(history, state); err != nil {
			return 0, err
		}
		if err := t.dropDiscard(q); err != nil {
			return 0, err
		}
		if err := t.del(records, seqKey(q)); err != nil {
			return 0, err
		}
	}
	return int64(e.size), t.del(expiry, key)
}

// forgetDigest removes the digest entry of record q and raises the lane's
// floor past its occurrence. While the entry is inside the resend window it
// stays, and the time of its last arrival is returned.
func (t *txn) forgetDigest(h *laneHead, q Seq, now time.Time) (until time.Time, err error) {
	raw, err := openRecord(q, t.b[records].Get(seqKey(q)))
	if err != nil {
		return time.Time{}, nil
	}
	key := tagKey(h.id, raw.tag)
	e, err := t.digest(key)
	if err != nil || e == nil || e.seq != q {
		return time.Time{}, nil // a later occurrence's
	}
	if e.last != 0 && now.Sub(time.Unix(0, e.last)) < t.s.set().window(h.name) {
		return time.Unix(0, e.last), nil
	}
	h.floor = max(h.floor, e.occurrence+1)
	return time.Time{}, t.delDigest(key)
}

// putOff moves a removal to where the bytes' last arrival puts it, behind what
// may go before.
func (t *txn) putOff(h *laneHead, q Seq, key []byte, until time.Time, e expiryEntry) error {
	at, _, _ := splitExpiry(key)
	if !until.After(at) {
		until = t.s.opt.Now()
	}
	state := laneSeqKey(h.id, uint64(q))
	b, err := t.get(history, state)
	if err != nil || b == nil {
		return t.del(expiry, key)
	}
	st, err := decodeState(b)
	if err != nil {
		return t.del(expiry, key)
	}
	if st.dropped() { // when the window is over, and not a retention later
		until = until.Add(t.s.set().window(h.name) - max(t.s.set().Retain, 0))
	}
	if err := t.del(expiry, key); err != nil {
		return err
	}
	st.Expiry = until.UnixNano()
	if err := t.put(history, state, st.encode()); err != nil {
		return err
	}
	return t.put(expiry, expiryKey(until, q), e.encode())
}
