package trace

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// File is a recording on disk that is written to its end. A Write that fails
// leaves nothing of itself behind, as far as the disk lets it.
type File struct {
	f    *os.File
	good int64 // how long the file is, whole lines only
	torn bool  // something may stand behind good
}

var _ io.WriteCloser = (*File)(nil)

// OpenFile opens a recording to append to, or makes a new one that only its owner
// can read. A file that is something else is left alone.
func OpenFile(name string) (*File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	w := &File{f: f}
	if err := w.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return w, nil
}

// prepare looks at what is there. A last line without an end is what a crash
// left: it gets one, so that it costs no other line.
func (w *File) prepare() error {
	size, err := w.f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return err
	}
	head := make([]byte, min(size, 64))
	if _, err := w.f.ReadAt(head, 0); err != nil {
		return err
	}
	if !Sniff(head) {
		return fmt.Errorf("%w: choose another name", ErrNotTrace)
	}
	w.good = size
	var last [1]byte
	if _, err := w.f.ReadAt(last[:], size-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = w.Write([]byte("\n"))
	}
	return err
}

// Write appends p, which holds whole lines.
func (w *File) Write(p []byte) (int, error) {
	if w.torn {
		if err := w.f.Truncate(w.good); err != nil {
			return 0, err
		}
		w.torn = false
	}
	n, err := w.f.WriteAt(p, w.good)
	if err != nil {
		w.torn = w.f.Truncate(w.good) != nil
		return 0, err
	}
	w.good += int64(n)
	return n, nil
}

// Sync brings what was written to the disk.
func (w *File) Sync() error { return w.f.Sync() }

// Close closes the file.
func (w *File) Close() error { return errors.Join(w.f.Sync(), w.f.Close()) }
