package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// keptOf returns the one copy that must be there.
func keptOf(t *testing.T, path string) Kept {
	t.Helper()
	kept, err := KeptCopies(path)
	if err != nil || len(kept) != 1 {
		t.Fatalf("%+v %v, want one copy", kept, err)
	}
	return kept[0]
}

func TestMigrationKeepsTheFile(t *testing.T) {
	for name, h := range map[string]hooks{"small": {}, "large": large} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(scratch(t), "spool.db")
			plantFormat(t, path, 1)
			before, _ := os.ReadFile(path)
			o := Options{ResendWindow: century, Retain: -1, hooks: h}
			openAt(t, path, o).Close()
			k := keptOf(t, path)
			if copied, _ := os.ReadFile(k.Path); k.Format != 1 || !bytes.Equal(copied, before) || k.Bytes != int64(len(before)) {
				t.Errorf("%+v is not the file as it was", k)
			}
			if info, err := os.Stat(k.Path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
			if v, err := Verify(k.Path); err != nil || v.Records != 9 && v.Records != 12 {
				t.Errorf("%+v %v", v, err)
			}
			openAt(t, path, o).Close() // needs no migration
			if again := keptOf(t, path); again != k {
				t.Errorf("%+v became %+v", k, again)
			}
		})
	}
}

// goBack is what the install page says of going back to an older version.
func goBack(t *testing.T, path string) {
	t.Helper()
	k := keptOf(t, path)
	for _, suffix := range []string{"", markerSuffix} {
		if err := os.Rename(path+suffix, path+".newer"+suffix); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(k.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGoingBackToAnOlderVersion(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	for name, h := range map[string]hooks{"small": {}, "large": {proveAbove: 1}} {
		t.Run(name, func(t *testing.T) {
			h.noSync = true
			path := filepath.Join(scratch(t), "spool.db")
			older := Options{Now: clock, hooks: h}
			newer := older
			newer.hooks.migrations = []migration{rewriteLanes}

			s := openAt(t, path, older)
			put(t, s, msg("a", "before"))
			s.Close()
			s = openAt(t, path, newer)
			first := keptOf(t, path)
			put(t, s, msg("a", "since"))
			if err := s.Done("a", next(t, s, "a").Seq, Receipt{}); err != nil {
				t.Fatal(err)
			}
			var export bytes.Buffer
			if n, err := s.Export(t.Context(), &export, Query{}); err != nil || n != 2 {
				t.Fatal(n, err)
			}
			s.Close()
			if _, err := Open(path, older); !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}

			goBack(t, path)
			s = openAt(t, path, older)
			if st := s.Stats(); st.Waiting != 1 || st.Delivered != 0 || len(st.Damage) != 0 {
				t.Errorf("gone back: %+v", st)
			}
			if im, err := s.Import(t.Context(), &export); err != nil || im.Stored != 1 || im.Known != 1 {
				t.Errorf("what came since: %+v %v", im, err)
			}
			put(t, s, msg("a", "with the older one"))
			s.Close()

			s = openAt(t, path, newer)
			if st := s.Stats(); st.Waiting != 3 || len(st.Damage) != 0 {
				t.Errorf("upgraded again: %+v", st)
			}
			if second := keptOf(t, path); second.Path == first.Path || second.Format != first.Format {
				t.Errorf("the copy is still %+v", second)
			}
			if left, _ := filepath.Glob(first.Path + "*"); len(left) != 0 {
				t.Errorf("of the copy before it is left: %v", left)
			}
		})
	}
}

// A migration that fails over and over fills no disk with copies.
func TestFailedMigrationsKeepOneCopy(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	path := filepath.Join(scratch(t), "spool.db")
	openAt(t, path, Options{}).Close()
	before, _ := os.ReadFile(path)
	wrong := errors.New("no")
	o := Options{Now: func() time.Time { now = now.Add(time.Second); return now }, hooks: hooks{migrations: []migration{func(*txn) error { return wrong }}}}
	var first Kept
	for range 3 {
		if _, err := Open(path, noReserve(o)); !errors.Is(err, wrong) {
			t.Fatal(err)
		}
		k := keptOf(t, path)
		if first.Path != "" && k != first {
			t.Errorf("%+v, then %+v", first, k)
		}
		first = k
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestMigrationWaitsForRoom(t *testing.T) {
	for name, h := range map[string]hooks{"small": {}, "large": large} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(scratch(t), "spool.db")
			plantFormat(t, path, 1)
			before, _ := os.ReadFile(path)
			var free atomic.Uint64
			free.Store(uint64(len(before)) + 1<<20 - 1)
			h.diskFree = func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }
			o := Options{ResendWindow: century, Retain: -1, Reserve: 1 << 20, hooks: h}
			s := openAt(t, path, o)
			s.mu.Lock()
			wait := s.repaired
			s.mu.Unlock()
			if st := s.Stats(); st.Accepting || !strings.Contains(st.Why, "keep a copy of the file of format 1: the disk has no room") {
				t.Errorf("%+v", st)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, before) {
				t.Error("the file was changed")
			}
			free.Store(1 << 40)
			select {
			case <-wait:
			case <-time.After(time.Minute):
				t.Fatal("no migration")
			}
			keptOf(t, path)
			asPlanted(t, s)
		})
	}
}

func TestKeptCopyGoesAfterAMonth(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	path := filepath.Join(scratch(t), "spool.db")
	o := Options{Now: func() time.Time { return now }, hooks: hooks{noSync: true}}
	openAt(t, path, o).Close()
	o.hooks.migrations = []migration{rewriteLanes}
	s := openAt(t, path, o)
	// What others call alike is none of it.
	strange := []string{"spool.db.format1.bak", "spool.db.format1-yesterday.bak", "spool.db.formatx-20260101T000000Z.bak", "other.db.format1-20260101T000000Z.bak"}
	for _, name := range strange {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chores := func() {
		if err := s.command(t.Context(), func() error { s.chores(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(KeepFor)
	chores()
	k := keptOf(t, path)
	now = now.Add(time.Second)
	chores()
	if left, _ := filepath.Glob(k.Path + "*"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for _, name := range strange {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err != nil {
			t.Error(err)
		}
	}
}

// unreadable answers every read with an input/output error: address 0 of a
// process is no memory.
const unreadable = "/proc/self/mem"

// A page that the disk cannot read is met when the copy is made of a file that got
// a short look.
func TestUnreadableFileIsSalvagedRatherThanKept(t *testing.T) {
	f, err := os.Open(unreadable)
	if err != nil {
		t.Skip("no file here that cannot be read: ", err)
	}
	_, err = io.Copy(io.Discard, f)
	f.Close()
	if !readFault(err) {
		t.Skip("no file here that cannot be read: ", err)
	}
	path := filepath.Join(scratch(t), "spool.db")
	plantFormat(t, path, 1)
	o := Options{ResendWindow: century, Retain: -1, hooks: hooks{openFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		if name == path && flag == os.O_RDONLY {
			name = unreadable
		}
		return os.OpenFile(name, flag, perm)
	}}}
	s := openAt(t, path, o)
	st := s.Stats()
	if len(st.Damage) != 1 || st.Damage[0].Salvaged == 0 || len(st.Damage[0].Lost) != 0 {
		t.Errorf("%+v", st.Damage)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), st.Damage[0].SetAside)); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(path + keptInfix + "*"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	put(t, s, msg("a", "goes on"))
}
