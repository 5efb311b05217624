package spool

import (
	"hash/crc32"
	"os"
)

// noteClean notes in the marker that Close left the file in order. Without the
// note, or with one that does not fit, the next Open goes through the file.
func (s *Spool) noteClean() {
	info, err := os.Stat(s.path)
	if err != nil {
		return
	}
	meta, crc, ok := freeListOf(s.path, info.Size())
	if !ok {
		return
	}
	_ = s.changeMarker(func(m *marker) { m.Clean, m.FreeCRC, m.Unproven = meta.txid, crc, false })
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
