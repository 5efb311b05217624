package spool

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// compactAbove is the size from which on the spool compacts by itself, when
// more than half of the file is free.
const compactAbove = 32 << 20

// ErrBusy: more was changed during a compaction than it can catch up with. The
// file is as it was; try again at a calmer time.
var ErrBusy = errors.New("too much changed while the file was being compacted: try again at a calmer time")

// Compact copies the file into one without free space and puts that in its
// place. Intake goes on meanwhile, but for the moment of the change. A crash
// at any point leaves the one file or the other.
func (s *Spool) Compact(ctx context.Context) error {
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	if err := s.compact(ctx); err != nil {
		return fmt.Errorf("compact spool: %w", err)
	}
	return nil
}

func (s *Spool) compact(ctx context.Context) error {
	aside := s.path + compactSuffix
	var tx *bolt.Tx
	err := s.command(ctx, func() (err error) {
		if err := s.healthy(); err != nil {
			return err
		}
		s.changes.start()
		return guard(func() (err error) {
			tx, err = s.db.Begin(false)
			return err
		})
	})
	if err != nil {
		return err
	}
	s.opt.step("compact: begin")
	dst, err := s.copyOf(ctx, tx, aside)
	// The snapshot ends before the writer is asked again: closing the file
	// waits for it.
	_ = guard(tx.Rollback)
	if err == nil {
		s.opt.step("compact: copied")
		err = s.command(ctx, func() error { return s.change(dst, aside) })
	}
	if err != nil {
		if dst != nil {
			_ = dst.Close()
		}
		_ = s.command(ctx, func() error { s.changes.stop(); return nil })
		_ = removeIfThere(aside)
	}
	return err
}

// command runs do in the writer, between two groups.
func (s *Spool) command(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	select {
	case s.commands <- func() { result <- do() }:
		return <-result
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}

// copyOf writes what tx sees into a new file and flushes it.
func (s *Spool) copyOf(ctx context.Context, tx *bolt.Tx, path string) (*bolt.DB, error) {
	if err := removeIfThere(path); err != nil {
		return nil, err
	}
	bo := s.opt.boltOptions()
	bo.InitialMmapSize, bo.NoSync = 0, true // flushed as a whole below
	dst, err := bolt.Open(path, 0o600, bo)
	if err != nil {
		return nil, err
	}
	err = guard(func() error {
		src, err := newView(tx)
		if err != nil {
			return err
		}
		for b := range bucketCount {
			if err := s.copyBucket(ctx, src.b[b], dst, b); err != nil {
				return err
			}
		}
		return dst.Sync()
	})
	if err != nil {
		_ = dst.Close()
		return nil, err
	}
	return dst, nil
}

func (s *Spool) copyBucket(ctx context.Context, src *bolt.Bucket, dst *bolt.DB, b bucket) error {
	c := src.Cursor()
	k, v := c.First()
	for first := true; first || k != nil; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.healthyOrClosed(); err != nil {
			return err
		}
		err := dst.Update(func(tx *bolt.Tx) error {
			to, err := tx.CreateBucketIfNotExists([]byte(bucketNames[b]))
			if err != nil {
				return err
			}
			to.FillPercent = fillAppended
			for size := 0; k != nil && size < rebuildBatch; k, v = c.Next() {
				if err := to.Put(k, v); err != nil {
					return err
				}
				size += len(k) + len(v)
			}
			return to.SetSequence(src.Sequence())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// change brings the copy up to date and puts it in the file's place. The
// writer runs it, so that nothing changes meanwhile.
func (s *Spool) change(dst *bolt.DB, aside string) error {
	if !s.changes.on {
		return ErrFailed // the file was reopened under the copy
	}
	s.changes.settle()
	if s.changes.full {
		return ErrBusy
	}
	err := guard(func() error { return s.catchUp(dst) })
	s.changes.stop()
	if err != nil {
		return err
	}
	if err := dst.Close(); err != nil {
		return err
	}
	s.opt.step("compact: caught up")
	f, err := os.OpenFile(aside, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	// From here on the old file must not be written any more, and Windows wants
	// it closed.
	_ = s.closeFile()
	err = installFile(aside, s.path)
	s.opt.step("compact: installed")
	if oerr := s.openFile(); oerr != nil {
		s.fail(fmt.Errorf("%w: %v", ErrFailed, oerr))
		return errors.Join(err, oerr)
	}
	return err
}

// catchUp repeats in the copy what was changed since its snapshot.
func (s *Spool) catchUp(dst *bolt.DB) error {
	return s.db.View(func(from *bolt.Tx) error {
		src, err := newView(from)
		if err != nil {
			return err
		}
		return dst.Update(func(to *bolt.Tx) error {
			v, err := newView(to)
			if err != nil {
				return err
			}
			for c := range s.changes.seen {
				key := []byte(c.key)
				if value := src.b[c.b].Get(key); value != nil {
					err = v.b[c.b].Put(key, value)
				} else {
					err = v.b[c.b].Delete(key)
				}
				if err != nil {
					return err
				}
			}
			for b := range bucketCount {
				if err := v.b[b].SetSequence(src.b[b].Sequence()); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// compactIfWorth starts a compaction when much of the file is free.
func (s *Spool) compactIfWorth() {
	if s.opt.hooks.noAutoCompact || s.db == nil {
		return
	}
	info, err := os.Stat(s.path)
	if err != nil || info.Size() < s.opt.hooks.compactAbove {
		return
	}
	free := int64(s.db.Stats().FreePageN) * int64(s.db.Info().PageSize)
	if free < info.Size()/2 || !s.maintenance.TryLock() {
		return
	}
	s.background.Go(func() {
		defer s.maintenance.Unlock()
		_ = s.compact(context.Background()) // the next chore tries again
	})
}
