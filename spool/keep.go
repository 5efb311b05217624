package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A copy of a file of an older format is named after the file, its format and
// the time, as in spool.db.format1-20261122T103000Z.bak, and has its marker.
const (
	keptInfix  = ".format"
	keptSuffix = ".bak"
	stampForm  = "20060102T150405Z"
)

// KeepFor is for how long a copy from before a change of format is kept. Who
// did not go back by then would lose a month by it.
const KeepFor = 30 * 24 * time.Hour

// Kept is a copy of the database file from before it was brought to a newer
// format, complete and on stable storage. The labcourier that wrote the file
// can use it again. Anybody may delete it.
type Kept struct {
	Path   string
	Format uint32
	At     time.Time // when it was made
	Bytes  int64
}

// Until is when the spool deletes the copy by itself.
func (k Kept) Until() time.Time { return k.At.Add(KeepFor) }

// KeptCopies lists the copies beside the database file path, oldest first.
func KeptCopies(path string) ([]Kept, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("look for kept copies of spool %s: %w", path, err)
	}
	var kept []Kept
	for _, e := range entries {
		k, ok := parseKept(filepath.Base(path), e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		k.Path, k.Bytes = filepath.Join(filepath.Dir(path), e.Name()), info.Size()
		kept = append(kept, k)
	}
	slices.SortStableFunc(kept, func(a, b Kept) int { return a.At.Compare(b.At) })
	return kept, nil
}

func parseKept(base, name string) (k Kept, ok bool) {
	rest, ok := strings.CutPrefix(name, base+keptInfix)
	if !ok {
		return k, false
	}
	if rest, ok = strings.CutSuffix(rest, keptSuffix); !ok {
		return k, false
	}
	number, stamp, _ := strings.Cut(rest, "-")
	format, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return k, false
	}
	k.Format = uint32(format)
	k.At, err = time.Parse(stampForm, stamp)
	return k, err == nil
}

// keepOlder sees to it that a file of an older format is there twice before
// anything changes it. Of each format the latest copy is kept. Until there is
// room for it the spool waits, with nothing changed.
func (s *Spool) keepOlder(id identity, m *marker) error {
	if id.format >= s.opt.format() {
		return nil
	}
	if err := s.keep(id.format, m); err != nil {
		return fmt.Errorf("keep a copy of the file of format %d: %w", id.format, err)
	}
	return nil
}

func (s *Spool) keep(format uint32, m *marker) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	there, err := KeptCopies(s.path)
	if err != nil {
		return err
	}
	for _, k := range there {
		// An attempt before this one made it, and came no further.
		if k.Format == format && k.Bytes == info.Size() && sameBytes(k.Path, s.path) {
			return keepMarker(k.Path, m)
		}
	}
	if err := s.roomToKeep(info.Size()); err != nil {
		return err
	}
	name := fmt.Sprintf("%s%s%d-%s%s", s.path, keptInfix, format, s.opt.Now().UTC().Format(stampForm), keptSuffix)
	s.opt.step("keep: begin")
	if err := s.copyTo(s.path + keptInfix + newSuffix); err != nil {
		_ = removeIfThere(s.path + keptInfix + newSuffix)
		return err
	}
	s.opt.step("keep: copied")
	if err := installFile(s.path+keptInfix+newSuffix, name); err != nil {
		return err
	}
	s.opt.step("keep: installed")
	if err := keepMarker(name, m); err != nil {
		return err
	}
	for _, k := range there {
		if k.Format == format && k.Path != name {
			k.remove()
		}
	}
	return nil
}

// roomToKeep wants the reserve left beside the copy: an upgrade must not be why
// analyzers are refused.
func (s *Spool) roomToKeep(size int64) error {
	left, _, reserve := s.space.look(s.opt.Now())
	need := uint64(size) + reserve
	if left >= need {
		return nil
	}
	return fmt.Errorf("the disk has no room for it beside the reserve: free %d MiB of it, or move the file to a larger disk: %w",
		(need-left)>>20+1, errNoSpace)
}

// copyTo copies the file. Where the file system can share blocks between two
// files, the system does that.
func (s *Spool) copyTo(to string) error {
	open := s.opt.hooks.openFile
	if open == nil {
		open = os.OpenFile
	}
	from, err := open(s.path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, from)
	if readFault(err) && !canRead(from) {
		err = fmt.Errorf("%w: %v", errPage, err) // and not the disk's answer to a write
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}

// sameBytes tells whether two files of one length hold the same. What cannot be
// read is not the same.
func sameBytes(a, b string) bool {
	f, err := os.Open(a)
	if err != nil {
		return false
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false
	}
	defer g.Close()
	const chunk = 1 << 20
	one, two := make([]byte, chunk), make([]byte, chunk)
	for {
		n, errOne := io.ReadFull(f, one)
		m, errTwo := io.ReadFull(g, two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false
		}
		if errOne != nil || errTwo != nil {
			return ended(errOne) && ended(errTwo)
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// canRead reads all of a file.
func canRead(f *os.File) bool {
	_, err := f.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(io.Discard, f)
	}
	return err == nil
}

// keepMarker puts the marker beside a copy, as it was found.
func keepMarker(copied string, m *marker) error {
	if m == nil || m.ID == "" {
		return nil
	}
	if old, err := readMarker(copied); err == nil && old != nil && *old == *m {
		return nil
	}
	return writeMarker(copied, *m)
}

// dropKept deletes copies whose time is up.
func (s *Spool) dropKept() {
	there, err := KeptCopies(s.path)
	if err != nil {
		return // the next chore tries again
	}
	for _, k := range there {
		if s.opt.Now().After(k.Until()) {
			k.remove()
		}
	}
}

// remove takes the file last: what is left of it would be nobody's.
func (k Kept) remove() {
	for _, suffix := range []string{markerSuffix + newSuffix, markerSuffix, ""} {
		_ = removeIfThere(k.Path + suffix)
	}
}
