package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The scrub rests as long as it has worked, at least scrubRest: it must not take
// the disk away from intake. It comes again after scrubEvery.
const (
	scrubWork  = 20 * time.Millisecond
	scrubRest  = 2 * time.Millisecond
	scrubEvery = 7 * 24 * time.Hour
)

// startScrub lets a scrub run beside the writer, when one is due.
func (s *Spool) startScrub(due bool) {
	if s.scrubbed.IsZero() {
		s.scrubbed = time.Now() // what was opened for the first time was looked at
	}
	if s.opt.hooks.noScrub || !due && time.Since(s.scrubbed) < scrubEvery {
		return
	}
	s.scrubbed = time.Now()
	s.background.Go(s.scrub)
}

// scrub goes through the file while it is in use, for the sake of what was not
// looked at when it was opened, and of what the disk has lost since. A bad page or
// entry makes the writer go through the file and salvage it. A bad record is
// reported, and parked if it waits.
func (s *Spool) scrub() {
	if done := s.opt.hooks.scrubbed; done != nil {
		defer done()
	}
	s.maintenance.Lock() // a compaction would wait for it with intake stopped
	defer s.maintenance.Unlock()
	tx, f, w, err := s.snapshot()
	if tx != nil {
		defer func() { _ = guard(tx.Rollback) }()
	}
	if f != nil {
		defer f.Close()
	}
	if err != nil {
		return
	}
	var bad []Seq
	pause := s.pauses()
	w.visit = func(name string, e *elem) error {
		err := checkElem(name, e)
		if errors.Is(err, errCorrupt) && name == bucketNames[records] && len(e.key) == 8 && len(bad) < maxRanges {
			bad, err = append(bad, Seq(be64(e.key))), nil
		}
		if err != nil {
			return err
		}
		return pause()
	}
	switch err := w.walk(); {
	case isDamage(err):
		s.reportFault(err)
	case err == nil:
		s.proven()
	}
	for _, q := range bad {
		if s.noteDamaged(q) != nil {
			return
		}
	}
}

// snapshot begins a read transaction and a walk of what it sees.
func (s *Spool) snapshot() (tx *bolt.Tx, f *os.File, w *walker, err error) {
	err = s.command(context.Background(), func() (err error) {
		if s.db == nil {
			return ErrFailed
		}
		if f, err = os.Open(s.path); err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return guard(func() (err error) {
			if tx, err = s.db.Begin(false); err != nil {
				return err
			}
			meta := boltMeta{pageSize: s.db.Info().PageSize, root: uint64(tx.Cursor().Bucket().RootPage()), freelist: noFreelist}
			meta.high = uint64(tx.Size()) / uint64(meta.pageSize)
			w, err = newWalker(f, info.Size(), meta)
			return err
		})
	})
	return tx, f, w, err
}

// pauses returns a function that is called with every entry and now and then
// takes its time. It fails when the file is wanted back.
func (s *Spool) pauses() func() error {
	began, n := time.Now(), 0
	return func() error {
		if n++; n%64 != 0 {
			return nil
		}
		worked := time.Since(began)
		if worked < scrubWork {
			return nil
		}
		t := time.NewTimer(max(worked, scrubRest))
		defer t.Stop()
		select {
		case <-s.closing:
			return ErrClosed
		case <-t.C:
		}
		began = time.Now()
		return s.healthy()
	}
}

// proven notes that the file has been gone through.
func (s *Spool) proven() {
	if m, err := readMarker(s.path); err == nil && m != nil && m.Unproven {
		_ = s.changeMarker(func(m *marker) { m.Unproven = false })
	}
}

// noteDamaged reports a record that fails its checksum, once, and takes it out
// of its lane's way.
func (s *Spool) noteDamaged(q Seq) error {
	lane, waits, gone := "", false, false
	err := s.read(func(v *view) error {
		if _, err := openRecord(q, v.b[records].Get(seqKey(q))); err == nil || !v.has(records, seqKey(q)) {
			gone = true
		}
		for _, h := range s.heads() {
			key := laneSeqKey(h.id, uint64(q))
			if _, _, waits = v.waits(h.id, q); waits || v.has(parked, key) || v.has(history, key) {
				lane = h.name
				return nil
			}
		}
		return nil
	})
	switch {
	case err != nil || gone || s.reported(q):
		return err
	case waits:
		if err := s.parkDamaged(lane, q); !errors.Is(err, ErrWrongState) {
			return err
		}
	}
	err = s.submit(context.Background(), 0, func(t *txn) error {
		return t.lost(Range{Lane: lane, From: q, To: q, Count: 1})
	})
	if err != nil {
		return fmt.Errorf("report damaged record %d: %w", q, err)
	}
	return nil
}

// reported tells whether the damage report has record q already.
func (s *Spool) reported(q Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.damage {
		for _, r := range d.Lost {
			if !r.Uncertain && r.From <= q && q <= r.To {
				return true
			}
		}
	}
	return false
}
