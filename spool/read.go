package spool

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Next returns a copy of the oldest waiting record of lane. It waits until
// there is one or ctx ends, and removes nothing: Done, Park or Discard do.
// While the spool cannot read its file it waits too. A record that fails its
// checksum is parked and never returned.
func (s *Spool) Next(ctx context.Context, lane string) (Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Record{}, err
		}
		ready, repaired, err := s.signals(lane)
		if err != nil {
			return Record{}, fmt.Errorf("next of %s: %w", lane, err)
		}
		r, found, err := s.first(lane)
		switch {
		case errors.Is(err, ErrDamaged):
			if err := s.parkDamaged(lane, r.Seq); err != nil && !errors.Is(err, ErrWrongState) && !errors.Is(err, ErrFailed) {
				return Record{}, fmt.Errorf("next of %s: %w", lane, err)
			}
			continue
		case errors.Is(err, ErrFailed):
			ready = nil
		case err != nil:
			return Record{}, fmt.Errorf("next of %s: %w", lane, err)
		case found:
			return r, nil
		}
		select {
		case <-ready:
		case <-repaired:
		case <-s.closing:
		case <-ctx.Done():
		}
	}
}

// first reads the oldest waiting record of a lane. With ErrDamaged, only its
// Seq is set.
func (s *Spool) first(lane string) (r Record, found bool, err error) {
	h, ok := s.committedHead(lane)
	if !ok || h.waiting == 0 {
		return r, false, s.healthyOrClosed()
	}
	err = s.read(func(v *view) error {
		q, err := v.firstWaiting(h.id, 0)
		if err != nil {
			return fmt.Errorf("waiting entry of %s: %w", lane, err)
		}
		if found = q != 0; !found {
			return nil
		}
		r, err = s.load(v, h, q)
		return err
	})
	return r, found && err == nil, err
}

// numberOf is the number of the record that an entry is about. The entry's
// checksum covers it: a wrong number would be another record's, or nobody's.
func numberOf(key, entry []byte) (Seq, error) {
	_, n, ok := splitLaneSeq(key)
	if !ok {
		return 0, errCorrupt
	}
	_, err := openSmall(key, entry)
	return Seq(n), err
}

// load reads a whole record with its status.
func (s *Spool) load(v *view, h laneHead, q Seq) (Record, error) {
	r, _, err := decodeRecord(q, v.b[records].Get(seqKey(q)), s.keys, true)
	if err != nil {
		return Record{Seq: q}, ErrDamaged
	}
	r.Lane = h.name
	r.Key = MessageKey(h.name, r.Stage, r.Digest, r.Occurrence)
	r.Status = s.status(v, h.id, q, r.Stage, &r.Digest)
	r.Given = s.given(v, h.id, q)
	return r, nil
}

// status gathers what has become of a record; digest is nil when not known.
func (s *Spool) status(v *view, lane uint32, q Seq, stage Stage, digest *[32]byte) (st Status) {
	key := laneSeqKey(lane, uint64(q))
	_, w, waits := v.waits(lane, q)
	switch {
	case waits:
		st.State, st.Changed, st.Retries = Waiting, fromNano(w.since), w.retries
	case v.has(parked, key), v.has(history, key):
		from := parked
		if st.State = Parked; v.has(history, key) {
			from, st.State = history, Delivered
		}
		if b, err := v.get(from, key); err == nil {
			if e, err := decodeState(b); err == nil {
				st = Status{State: e.State, Changed: fromNano(e.At), Retries: e.Retries, Receipt: e.Receipt, Reason: e.Reason}
			}
		}
	}
	if digest == nil {
		return st
	}
	t := s.tagOf(stage, *digest)
	if b, err := v.get(digests, tagKey(lane, t)); err == nil && b != nil {
		if e, err := decodeDigest(b); err == nil && e.seq == q && e.duplicates > 0 {
			st.Duplicates, st.LastDuplicate = uint64(e.duplicates), fromNano(e.last)
		}
	}
	return st
}

// Get returns a copy of record q in whatever state it is.
func (s *Spool) Get(q Seq) (r Record, err error) {
	err = s.read(func(v *view) error {
		value := v.b[records].Get(seqKey(q))
		if value == nil {
			return ErrNotFound
		}
		raw, err := openRecord(q, value)
		if err != nil {
			return ErrDamaged
		}
		name, ok := s.laneName(raw.lane)
		if !ok {
			return ErrDamaged
		}
		r, err = s.load(v, laneHead{id: raw.lane, name: name}, q)
		return err
	})
	if err != nil {
		return Record{}, &RecordError{Op: "get", Seq: q, Err: err}
	}
	return r, nil
}

// read runs do on a read transaction. The values it sees end with it. A
// database page that cannot be read is an error, not the end of the process.
func (s *Spool) read(do func(*view) error) error {
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	if s.db == nil {
		return s.whyNoDB()
	}
	err := guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			v, err := newView(tx)
			if err != nil {
				return err
			}
			return do(&v)
		})
	})
	switch {
	case errors.As(err, new(*faultError)):
		s.reportFault(err)
		return fmt.Errorf("%w: %v", ErrFailed, err)
	case errors.Is(err, errCorrupt):
		s.reportCorrupt(err)
	}
	return err
}
