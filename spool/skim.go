package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

// skimTime bounds the look at a large file before it is used. A disk that
// takes longer gets less of it looked at; the scrub sees the rest.
const skimTime = 500 * time.Millisecond

// errEnough ends a skim whose time is up.
var errEnough = errors.New("time is up")

// skim looks at as much of a large file as has to be sound before bbolt is let
// at it: both meta pages, the settings and lanes, the list of free pages, and
// every branch page, which is about one page in a hundred. bbolt writes pages
// anew rather than over, so that a crash leaves what the last commit had. What
// a leaf page holds is checked when it is read, by the checksums and by guard,
// and by the scrub. A branch that leads in a circle could end the process, and a
// free list that names a page in use would have it written over: these have to
// be seen now. In a file as a clean Close left it that was so then.
func (s *Spool) skim(path string, size int64, asLeft bool) (id identity, err error) {
	f, err := os.Open(path)
	if err != nil {
		return id, err
	}
	defer f.Close()
	metas := readMetas(f, size)
	if len(metas) != 2 || metas[0].freelist == noFreelist {
		return id, fmt.Errorf("the meta pages are not both there, or tell of no free list: %w", errPage)
	}
	w, err := newWalker(f, size, metas[0])
	if err != nil {
		return id, err
	}
	stored := map[string][]byte{}
	w.until, w.noBranches = time.Now().Add(skimTime), asLeft
	w.branchesOnly = func(name string) bool {
		return name != bucketNames[settings] && name != bucketNames[lanes]
	}
	w.visit = func(name string, e *elem) error {
		if w.branchesOnly(name) {
			return nil // a small bucket lies in the page of the root
		}
		v, err := e.value()
		if err != nil {
			return err
		}
		if name == bucketNames[settings] {
			stored[string(e.key)] = bytes.Clone(v)
		}
		_, err = openSmall(e.key, v)
		return err
	}
	if err := w.walk(); err != nil && !errors.Is(err, errEnough) {
		return id, err
	}
	if id, err = s.identify(stored); err != nil {
		return id, err
	}
	return id, w.freelist()
}

// identify reads the settings found in a file that bbolt has not opened.
func (s *Spool) identify(stored map[string][]byte) (identity, error) {
	return readIdentity(func(key []byte) ([]byte, error) {
		v, ok := stored[string(key)]
		if !ok {
			return nil, errCorrupt
		}
		return openSmall(key, v)
	}, s.keys, s.opt.format())
}

// note marks a leaf page as in use without reading it.
func (w *walker) note(id uint64) error {
	if id < 2 || id >= w.meta.high {
		return fmt.Errorf("page %d is outside the file: %w", id, errPage)
	}
	if w.marked(id) {
		return fmt.Errorf("page %d is in use twice: %w", id, errPage)
	}
	w.seen[id/64] |= 1 << (id % 64)
	return nil
}

// branches walks a bucket's tree but for its leaves.
func (w *walker) branches(root uint64, name string, depth int) error {
	if w.noBranches { // its root at least must be nobody else's: writing to the one would end the other
		if err := w.note(root); err != nil {
			return w.failed(name, nil, nil, err)
		}
		return nil
	}
	h, err := w.p.height(root, w.meta.high)
	if err != nil {
		return w.failed(name, nil, nil, err)
	}
	w.leavesAt = depth + h
	defer func() { w.leavesAt = 0 }()
	return w.node(root, name, nil, nil, depth)
}
