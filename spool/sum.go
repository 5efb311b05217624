package spool

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// bbolt flushes twice for a commit: the pages first, and then the meta page, which
// must not reach the disk before what it leads to. Here both go with one flush. A
// meta page is a page of the disk, of which bbolt uses 80 bytes; behind these stands
// which pages the commit wrote, and their sum. A crash can leave a commit of which
// some of that is not on the disk. Its sum does not fit then, its flush had not
// come to an end, and nobody had been told that it had: it is undone. The commit
// before it is there in full, for bbolt never writes over what the last one uses.
//
//	0   "pages of"; or "flushed:", when the pages were flushed before, and none is
//	    listed
//	8   SHA-256 of bbolt's 64 bytes of the meta page and, for each page, in their
//	    order, its number (8 bytes) and the CRC32C of all of it (4 bytes)
//	40  how many pages; the first's number, and by how much each next one is
//	    greater (unsigned varints)
const sumSize = 8 + sha256.Size

const (
	markSum     = "pages of"
	markFlushed = "flushed:"
)

// hasSum tells a commit that was made as above from one that bbolt made alone.
func (m *boltMeta) hasSum() bool { return m.marked(markSum) || m.marked(markFlushed) }

func (m *boltMeta) marked(mark string) bool { return string(m.sum[:8]) == mark }

// sumAt is where it stands in the file.
func (m *boltMeta) sumAt() int64 { return m.at + pageHeaderSize + metaSize }

// sumRoom is how long it can be.
func (m *boltMeta) sumRoom() int { return m.pageSize - pageHeaderSize - metaSize }

// commitTx commits tx and returns nil once it is on stable storage.
func (s *Spool) commitTx(tx *bolt.Tx) error {
	// Before the first commit of this kind is in the file, nothing would tell one
	// that was torn from one that bbolt flushed.
	s.db.NoSync = s.summed || s.opt.hooks.noSync
	if err := tx.Commit(); err != nil {
		return err
	}
	metas := readMetas(s.handle, math.MaxInt64)
	if len(metas) != 2 {
		return fmt.Errorf("a meta page is gone: %w", errPage)
	}
	last := metas[0]
	sum := encodeSum(markFlushed, &last, nil)
	if s.summed {
		written, err := writtenBy(s.handle, last, metas[1])
		if err != nil {
			return err
		}
		if full := encodeSum(markSum, &last, written); len(full) <= min(last.sumRoom(), s.opt.hooks.sumRoom) {
			sum = full
		} else if err := s.flush(); err != nil { // until the page says so, a crash undoes the commit
			return err
		}
	}
	if _, err := s.handle.WriteAt(sum, last.sumAt()); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.summed, s.unconfirmed = true, true
	return nil
}

func (s *Spool) flush() error {
	if s.opt.hooks.beforeFlush != nil {
		s.opt.hooks.beforeFlush()
	}
	if s.opt.hooks.noSync {
		return nil
	}
	return s.db.Sync()
}

// noteSum notes whether the last commit of the file that was opened has its sum.
func (s *Spool) noteSum() {
	metas := readMetas(s.handle, math.MaxInt64)
	s.summed = len(metas) > 0 && metas[0].hasSum()
}

// undoTorn undoes the last commit where it was torn, in a file that nobody has open:
// the commit before it stands in both meta pages then, until there is a next one.
func (s *Spool) undoTorn(m *marker, size int64) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	metas := readMetas(f, size)
	if len(metas) != 2 {
		return nil // one that was lost is told of
	}
	last, before := metas[0], metas[1]
	if last.txid == before.txid {
		s.undone = true
		return nil
	}
	if s.opt.hooks.noUndo || !torn(f, size, &last, &before) {
		s.unconfirmed = m == nil || m.Clean != last.txid
		return nil
	}
	if _, err := s.settingsOf(f, size, before); errors.Is(err, ErrKey) || errors.Is(err, ErrNewer) {
		return err // not a file of ours to change
	}
	if err := writeAt(s.path, last.sumAt()-metaSize, slices.Concat(before.text[:], before.sum[:])); err != nil {
		return fmt.Errorf("undo a torn commit: %w", err)
	}
	s.undone = true
	return nil
}

