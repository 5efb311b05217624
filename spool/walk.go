package spool

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// walker goes over all that is reachable from one meta page. It never panics,
// whatever the file holds, and reads no page twice.
type walker struct {
	p    *pager
	meta boltMeta
	seen []uint64 // a bit per page

	// visit is called with every key and value, in the order of the keys of
	// each bucket; nil: only the structure is of interest.
	visit func(name string, e *elem) error

	// bad is called for each page that cannot be used, with the keys that it
	// would have held, from lo up to and without hi; nil means open. When it
	// returns nil the walk goes on without the page. A nil bad stops the walk.
	bad func(name string, lo, hi []byte, err error) error

	// sequence of each bucket
	sequences map[string]uint64

	// For a skim: of which buckets no leaves are read, when to stop, and at which
	// depth the leaves of the bucket lie that is being walked.
	branchesOnly func(name string) bool
	noBranches   bool // of those not even branches
	until        time.Time
	leavesAt     int
}

func newWalker(f *os.File, size int64, m boltMeta) (*walker, error) {
	if m.high < 3 || m.high > uint64(size)/uint64(m.pageSize)+1 {
		return nil, fmt.Errorf("the file is shorter than it says: %w", errPage)
	}
	return &walker{
		p:         &pager{r: f, size: size, pageSize: m.pageSize},
		meta:      m,
		seen:      make([]uint64, m.high/64+1),
		sequences: map[string]uint64{},
	}, nil
}

// walk visits every bucket. An error is bad's or visit's, or of the first bad
// page.
func (w *walker) walk() error {
	return w.node(w.meta.root, "", nil, nil, 0)
}

func (w *walker) mark(pg *page) bool {
	for id := pg.id; id < pg.id+uint64(pg.size)/uint64(w.p.pageSize); id++ {
		if w.marked(id) {
			return false
		}
		w.seen[id/64] |= 1 << (id % 64)
	}
	return true
}

func (w *walker) marked(id uint64) bool { return w.seen[id/64]&(1<<(id%64)) != 0 }

func (w *walker) failed(name string, lo, hi []byte, err error) error {
	if w.bad == nil {
		return err
	}
	return w.bad(name, lo, hi, err)
}

// node walks the tree below page id, whose keys must lie in [lo, hi).
func (w *walker) node(id uint64, name string, lo, hi []byte, depth int) error {
	if w.leavesAt > 0 && depth == w.leavesAt {
		return w.note(id)
	}
	if !w.until.IsZero() && time.Now().After(w.until) {
		return errEnough
	}
	pg, err := w.p.page(id, w.meta.high)
	switch {
	case err != nil:
		return w.failed(name, lo, hi, err)
	case depth > maxDepth:
		return w.failed(name, lo, hi, fmt.Errorf("page %d lies too deep: %w", id, errPage))
	case pg.flags != flagLeaf && pg.flags != flagBranch, pg.flags == flagBranch && pg.count == 0:
		return w.failed(name, lo, hi, fmt.Errorf("page %d is of a wrong kind: %w", id, errPage))
	}
	elems, err := w.elems(pg, lo, hi)
	if err != nil {
		return w.failed(name, lo, hi, err)
	}
	if !w.mark(pg) {
		return w.failed(name, lo, hi, fmt.Errorf("page %d is in use twice: %w", id, errPage))
	}
	if pg.flags == flagLeaf {
		return w.leaf(elems, name, depth)
	}
	for i, e := range elems {
		next := hi
		if i+1 < len(elems) {
			next = elems[i+1].key
		}
		if err := w.node(e.child, name, e.key, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// elems checks all elements of a page: where they lie and that they ascend.
// A branch's first key may be below lo by bbolt's own doing, never the rest.
func (w *walker) elems(pg *page, lo, hi []byte) ([]elem, error) {
	elems := make([]elem, pg.count)
	for i := range elems {
		e, err := pg.elem(i)
		if err != nil {
			return nil, err
		}
		if i > 0 && bytes.Compare(elems[i-1].key, e.key) >= 0 || hi != nil && bytes.Compare(e.key, hi) >= 0 ||
			lo != nil && bytes.Compare(e.key, lo) < 0 {
			return nil, fmt.Errorf("page %d: keys are out of order: %w", pg.id, errPage)
		}
		elems[i] = e
	}
	return elems, nil
}

func (w *walker) leaf(elems []elem, name string, depth int) error {
	for i := range elems {
		e := &elems[i]
		switch {
		case e.bucket && name == "":
			if err := w.bucket(e, depth); err != nil {
				return err
			}
		case e.bucket || name == "":
			if err := w.failed(name, e.key, nil, fmt.Errorf("page %d: values and buckets are mixed: %w", e.pg.id, errPage)); err != nil {
				return err
			}
		case w.visit != nil:
			if err := w.visit(name, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) bucket(e *elem, depth int) error {
	name := string(e.key)
	head, err := e.value()
	if err == nil && len(head) < bucketHeader {
		err = fmt.Errorf("page %d: bucket is cut off: %w", e.pg.id, errPage)
	}
	if err != nil {
		return w.failed(name, nil, nil, err)
	}
	w.sequences[name] = order.Uint64(head[8:])
	if root := order.Uint64(head); root != 0 {
		if w.branchesOnly != nil && w.branchesOnly(name) {
			return w.branches(root, name, depth+1)
		}
		return w.node(root, name, nil, nil, depth+1)
	}
	pg, err := inline(head, e.pg.id, e.pg.off+e.off)
	if err != nil {
		return w.failed(name, nil, nil, err)
	}
	elems, err := w.elems(pg, nil, nil)
	if err != nil {
		return w.failed(name, nil, nil, err)
	}
	for i := range elems {
		if elems[i].bucket {
			if err := w.failed(name, nil, nil, fmt.Errorf("page %d: bucket in a bucket: %w", e.pg.id, errPage)); err != nil {
				return err
			}
			continue
		}
		if w.visit != nil {
			if err := w.visit(name, &elems[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// freelist checks the stored list of free pages against what was walked: a
// page that is in use must not be on it.
func (w *walker) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	pg, err := w.p.page(w.meta.freelist, w.meta.high)
	if err != nil {
		return err
	}
	if pg.flags != flagFreelist {
		return fmt.Errorf("page %d is no free list: %w", pg.id, errPage)
	}
	n, at := int64(pg.count), int64(pageHeaderSize)
	if n == 0xFFFF {
		b, err := pg.at(at, 8)
		if err != nil {
			return err
		}
		n, at = int64(min(order.Uint64(b), 1<<40)), at+8
	}
	ids, err := pg.at(at, 8*n)
	if err != nil {
		return err
	}
	if !w.mark(pg) {
		return fmt.Errorf("the free list lies on a page in use: %w", errPage)
	}
	var before uint64
	for i := int64(0); i < n; i++ {
		id := order.Uint64(ids[8*i:])
		if id <= before || id < 2 || id >= w.meta.high || w.marked(id) {
			return fmt.Errorf("the free list names page %d: %w", id, errPage)
		}
		before = id
	}
	return nil
}
