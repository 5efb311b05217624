package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Backup writes the spool as it is at this moment to w, as a database file
// that Open takes. Intake goes on meanwhile; the file cannot reuse space until
// Backup returns.
func (s *Spool) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	var tx *bolt.Tx
	err = s.command(ctx, func() error {
		if err := s.healthy(); err != nil {
			return err
		}
		return guard(func() (err error) {
			tx, err = s.db.Begin(false)
			return err
		})
	})
	if err == nil {
		err = guard(func() (err error) {
			defer tx.Rollback()
			n, err = tx.WriteTo(&breakableWriter{ctx: ctx, w: w, s: s})
			return err
		})
	}
	if err != nil {
		return n, fmt.Errorf("back up spool: %w", err)
	}
	return n, nil
}

// breakableWriter lets a long copy end when nobody wants it any more, or when
// the writer needs the file to itself.
type breakableWriter struct {
	ctx context.Context
	s   *Spool
	w   io.Writer
}

func (b *breakableWriter) Write(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if err := b.s.healthyOrClosed(); err != nil {
		return 0, err
	}
	return b.w.Write(p)
}

// BackupFile makes a backup in a new file and verifies it. The file appears
// under its name only when it is complete and verified.
func (s *Spool) BackupFile(ctx context.Context, path string) (Verified, error) {
	if _, err := os.Lstat(path); err == nil {
		return Verified{}, fmt.Errorf("back up spool to %s: %w: choose another name", path, os.ErrExist)
	}
	aside := path + newSuffix
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return Verified{}, fmt.Errorf("back up spool: %w", err)
	}
	_, err = s.Backup(ctx, f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	var v Verified
	if err == nil {
		v, err = Verify(aside)
	}
	if err == nil {
		err = installFile(aside, path)
	}
	if err != nil {
		_ = removeIfThere(aside)
		return v, fmt.Errorf("back up spool to %s: %w", path, err)
	}
	return v, nil
}

// Verified is what Verify found.
type Verified struct {
	Records, Waiting, Parked, History uint64
	Bytes                             int64
}

// Verify reads a spool's database file that nobody writes, a backup, and
// checks its structure, every checksum, and that every entry has its record.
// It needs no key and changes nothing.
func Verify(path string) (Verified, error) {
	v, err := verifyFile(path)
	if err != nil {
		return v, fmt.Errorf("verify %s: %w", path, err)
	}
	return v, nil
}

func verifyFile(path string) (v Verified, err error) {
	f, err := os.Open(path)
	if err != nil {
		return v, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return v, err
	}
	v.Bytes = info.Size()
	metas := readMetas(f, info.Size())
	if len(metas) == 0 {
		return v, fmt.Errorf("not a spool, or both meta pages are damaged: %w", errPage)
	}
	w, err := newWalker(f, info.Size(), metas[0])
	if err != nil {
		return v, err
	}
	return v, errors.Join(v.check(w), w.freelist())
}

func (v *Verified) check(w *walker) error {
	have := map[Seq]bool{}
	counts := map[string]*uint64{
		bucketNames[waiting]: &v.Waiting, bucketNames[parked]: &v.Parked, bucketNames[history]: &v.History,
	}
	w.visit = func(name string, e *elem) error {
		if err := checkElem(name, e); err != nil {
			return err
		}
		switch {
		case name == bucketNames[records]:
			have[Seq(be64(e.key))] = true
			v.Records++
		case counts[name] != nil:
			// The buckets come in the order of their names; settle it at the end.
			id, q, ok := splitLaneSeq(e.key)
			if !ok {
				return fmt.Errorf("%s entry in page %d: %w", name, e.pg.id, errCorrupt)
			}
			if name == bucketNames[history] && id == discards {
				return nil // the entry itself comes, too
			}
			*counts[name]++
			if _, ok := have[Seq(q)]; !ok {
				have[Seq(q)] = false
			}
		}
		return nil
	}
	if err := w.walk(); err != nil {
		return err
	}
	for q, ok := range have {
		if !ok {
			return fmt.Errorf("record %d is missing: %w", q, errCorrupt)
		}
	}
	return nil
}
