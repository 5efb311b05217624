package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// This file reads bbolt's page format without bbolt: on a file of which
// nothing may be believed, bbolt can panic or fault in a goroutine of its own.
// Everything is checked before it is used, and every read is bounded.
//
//	page     id u64, flags u16, count u16, overflow u32, then:
//	  meta   magic, version, page size, flags u32; root id, root sequence,
//	         free list, high-water mark, transaction u64; FNV-64a of these
//	  branch count × (pos, key size u32; child u64), keys at element + pos
//	  leaf   count × (flags, pos, key size, value size u32), key and value there
//	bucket   root id u64, sequence u64; root id 0: a page follows in the value
const (
	pageHeaderSize = 16
	branchElemSize = 16
	leafElemSize   = 16
	metaSize       = 64
	bucketHeader   = 16

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	noFreelist = ^uint64(0)

	maxDepth     = 64
	maxPageBytes = 1 << 31 // bbolt's own bound for one allocation
	wholePage    = 1 << 20 // pages up to this are read in one go
	readAhead    = 128 << 10
)

// bolt writes numbers in the machine's own order.
var order = binary.NativeEndian

var errPage = errors.New("bad page")

// boltMeta is a valid meta page.
type boltMeta struct {
	pageSize int
	root     uint64
	freelist uint64
	high     uint64 // pages from here on are not in use
	txid     uint64

	at   int64 // where the page lies in the file
	text [metaSize]byte
	sum  [sumSize]byte // ours, behind what bbolt uses of the page
}