// settingsOf reads what the file says of itself as of one of its commits, and nothing
// else of it.
func (s *Spool) settingsOf(f *os.File, size int64, m boltMeta) (id identity, err error) {
	w, err := newWalker(f, size, m)
	if err != nil {
		return id, err
	}
	stored := map[string][]byte{}
	w.noBranches = true
	w.branchesOnly = func(name string) bool { return name != bucketNames[settings] }
	w.visit = func(name string, e *elem) error {
		if name != bucketNames[settings] {
			return nil
		}
		v, err := e.value()
		stored[string(e.key)] = bytes.Clone(v)
		return err
	}
	if err := w.walk(); err != nil {
		return id, err
	}
	return s.identify(stored)
}

// torn tells whether some of the last commit is not on the disk.
func torn(r io.ReaderAt, size int64, last, before *boltMeta) bool {
	switch {
	case last.marked(markFlushed):
		return !bytes.HasPrefix(encodeSum(markFlushed, last, nil), last.sum[:])
	case last.marked(markSum):
		return !sumFits(r, size, last)
	}
	return before.hasSum() // or else bbolt made both
}

// writeAt changes some bytes of a file and flushes it.
func writeAt(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// confirmAfter is how long there must be nothing to do before the last commit is
// confirmed.
const confirmAfter = time.Second

// confirm commits nothing. A page of the last commit that the disk loses later
// would make it look torn; it is no longer the last then.
func (s *Spool) confirm() {
	if s.healthy() == nil {
		if err := s.commitNothing(longFreeList(s.db)); err != nil {
			s.settle(nil, fmt.Errorf("commit: %w", err))
		}
	}
	s.unconfirmed = false
}

func (s *Spool) commitNothing(noFreelist bool) error {
	s.db.NoFreelistSync = noFreelist
	return guard(func() error {
		tx, err := s.db.Begin(true)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return s.commitTx(tx)
	})
}

// sumOfPage is what goes into a sum of one page.
type sumOfPage struct {
	id  uint64
	crc uint32
}

func encodeSum(mark string, m *boltMeta, pages []sumOfPage) []byte {
	slices.SortFunc(pages, func(a, b sumOfPage) int { return cmp.Compare(a.id, b.id) })
	h := sha256.New()
	h.Write(m.text[:])
	list, last := binary.AppendUvarint(nil, uint64(len(pages))), uint64(0)
	var b [12]byte
	for _, p := range pages {
		order.PutUint64(b[:], p.id)
		order.PutUint32(b[8:], p.crc)
		h.Write(b[:])
		list, last = binary.AppendUvarint(list, p.id-last), p.id
	}
	return append(h.Sum([]byte(mark)), list...)
}

// sumFits reads the pages that the commit of m says it wrote.
func sumFits(r io.ReaderAt, size int64, m *boltMeta) bool {
	have := make([]byte, m.sumRoom())
	if _, err := r.ReadAt(have, m.sumAt()); err != nil {
		return false
	}
	p := &pager{r: r, size: size, pageSize: m.pageSize, single: true}
	var pages []sumOfPage
	for id, err := range pageList(have[sumSize:]) {
		if err != nil {
			return false
		}
		pg, err := p.page(id, m.high)
		if err != nil {
			return false
		}
		sum, err := sumPage(pg)
		if err != nil {
			return false
		}
		pages = append(pages, sum)
	}
	return bytes.HasPrefix(have, encodeSum(markSum, m, pages))
}

// pageList yields the numbers of a list of pages.
func pageList(list []byte) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		r := bytes.NewReader(list)
		n, err := binary.ReadUvarint(r)
		for id := uint64(0); n > 0 && err == nil; n-- {
			var step uint64
			step, err = binary.ReadUvarint(r)
			id += step
			if err == nil && !yield(id, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

// sumPage reads all of a page, piece by piece if it is long.
func sumPage(pg *page) (sumOfPage, error) {
	p := sumOfPage{id: pg.id}
	for off := int64(0); off < pg.size; off += wholePage {
		b, err := pg.at(off, min(wholePage, pg.size-off))
		if err != nil {
			return p, err
		}
		p.crc = crc32.Update(p.crc, castagnoli, b)
	}
	return p, nil
}
