package folder

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"time"
)

// sighting is what is known of a file in the folder.
type sighting struct {
	name  string
	info  fs.FileInfo
	since time.Time // when it was first seen with this size and time

	// A file that could not be taken is tried again at next.
	held  held
	why   string
	pause time.Duration
	next  time.Time
}

// same reports whether nothing says that a file has changed.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// scan looks at the folder and returns the files that are settled and due, the
// oldest first. Entries that it does not want are passed over.
func (d *Driver) scan(now time.Time) ([]*sighting, error) {
	entries, err := os.ReadDir(d.o.Path)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]*sighting, len(entries))
	var due []*sighting
	for _, e := range entries {
		if !d.o.wants(e.Name()) || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it went while we looked
		}
		s := d.seen[e.Name()]
		if s == nil || !same(s.info, info) {
			s = &sighting{name: e.Name(), since: now}
			d.saw(now)
		}
		s.info = info
		seen[s.name] = s
		switch {
		case !info.Mode().IsRegular():
			s.held, s.why = heldIrregular, "what lies in the folder is no regular file: it is not read"
		case info.Size() == 0:
			s.held = heldEmpty // the analyzer may be about to write to it
		case now.Sub(s.since) >= d.o.Settle && !now.Before(s.next):
			due = append(due, s)
		}
	}
	d.seen = seen
	slices.SortFunc(due, func(a, b *sighting) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), cmp.Compare(a.name, b.name))
	})
	return due, nil
}

// there are the names of the files in the folder.
func (d *Driver) there() map[string]bool {
	out := make(map[string]bool, len(d.seen))
	for name := range d.seen {
		out[name] = true
	}
	return out
}
