package spool

import (
	"context"
	"errors"
	"hash/crc32"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// noteClean notes in the marker that Close left the file in order. Without the
// note, or with one that does not fit, the next Open goes through the file.
func (s *Spool) noteClean() {
	if s.opt.hooks.crash {
		return
	}
	m, err := readMarker(s.path)
	if err != nil || m == nil {
		return
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return
	}
	meta, crc, ok := freeListOf(s.path, info.Size())
	if !ok {
		return
	}
	m.Clean, m.FreeCRC = meta.txid, crc
	_ = writeMarker(s.path, *m)
}

// asLeft tells whether the file is as a clean Close left it: the same last
// transaction, and its free list whole. A free list that lies could make bbolt
// write over what is in use.
func (s *Spool) asLeft(m *marker, size int64) bool {
	if m.Clean == 0 {
		return false
	}
	meta, crc, ok := freeListOf(s.path, size)
	return ok && meta.txid == m.Clean && crc == m.FreeCRC
}

func freeListOf(path string, size int64) (meta boltMeta, crc uint32, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return meta, 0, false
	}
	defer f.Close()
	metas := readMetas(f, size)
	if len(metas) != 2 || metas[0].freelist == noFreelist {
		return meta, 0, false
	}
	w, err := newWalker(f, size, metas[0])
	if err != nil || w.freelist() != nil {
		return meta, 0, false
	}
	pg, err := w.p.page(metas[0].freelist, metas[0].high)
	if err != nil {
		return meta, 0, false
	}
	all, err := pg.at(0, pg.size)
	if err != nil {
		return meta, 0, false
	}
	return metas[0], crc32.Checksum(all, castagnoli), true
}

// Pace of the scrub: it must not take the disk away from intake.
const (
	scrubSteps = 2000
	scrubPause = 2 * time.Millisecond
)

// scrub goes through a file that was opened on a clean Close's word, while it
// is in use. A bad page makes the writer reopen the file, which then does not
// pass the probe and is salvaged. Records that fail their checksum are met
// when they are read.
func (s *Spool) scrub() {
	s.maintenance.Lock() // a compaction would wait for it with intake stopped
	defer s.maintenance.Unlock()
	var w *walker
	var tx *bolt.Tx
	f, err := os.Open(s.path)
	if err != nil {
		return
	}
	defer f.Close()
	err = s.command(context.Background(), func() error {
		if s.db == nil {
			return ErrFailed
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
	if tx != nil {
		defer func() { _ = guard(tx.Rollback) }()
	}
	if err != nil {
		return
	}
	steps := 0
	w.visit = func(string, *elem) error {
		if steps++; steps%scrubSteps != 0 {
			return nil
		}
		select {
		case <-s.closing:
			return ErrClosed
		case <-time.After(scrubPause):
			return s.healthy()
		}
	}
	if err := w.walk(); errors.Is(err, errPage) {
		s.reportFault(err)
	}
}
