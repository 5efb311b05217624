package spool

import (
	"fmt"
	"io"
	"slices"
)

// delta walks the pages that one commit has and the one before it has not. A page
// that both have was not written, and neither was anything below it: bbolt writes
// a changed page elsewhere, and with it all that lead to it.
type delta struct {
	p           *pager
	now, before boltMeta
	written     []sumOfPage
	read        uint64 // pages, of both
}

// writtenBy reads the pages that the commit of meta page now wrote after that of
// before.
func writtenBy(r io.ReaderAt, now, before boltMeta) ([]sumOfPage, error) {
	size := int64(max(now.high, before.high)) * int64(now.pageSize)
	d := delta{p: &pager{r: r, size: size, pageSize: now.pageSize, single: true}, now: now, before: before}
	err := d.all()
	return d.written, err
}

func (d *delta) all() error {
	roots := map[string]uint64{}
	old, err := d.buckets(d.before)
	if err != nil {
		return err
	}
	var names []string
	err = d.tree(d.now.root, d.before.root, func(pg *page) error {
		return eachBucket(pg, func(name string, root uint64) {
			names = append(names, name)
			roots[name] = root
		})
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if roots[name] == 0 {
			continue // a small bucket lies in the page of the root
		}
		if err := d.tree(roots[name], old[name], func(*page) error { return nil }); err != nil {
			return err
		}
	}
	if d.now.freelist == noFreelist || d.now.freelist == d.before.freelist {
		return nil
	}
	pg, err := d.page(d.now.freelist)
	if err != nil {
		return err
	}
	return d.add(pg)
}

// tree adds the pages of the tree below root that are not in the one below before,
// level by level. Whatever is in both stands on the same level of both.
func (d *delta) tree(root, before uint64, leaf func(*page) error) error {
	if root == before {
		return nil
	}
	level, err := d.p.height(root, d.now.high)
	if err != nil {
		return err
	}
	ids, old, oldLevel := []uint64{root}, []uint64(nil), -1
	if before != 0 {
		if oldLevel, err = d.p.height(before, d.before.high); err != nil {
			return err
		}
		old = []uint64{before}
	}
	var kept []uint64 // of old: both have them, and all that is below
	for ; level >= 0; level-- {
		for ; oldLevel > level; oldLevel-- {
			if old, err = d.below(old, kept); err != nil {
				return err
			}
			kept = nil
		}
		slices.Sort(old)
		var below []uint64
		for _, id := range ids {
			if oldLevel == level {
				if _, ok := slices.BinarySearch(old, id); ok {
					kept = append(kept, id)
					continue
				}
			}
			pg, err := d.page(id)
			if err != nil {
				return err
			}
			if err := d.add(pg); err != nil {
				return err
			}
			switch {
			case level == 0 && pg.flags == flagLeaf:
				err = leaf(pg)
			case level > 0 && pg.flags == flagBranch:
				below, err = children(pg, below)
			default:
				err = fmt.Errorf("page %d is of a wrong kind: %w", id, errPage)
			}
			if err != nil {
				return err
			}
		}
		slices.Sort(kept)
		ids = below
	}
	return nil
}

// below returns the children of pages of the tree before, but for those kept.
func (d *delta) below(ids, kept []uint64) (all []uint64, err error) {
	for _, id := range ids {
		if _, ok := slices.BinarySearch(kept, id); ok {
			continue
		}
		pg, err := d.page(id)
		if err == nil {
			all, err = children(pg, all)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func children(pg *page, to []uint64) ([]uint64, error) {
	if pg.flags != flagBranch {
		return nil, fmt.Errorf("page %d is of a wrong kind: %w", pg.id, errPage)
	}
	elems, err := pg.at(pageHeaderSize, int64(pg.count)*branchElemSize)
	if err != nil {
		return nil, err
	}
	for e := range slices.Chunk(elems, branchElemSize) {
		to = append(to, order.Uint64(e[8:]))
	}
	return to, nil
}

// page reads a page. A tree in bad order may lead in circles.
func (d *delta) page(id uint64) (*page, error) {
	if d.read++; d.read > d.now.high+d.before.high {
		return nil, fmt.Errorf("page %d is in use twice: %w", id, errPage)
	}
	return d.p.page(id, max(d.now.high, d.before.high))
}

func (d *delta) add(pg *page) error {
	p, err := sumPage(pg)
	d.written = append(d.written, p)
	return err
}

// buckets returns the root of every bucket; 0: it lies in the page of the root.
func (d *delta) buckets(m boltMeta) (map[string]uint64, error) {
	roots := map[string]uint64{}
	level, err := d.p.height(m.root, m.high)
	if err != nil {
		return nil, err
	}
	ids := []uint64{m.root}
	for ; level > 0; level-- {
		if ids, err = d.below(ids, nil); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		pg, err := d.page(id)
		if err == nil {
			err = eachBucket(pg, func(name string, root uint64) { roots[name] = root })
		}
		if err != nil {
			return nil, err
		}
	}
	return roots, nil
}

func eachBucket(pg *page, see func(name string, root uint64)) error {
	if pg.flags != flagLeaf {
		return fmt.Errorf("page %d is of a wrong kind: %w", pg.id, errPage)
	}
	for i := range pg.count {
		e, err := pg.elem(i)
		if err != nil {
			return err
		}
		head, err := e.value()
		if err != nil {
			return err
		}
		if !e.bucket || len(head) < bucketHeader {
			return fmt.Errorf("page %d: bucket is cut off: %w", pg.id, errPage)
		}
		see(string(e.key), order.Uint64(head))
	}
	return nil
}
