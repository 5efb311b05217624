package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// prepare sees to it that there is a file which bbolt may be let at.
func (s *Spool) prepare() error {
	for _, suffix := range []string{newSuffix, compactSuffix, markerSuffix + newSuffix, keptInfix + newSuffix} {
		if err := removeIfThere(s.path + suffix); err != nil {
			return err
		}
	}
	m, err := readMarker(s.path)
	if err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && m == nil:
		return s.begin(newSeed(0), 0)
	case errors.Is(err, fs.ErrNotExist):
		return s.beginAgain(m, "the database file is missing", "")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", s.path)
	}
	if err := s.undoTorn(m, info.Size()); err != nil {
		return err
	}
	return s.probe(m, info)
}

// begin makes the database and then its marker: in the other order a crash
// between the two would look like a loss.
func (s *Spool) begin(sd seed, generation uint64) error {
	if err := s.opt.createFile(s.path, sd, s.keys); err != nil {
		return err
	}
	return writeMarker(s.path, newMarker(sd.id, generation))
}

// beginAgain replaces a file of which nothing is left.
func (s *Spool) beginAgain(m *marker, what, aside string) error {
	generation := uint64(1)
	if m != nil {
		generation = m.Generation + 1
	}
	sd := newSeed(generation)
	sd.damage = []Damage{{
		At: s.opt.Now().UTC(), What: what, SetAside: filepath.Base(aside),
		Lost: []Range{{From: Seq((generation-1)<<40) + 1, To: Seq(generation << 40), Uncertain: true}},
	}}
	return s.begin(sd, generation)
}