func parseMeta(b []byte) (m boltMeta, ok bool) {
	if len(b) < pageHeaderSize+metaSize+sumSize || order.Uint16(b[8:]) != flagMeta {
		return m, false
	}
	b = b[pageHeaderSize:]
	h := fnv.New64a()
	h.Write(b[:56])
	if order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion || order.Uint64(b[56:]) != h.Sum64() {
		return m, false
	}
	m = boltMeta{
		pageSize: int(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		high:     order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
		text:     [metaSize]byte(b),
		sum:      [sumSize]byte(b[metaSize:]),
	}
	ok = m.pageSize >= 1024 && m.pageSize <= 1<<20 && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// pager reads pages of one file.
type pager struct {
	r        io.ReaderAt
	size     int64
	pageSize int

	single   bool   // each page is done with before the next is read
	ahead    []byte // pages read ahead
	aheadAt  int64
	lastRead int64 // where the last page read ended
}

// page is one page with what overflows it. Its data is read in one go, or, for
// a very long one, piece by piece.
type page struct {
	p     *pager
	id    uint64
	flags uint16
	count int
	off   int64
	size  int64
	data  []byte // nil: read piece by piece
}

// readMetas returns the valid meta pages of a file, the newest first.
func readMetas(r io.ReaderAt, size int64) []boltMeta {
	var found []boltMeta
	buf := make([]byte, pageHeaderSize+metaSize+sumSize)
	try := func(at int64) bool {
		if at+int64(len(buf)) > size {
			return false
		}
		if _, err := r.ReadAt(buf, at); err != nil {
			return false
		}
		m, ok := parseMeta(buf)
		m.at = at
		if ok {
			found = append(found, m)
		}
		return ok
	}
	if try(0) {
		try(int64(found[0].pageSize))
	} else {
		for at := int64(1024); at <= 1<<20 && !try(at); at *= 2 {
		}
	}
	if len(found) == 2 && found[0].txid < found[1].txid {
		found[0], found[1] = found[1], found[0]
	}
	return found
}

// height is by how many branch pages the leaves lie below page id. A bbolt tree
// is as deep everywhere. The last leaf is looked for, which is the newest where a
// bucket grows at its end.
func (p *pager) height(id, high uint64) (int, error) {
	for h := range maxDepth {
		pg, err := p.page(id, high)
		if err != nil {
			return 0, err
		}
		if pg.flags == flagLeaf {
			return h, nil
		}
		if pg.flags != flagBranch || pg.count == 0 {
			return 0, fmt.Errorf("page %d is of a wrong kind: %w", id, errPage)
		}
		e, err := pg.elem(pg.count - 1)
		if err != nil {
			return 0, err
		}
		id = e.child
	}
	return 0, fmt.Errorf("page %d lies too deep: %w", id, errPage)
}

// page reads page id. Its extent is checked against the file and high.
func (p *pager) page(id, high uint64) (*page, error) {
	if id < 2 || id >= high || id > uint64(p.size)/uint64(p.pageSize) {
		return nil, fmt.Errorf("page %d is outside the file: %w", id, errPage)
	}
	off := int64(id) * int64(p.pageSize)
	first, err := p.read(off, p.pageSize)
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	pg := &page{p: p, id: id, off: off, flags: order.Uint16(first[8:]), count: int(order.Uint16(first[10:]))}
	span := uint64(order.Uint32(first[12:])) + 1
	if order.Uint64(first) != id || span > high-id || span*uint64(p.pageSize) > maxPageBytes || off+int64(span)*int64(p.pageSize) > p.size {
		return nil, fmt.Errorf("page %d has a wrong head: %w", id, errPage)
	}
	pg.size = int64(span) * int64(p.pageSize)
	switch {
	case span == 1:
		pg.data = first
	case pg.size <= wholePage:
		if pg.data, err = p.read(off, int(pg.size)); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return pg, nil
}

// read returns n bytes at off, valid until the next read that is not
// sequential. Pages mostly lie in the order in which they are asked for.
func (p *pager) read(off int64, n int) ([]byte, error) {
	if p.single {
		p.ahead = slices.Grow(p.ahead[:0], n)[:n]
		_, err := p.r.ReadAt(p.ahead, off)
		return p.ahead, err
	}
	if at := off - p.aheadAt; at >= 0 && at+int64(n) <= int64(len(p.ahead)) {
		p.lastRead = off + int64(n)
		return p.ahead[at : at+int64(n) : at+int64(n)], nil
	}
	want := n
	if near := off - p.lastRead; near >= 0 && near <= readAhead/4 {
		want = max(n, readAhead)
	}
	want = int(min(int64(want), p.size-off))
	if want < n {
		return nil, io.ErrUnexpectedEOF
	}
	buf := make([]byte, want)
	if _, err := p.r.ReadAt(buf, off); err != nil {
		if want == n {
			return nil, err
		}
		// Something in what was read ahead is bad: ask for no more than needed.
		buf = buf[:n]
		if _, err := p.r.ReadAt(buf, off); err != nil {
			return nil, err
		}
	}
	p.ahead, p.aheadAt, p.lastRead = buf, off, off+int64(n)
	return buf[:n:n], nil
}

// at returns n bytes of the page from off on.
func (pg *page) at(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > pg.size || n > pg.size-off {
		return nil, fmt.Errorf("page %d points outside itself: %w", pg.id, errPage)
	}
	if pg.data != nil {
		return pg.data[off : off+n : off+n], nil
	}
	b := make([]byte, n)
	if _, err := pg.p.r.ReadAt(b, pg.off+off); err != nil {
		return nil, fmt.Errorf("page %d: %w", pg.id, err)
	}
	return b, nil
}

// elem is one element of a branch or leaf page.
type elem struct {
	key    []byte
	child  uint64 // branch
	bucket bool   // leaf: the value is a bucket
	pg     *page
	off    int64 // of the value
	size   int64 // of the value
}

// value reads a leaf element's value.
func (e *elem) value() ([]byte, error) { return e.pg.at(e.off, e.size) }

func (pg *page) elem(i int) (e elem, err error) {
	const head = branchElemSize // both are 16 bytes long
	at := int64(pageHeaderSize + i*head)
	h, err := pg.at(at, head)
	if err != nil {
		return e, err
	}
	e.pg = pg
	var pos, ksize int64
	if pg.flags == flagBranch {
		pos, ksize = int64(order.Uint32(h)), int64(order.Uint32(h[4:]))
		e.child = order.Uint64(h[8:])
	} else {
		e.bucket = order.Uint32(h)&1 != 0
		pos, ksize, e.size = int64(order.Uint32(h[4:])), int64(order.Uint32(h[8:])), int64(order.Uint32(h[12:]))
	}
	if ksize == 0 || pos < head*int64(pg.count-i) {
		return e, fmt.Errorf("page %d: element %d lies wrong: %w", pg.id, i, errPage)
	}
	if e.key, err = pg.at(at+pos, ksize); err != nil {
		return e, err
	}
	e.off = at + pos + ksize
	if e.size > pg.size-e.off {
		return e, fmt.Errorf("page %d: element %d is too long: %w", pg.id, i, errPage)
	}
	return e, nil
}

// inline makes a page of the one that lies in a small bucket's value, which is
// at off in the file.
func inline(value []byte, id uint64, off int64) (*page, error) {
	b := value[bucketHeader:]
	if len(b) < pageHeaderSize {
		return nil, fmt.Errorf("bucket in page %d is cut off: %w", id, errPage)
	}
	pg := &page{id: id, off: off + bucketHeader, flags: order.Uint16(b[8:]), count: int(order.Uint16(b[10:])), size: int64(len(b)), data: b}
	if pg.flags != flagLeaf {
		return nil, fmt.Errorf("bucket in page %d is no leaf: %w", id, errPage)
	}
	return pg, nil
}
