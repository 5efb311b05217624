package folder

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzJournal reads what a disk may have left of a journal. What cannot be read is
// set aside; what can be read survives being written again, or else a file that is
// stored would be taken a second time.
func FuzzJournal(f *testing.F) {
	f.Add(`{"a.csv":{"size":12,"modified":"2026-11-22T10:00:00.5+02:00","sha256":"00ff","received":"2026-11-22T10:00:01Z","stored":true}}`)
	f.Add(`{"a.csv":{"size":12,"modified":"2026-11-2`)
	f.Add(`{"a.csv":null,"b.csv":{}}`)
	f.Add(`null`)
	f.Add(`[]`)
	f.Add("")
	f.Add("\x00\x00\x00\x00")
	f.Add(`{"a":{"modified":"0000-01-01T00:00:00+23:59","received":"9999-12-31T23:59:59.999999999-23:59"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "journal.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j := journal{path: path}
		if err := j.load(); err != nil {
			t.Fatal(err)
		}
		if bad, err := os.ReadFile(path + ".bad"); err == nil {
			if string(bad) != text || len(j.files) > 0 {
				t.Fatalf("set aside as %q, with %d files known", bad, len(j.files))
			}
			return
		}
		if err := j.note(map[string]entry{"new": {Received: time.Now()}}, all(j.files)); err != nil {
			t.Fatal(err)
		}
		again := journal{path: path}
		if err := again.load(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".bad"); err == nil {
			t.Fatal("what was written cannot be read")
		}
		for name, e := range j.files {
			if old, ok := again.known(name, e); !ok || old.Stored != e.Stored || !old.Received.Equal(e.Received) {
				t.Fatalf("%q was %+v and is %+v", name, e, old)
			}
		}
	})
}

func all(files map[string]entry) map[string]bool {
	there := map[string]bool{}
	for name := range maps.Keys(files) {
		there[name] = true
	}
	return there
}

// A journal that the disk cannot give is no empty one.
func TestUnreadableJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.json")
	if err := os.Mkdir(path, fs.ModeDir|0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&journal{path: path}).load(); err == nil {
		t.Error("a folder counts as an empty journal")
	}
}
