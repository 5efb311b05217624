package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// journal remembers, on disk, the files that are being taken or that could not be
// moved.
type journal struct {
	path  string
	files map[string]entry
}

// entry is one file.
type entry struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Digest   string    `json:"sha256"`
	Received time.Time `json:"received"` // what all of its messages carry
	Stored   bool      `json:"stored,omitempty"`
}

// newEntry describes a file by its bytes.
func newEntry(info fs.FileInfo, raw []byte, now time.Time) entry {
	sum := sha256.Sum256(raw)
	return entry{Size: info.Size(), Modified: info.ModTime(), Digest: hex.EncodeToString(sum[:]), Received: now}
}

// kept is how many files that are gone from the folder the journal still knows: a
// power cut can undo a rename.
const kept = 64

// load reads the journal. One that cannot be read is set aside: the store's
// re-send window then stands in for it.
func (j *journal) load() error {
	j.files = map[string]entry{}
	text, err := os.ReadFile(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read the folder's journal: %w", err)
	}
	if err := json.Unmarshal(text, &j.files); err != nil || j.files == nil {
		j.files = map[string]entry{}
		if err := os.Rename(j.path, j.path+".bad"); err != nil {
			return fmt.Errorf("set the damaged journal aside: %w", err)
		}
	}
	return nil
}

// known returns what the journal says of a file with these bytes: nothing, or an
// entry with the time when it was received first.
func (j *journal) known(name string, e entry) (entry, bool) {
	old, ok := j.files[name]
	return old, ok && old.Size == e.Size && old.Modified.Equal(e.Modified) && old.Digest == e.Digest
}

// begin notes that a file is about to be handed over, and returns what the journal
// says of it. A file that it knows keeps its receive time.
func (j *journal) begin(name string, e entry, there map[string]bool) (entry, error) {
	if old, ok := j.known(name, e); ok {
		return old, nil
	}
	return e, j.note(map[string]entry{name: e}, there)
}

// note begins several files with one write, which costs two flushes of the disk
// however many they are.
func (j *journal) note(fresh map[string]entry, there map[string]bool) error {
	before := maps.Clone(j.files)
	j.forget(there)
	maps.Copy(j.files, fresh)
	err := j.write()
	if err != nil {
		j.files = before
	}
	return err
}

// stored notes that all of a file is stored, though it could not be moved.
func (j *journal) stored(name string) error {
	e := j.files[name]
	if e.Stored {
		return nil
	}
	e.Stored = true
	j.files[name] = e
	return j.write()
}

// forget drops files that are not in the folder any more, except for the newest.
func (j *journal) forget(there map[string]bool) {
	gone := slices.DeleteFunc(slices.Collect(maps.Keys(j.files)), func(name string) bool { return there[name] })
	slices.SortFunc(gone, func(a, b string) int { return j.files[b].Received.Compare(j.files[a].Received) })
	for i, name := range gone {
		if i >= kept {
			delete(j.files, name)
		}
	}
}

// write replaces the journal, durably.
func (j *journal) write() error {
	text, err := json.Marshal(j.files)
	if err != nil {
		return err
	}
	dir := filepath.Dir(j.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write the folder's journal: %w", err)
	}
	fresh := j.path + ".new"
	if err := writeSynced(fresh, text); err != nil {
		return fmt.Errorf("write the folder's journal: %w", err)
	}
	if err := os.Rename(fresh, j.path); err != nil {
		return fmt.Errorf("write the folder's journal: %w", err)
	}
	return syncDir(dir)
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
