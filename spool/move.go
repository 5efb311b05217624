package spool

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// Done says that lane's waiting record q is done with. It stays as history
// until retention removes it.
func (s *Spool) Done(lane string, q Seq, receipt Receipt) error {
	if receipt.At.IsZero() {
		receipt.At = s.opt.Now()
	}
	if receipt.Outcome == "" {
		receipt.Outcome = OutcomeDelivered
	}
	return s.move("done", lane, q, func(t *txn, h *laneHead) error {
		w, err := t.takeWaiting(h, q)
		if err != nil {
			return err
		}
		if !w.counted {
			h.delivered++
		}
		e := stateEntry{State: Delivered, Retries: w.retries, Counted: true, Given: w.given, Receipt: &receipt}
		return t.finished(h, q, e)
	})
}

// Park takes lane's waiting record q out of the queue and keeps it for a
// person. Nothing but Retry and Discard moves it on.
func (s *Spool) Park(lane string, q Seq, reason Reason) error {
	if reason.At.IsZero() {
		reason.At = s.opt.Now()
	}
	return s.move("park", lane, q, func(t *txn, h *laneHead) error {
		w, err := t.takeWaiting(h, q)
		if err != nil {
			return err
		}
		if err := t.audit(auditPark, h.name, q, reason.Code); err != nil {
			return err
		}
		return t.park(h, q, stateEntry{Retries: w.retries, Counted: w.counted, Given: w.given}, &reason)
	})
}

// Retry puts lane's parked, delivered or discarded record q back to the queue,
// at the place that its number gives it.
func (s *Spool) Retry(lane string, q Seq) error {
	return s.move("retry", lane, q, func(t *txn, h *laneHead) error {
		e, err := t.takeResting(h, q)
		if err != nil {
			return err
		}
		if err := t.audit(auditRetry, h.name, q, e.State.String()); err != nil {
			return err
		}
		h.waiting++
		w := waitingEntry{since: t.s.opt.Now().UnixNano(), retries: e.Retries + 1, counted: e.Counted, given: e.Given}
		return t.put(waiting, laneSeqKey(h.id, uint64(q)), w.encode())
	})
}

// Discard gives up lane's waiting or parked record q. It stays as history
// until retention removes it; the same bytes from the analyzer are a new
// message from now on.
func (s *Spool) Discard(lane string, q Seq, reason Reason) error {
	if reason.At.IsZero() {
		reason.At = s.opt.Now()
	}
	return s.move("discard", lane, q, func(t *txn, h *laneHead) error {
		e := stateEntry{State: Discarded, Reason: &reason}
		switch {
		case t.has(parked, laneSeqKey(h.id, uint64(q))):
			was, err := t.takeResting(h, q)
			if err != nil {
				return err
			}
			e.Retries, e.Counted, e.Given = was.Retries, was.Counted, was.Given
		default:
			w, err := t.takeWaiting(h, q)
			if err != nil {
				return err
			}
			e.Retries, e.Counted, e.Given = w.retries, w.counted, w.given
		}
		h.discarded++
		if err := t.audit(auditDiscard, h.name, q, reason.Code+": "+reason.Text); err != nil {
			return err
		}
		if err := t.closeDigest(h, q); err != nil {
			return err
		}
		return t.finished(h, q, e)
	})
}

// move runs a change of one record's state.
func (s *Spool) move(verb, lane string, q Seq, change func(*txn, *laneHead) error) error {
	err := s.submit(context.Background(), 0, func(t *txn) error {
		h, err := t.lane(lane, false)
		if err != nil {
			return err
		}
		if h == nil {
			return t.refusal(0, q)
		}
		return change(t, h)
	})
	if err != nil {
		return &RecordError{Op: verb, Lane: lane, Seq: q, Err: err}
	}
	return nil
}

// refusal finds out why record q is not where an operation needs it.
func (t *txn) refusal(lane uint32, q Seq) error {
	raw, err := openRecord(q, t.b[records].Get(seqKey(q)))
	switch {
	case err == nil && raw.lane != lane:
		return ErrWrongLane
	case t.has(records, seqKey(q)):
		return ErrWrongState
	}
	return ErrNotFound
}

