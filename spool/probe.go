package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// proveAbove is the size from which on a file is used before all of it has been
// read: a smaller one is read in a moment.
const proveAbove = 32 << 20

// probe looks at the file before bbolt does. It changes nothing on a file that
// is in order, or that this process has no business with: of a newer version,
// or sealed with another key. A damaged one it salvages.
//
// A large file gets a short look, and is gone through while it is in use. The
// marker says so meanwhile: should the process die over a page that nobody had
// looked at, the next one goes through the file first.
func (s *Spool) probe(m *marker, info fs.FileInfo) error {
	if info.Size() == 0 {
		return s.replaceEmpty(m)
	}
	s.unproven = false
	if trusted, err := s.trust(m, info.Size()); trusted || err != nil {
		return s.orSalvage(m, err)
	}
	id, err := s.inspect(s.path, info.Size())
	if err != nil && readFault(err) {
		return s.salvage(m, err)
	}
	if err == nil {
		s.proved = time.Now()
		err = s.keepOlder(id, m)
	}
	if err != nil {
		return s.orSalvage(m, err)
	}
	if m != nil && m.ID == newMarker(id.id, 0).ID && !m.Unproven {
		return nil
	}
	return s.changeMarker(func(old *marker) {
		*old = newMarker(id.id, old.Generation)
	})
}

// orSalvage salvages the file where err tells of damage, and else returns err.
func (s *Spool) orSalvage(m *marker, err error) error {
	switch {
	case errors.Is(err, ErrNewer), errors.Is(err, ErrKey):
		return err
	case errors.Is(err, errPage), errors.Is(err, errCorrupt):
		return s.salvage(m, err)
	}
	return err
}

// trust opens a large file on a short look. What is wrong with a file that does
// not deserve it is found out by going through it.
func (s *Spool) trust(m *marker, size int64) (bool, error) {
	if m == nil || m.ID == "" || m.Unproven || s.suspected() || size <= s.opt.hooks.proveAbove {
		return false, nil
	}
	id, err := s.skim(s.path, size, s.asLeft(m, size))
	switch {
	case errors.Is(err, ErrNewer), errors.Is(err, ErrKey):
		return false, err
	case err != nil || m.ID != newMarker(id.id, 0).ID:
		return false, nil
	}
	if err := s.keepOlder(id, m); err != nil {
		return false, err
	}
	if err := s.changeMarker(func(old *marker) { old.Unproven = true }); err != nil {
		return false, nil // what cannot be noted down must not be needed
	}
	s.unproven = true
	return true, nil
}

// replaceEmpty begins anew where a file has lost all its bytes.
func (s *Spool) replaceEmpty(m *marker) error {
	return s.beginAgain(m, "the database file was empty", "")
}

// inspect checks a file's structure and small entries, and in a small file the
// records too: in a large one a bad record is no reason to salvage all others,
// and is met when it is read.
func (s *Spool) inspect(path string, size int64) (id identity, err error) {
	f, err := os.Open(path)
	if err != nil {
		return id, err
	}
	defer f.Close()
	metas := readMetas(f, size)
	if len(metas) == 0 {
		return id, fmt.Errorf("both meta pages are invalid: %w", errPage)
	}
	w, err := newWalker(f, size, metas[0])
	if err != nil {
		return id, err
	}
	stored := map[string][]byte{}
	w.visit = func(name string, e *elem) error {
		if name == bucketNames[settings] {
			v, err := e.value()
			if err != nil {
				return err
			}
			stored[string(e.key)] = bytes.Clone(v)
		}
		if name == bucketNames[records] && size > s.opt.hooks.proveAbove {
			return checkNumber(name, e)
		}
		return checkElem(name, e)
	}
	if err := w.walk(); err != nil {
		return id, err
	}
	for _, name := range bucketNames {
		if _, ok := w.sequences[name]; !ok {
			return id, fmt.Errorf("bucket %s is missing: %w", name, errPage)
		}
	}
	if id, err = s.identify(stored); err != nil {
		return id, err
	}
	if err := w.freelist(); err != nil {
		return id, err
	}
	s.olderMeta = len(metas) == 1
	return id, nil
}

// checkNumber verifies that a record's key is one. Nobody would look for a record
// under any other, so that none would ever be found bad.
func checkNumber(name string, e *elem) error {
	if len(e.key) != 8 {
		return fmt.Errorf("%s entry in page %d has no number: %w", name, e.pg.id, errCorrupt)
	}
	return nil
}

// checkElem verifies the checksum of one stored value.
func checkElem(name string, e *elem) error {
	v, err := e.value()
	if err != nil {
		return err
	}
	switch name {
	case bucketNames[records]:
		if len(e.key) == 8 {
			_, err = openRecord(Seq(be64(e.key)), v)
		} else {
			err = errCorrupt
		}
	case bucketNames[drafts]:
		if len(v) > 8 {
			_, err = openRecord(Seq(be64(v)), v[8:])
		} else {
			err = errCorrupt
		}
	default:
		_, err = openSmall(e.key, v)
	}
	if err != nil {
		return fmt.Errorf("%s entry in page %d: %w", name, e.pg.id, err)
	}
	return nil
}

// readFault tells a disk that cannot give a block from an error of another
// kind: a file without permission, say, is not damaged.
func readFault(err error) bool {
	return errors.Is(err, errIO)
}
