package spool

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names beside the database file.
const (
	markerSuffix  = ".id"      // says that there is a spool here
	lockSuffix    = ".lock"    // held by the process that has it open
	newSuffix     = ".new"     // a database being made
	compactSuffix = ".compact" // a smaller copy being made
	asideInfix    = ".damaged-"
)

// marker lies beside the database and says that there must be one: bbolt makes
// a missing or emptied file anew without a word.
type marker struct {
	Format     int    `json:"format"`
	ID         string `json:"id"`
	Generation uint64 `json:"generation"` // grows when a database had to be begun anew

	// Clean is the transaction that a clean Close ended with, and FreeCRC the
	// checksum of the free list it wrote. While both fit, the file is as it was
	// left, and neither bbolt nor we need to go through all of it to open it.
	Clean   uint64 `json:"clean,omitempty"`
	FreeCRC uint32 `json:"free_crc,omitempty"`

	// Unproven: a process uses the file and has not gone through all of it yet.
	// Found at the next Open it means that the process died, perhaps of the file.
	Unproven bool `json:"unproven,omitempty"`
}

func newMarker(id [16]byte, generation uint64) marker {
	return marker{Format: formatVersion, ID: hex.EncodeToString(id[:]), Generation: generation}
}

// readMarker returns nil when there is none. One that cannot be read still
// says that a spool was here.
func readMarker(dbPath string) (*marker, error) {
	text, err := os.ReadFile(dbPath + markerSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read spool marker: %w", err)
	}
	var m marker
	if json.Unmarshal(text, &m) != nil {
		return &marker{}, nil
	}
	return &m, nil
}

func writeMarker(dbPath string, m marker) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write spool marker: %w", err)
	}
	if err := replaceFile(dbPath+markerSuffix, append(text, '\n')); err != nil {
		return fmt.Errorf("write spool marker: %w", err)
	}
	return nil
}

// changeMarker writes the marker anew with a change to it.
func (s *Spool) changeMarker(change func(*marker)) error {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	m, err := readMarker(s.path)
	if err != nil {
		return err
	}
	if m == nil {
		m = &marker{}
	}
	change(m)
	return writeMarker(s.path, *m)
}

// replaceFile writes a small file so that after a crash it is there in full,
// old or new.
func replaceFile(path string, text []byte) error {
	f, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	giveAway(f)
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// installFile gives a finished database file its name, durably.
func installFile(from, to string) error {
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	giveAway(f)
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
