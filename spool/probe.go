package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkContent is the size up to which a probe also checks every checksum in
// the file. In a larger one the writer's reads and the scrub find them.
const checkContent = 32 << 20

// probe looks at the file before bbolt does. It changes nothing on a file that
// is in order, or that this process has no business with: of a newer version,
// or sealed with another key. A damaged one it salvages.
func (s *Spool) probe(m *marker, info fs.FileInfo) error {
	if info.Size() == 0 {
		return s.replaceEmpty(m)
	}
	if m != nil && info.Size() > checkContent && s.asLeft(m, info.Size()) {
		s.unproven = true
		return nil
	}
	s.unproven = false
	id, err := s.inspect(s.path, info.Size())
	switch {
	case errors.Is(err, ErrNewer), errors.Is(err, ErrKey):
		return err
	case errors.Is(err, errPage), errors.Is(err, errCorrupt):
		return s.salvage(m, err)
	case err != nil && readFault(err):
		return s.salvage(m, err)
	case err != nil:
		return err
	}
	if m != nil && m.ID == newMarker(id.id, 0).ID {
		return nil
	}
	var generation uint64
	if m != nil {
		generation = m.Generation
	}
	return writeMarker(s.path, newMarker(id.id, generation))
}

// replaceEmpty begins anew where a file has lost all its bytes.
func (s *Spool) replaceEmpty(m *marker) error {
	return s.beginAgain(m, "the database file was empty", "")
}

// inspect checks a file's structure, and what a small one holds.
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
		if size > checkContent {
			return nil
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
	id, err = readIdentity(func(key []byte) ([]byte, error) {
		v, ok := stored[string(key)]
		if !ok {
			return nil, errCorrupt
		}
		return openSmall(key, v)
	}, s.keys, s.opt.format())
	if err != nil {
		return id, err
	}
	return id, w.freelist()
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