func (t *txn) takeWaiting(h *laneHead, q Seq) (waitingEntry, error) {
	key, w, ok := t.waits(h.id, q)
	if !ok {
		return w, t.refusal(h.id, q)
	}
	if bytes.Equal(key, arrivalKey(q)) {
		t.arrived--
	}
	h.waiting -= min(h.waiting, 1)
	return w, t.del(waiting, key)
}

// takeResting takes a record out of parked or history.
func (t *txn) takeResting(h *laneHead, q Seq) (stateEntry, error) {
	key := laneSeqKey(h.id, uint64(q))
	from := parked
	if t.has(history, key) {
		from = history
	} else if !t.has(parked, key) {
		return stateEntry{}, t.refusal(h.id, q)
	}
	e := stateEntry{State: Parked}
	if b, err := t.get(from, key); err == nil {
		e, err = decodeState(b)
		if err != nil {
			return e, err
		}
	}
	if from == parked {
		h.parked -= min(h.parked, 1)
		return e, t.del(parked, key)
	}
	h.history -= min(h.history, 1)
	h.historyBytes -= min(h.historyBytes, e.Size)
	if err := t.dropDiscard(q); err != nil {
		return e, err
	}
	if e.Expiry != 0 {
		if err := t.del(expiry, expiryKey(time.Unix(0, e.Expiry), q)); err != nil {
			return e, err
		}
	}
	return e, t.del(history, key)
}

func (t *txn) park(h *laneHead, q Seq, e stateEntry, reason *Reason) error {
	e.State, e.At, e.Reason = Parked, t.s.opt.Now().UnixNano(), reason
	h.parked++
	return t.put(parked, laneSeqKey(h.id, uint64(q)), e.encode())
}

// finished makes a record history and notes when retention may remove it. One
// that nobody wants kept is noted as if it had been there for that long.
func (t *txn) finished(h *laneHead, q Seq, e stateEntry) error {
	now := t.s.opt.Now()
	due := now
	if e.dropped() {
		due = now.Add(-max(t.s.set().Retain, 0))
	}
	e.At, e.Expiry = now.UnixNano(), due.UnixNano()
	e.Size = uint64(len(t.b[records].Get(seqKey(q))))
	h.history++
	h.historyBytes += e.Size
	if err := t.put(history, laneSeqKey(h.id, uint64(q)), e.encode()); err != nil {
		return err
	}
	if e.State == Discarded {
		if err := t.noteDiscard(h.id, q); err != nil {
			return err
		}
	}
	return t.put(expiry, expiryKey(due, q), expiryEntry{lane: h.id, size: e.Size}.encode())
}

// closeDigest lets the next arrival of a record's bytes be a new occurrence.
func (t *txn) closeDigest(h *laneHead, q Seq) error {
	raw, err := openRecord(q, t.b[records].Get(seqKey(q)))
	if err != nil {
		return nil // nothing is taken for its re-send: Put reads it too
	}
	key := tagKey(h.id, raw.tag)
	e, err := t.digest(key)
	if err != nil || e == nil || e.seq != q {
		return nil
	}
	e.last = 0
	return t.setDigest(key, *e)
}

// parkDamaged takes a record whose bytes fail their checksum out of the
// lane's way, so that the lane goes on and a person sees it.
func (s *Spool) parkDamaged(lane string, q Seq) error {
	err := s.move("park", lane, q, func(t *txn, h *laneHead) error {
		w, err := t.takeWaiting(h, q)
		if err != nil {
			return err
		}
		e := stateEntry{Retries: w.retries, Counted: w.counted}
		reason := &Reason{At: t.s.opt.Now(), Code: CodeDamaged, Text: "the stored bytes fail their checksum: have the analyzer send the message again"}
		if err := t.lost(Range{Lane: h.name, From: q, To: q, Count: 1}); err != nil {
			return err
		}
		return t.park(h, q, e, reason)
	})
	if err != nil {
		return fmt.Errorf("take damaged record out of the way: %w", err)
	}
	return nil
}
