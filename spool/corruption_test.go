package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// inventory is what a spool held before it was damaged.
type inventory struct {
	payload map[Seq]string
	state   map[Seq]State
	lane    map[Seq]string
	marker  []byte // as the file's was
}

// dense is a text of n bytes that cannot be packed.
func dense(seed [32]byte, n int) string {
	b := make([]byte, n)
	rand.NewChaCha8(seed).Read(b)
	return string(b)
}

// filled makes a spool with records in every state and returns its file's
// bytes, without the unused tail.
func filled(t testing.TB, o Options, clean bool) ([]byte, inventory) {
	t.Helper()
	path := filepath.Join(scratch(t), "spool.db")
	o.hooks.noSync, o.hooks.crash, o.hooks.settleAt = true, !clean, 25
	s := openAt(t, path, o)
	inv := inventory{payload: map[Seq]string{}, state: map[Seq]State{}, lane: map[Seq]string{}}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 240 {
		lane := fmt.Sprint("lane", i%3)
		text, n := fmt.Sprint(i, ":"), 10+rng.IntN(3000)
		if i%5 == 0 {
			text += strings.Repeat(string(rune('a'+i%26)), n)
		} else {
			text += dense([32]byte{byte(i)}, n)
		}
		q := put(t, s, msg(lane, text))
		inv.payload[q], inv.lane[q], inv.state[q] = text, lane, Waiting
		var err error
		switch i % 4 {
		case 1:
			err, inv.state[q] = s.Done(lane, q, Receipt{Resources: []string{"Observation/1"}}), Delivered
		case 2:
			err, inv.state[q] = s.Park(lane, q, Reason{Code: "x"}), Parked
		case 3:
			err, inv.state[q] = s.Discard(lane, q, Reason{Code: "x"}), Discarded
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	var err error
	if inv.marker, err = os.ReadFile(path + markerSuffix); err != nil {
		t.Fatal(err)
	}
	return fileBytes(t, path), inv
}

func fileBytes(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	m := readMetas(f, info.Size())
	if len(m) == 0 {
		t.Fatal("no meta page")
	}
	all := make([]byte, int64(m[0].high)*int64(m[0].pageSize))
	if _, err := f.ReadAt(all, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return all
}

// scratch is a folder in memory where there is one: what is tested here is not
// what a disk does.
func scratch(t testing.TB) string {
	t.Helper()
	for _, parent := range []string{"/dev/shm", ""} {
		dir, err := os.MkdirTemp(parent, "spool-test-") //nolint:usetesting // not in memory, and fails a test under Wine, which cannot remove it
		if err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	t.Fatal("no folder to work in")
	return ""
}

// plant writes a spool's file with its marker.
func plant(t testing.TB, file, marker []byte) string {
	t.Helper()
	path := filepath.Join(scratch(t), "spool.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+markerSuffix, marker, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// audited opens a damaged spool and compares it with the inventory. Nothing
// wrong may be served, and whatever is not served must be reported. With drain,
// every lane is worked through too.
func audited(t *testing.T, path string, inv inventory, drain bool, o Options) (missing int) {
	t.Helper()
	o.Reserve, o.hooks.noSync, o.hooks.noScrub = -1, true, true
	s, err := Open(path, o)
	if err != nil {
		t.Fatalf("the spool did not open: %v", err)
	}
	defer s.Close()
	for q, want := range inv.payload {
		var r Record
		err := repaired(t, s, func() (err error) {
			r, err = s.Get(q)
			return err
		})
		switch {
		case err == nil && string(r.Payload) != want:
			t.Fatalf("record %d was served with other bytes", q)
		case err == nil && r.Lane != inv.lane[q] && !strings.HasPrefix(r.Lane, "lost-name-"):
			t.Fatalf("record %d is in lane %s", q, r.Lane)
		case err != nil:
			missing++
		}
	}
	for lane := range 3 {
		if !drain {
			break
		}
		for name := fmt.Sprint("lane", lane); ; {
			var r Record
			var found bool
			err := repaired(t, s, func() (err error) {
				r, found, err = s.first(name)
				return err
			})
			if errors.Is(err, ErrDamaged) {
				err := repaired(t, s, func() error { return s.parkDamaged(name, r.Seq) })
				if err != nil && !errors.Is(err, ErrWrongState) {
					t.Fatal(err)
				}
				missing++
				continue
			}
			if err != nil || !found {
				break
			}
			if inv.payload[r.Seq] != string(r.Payload) {
				t.Fatalf("lane served record %d with other bytes", r.Seq)
			}
			err = repaired(t, s, func() error { return s.Done(name, r.Seq, Receipt{}) })
			if err != nil && !errors.Is(err, ErrWrongState) {
				t.Fatal(err)
			}
		}
	}
	s.scrub()
	err = repaired(t, s, func() error {
		_, err := s.Put(t.Context(), msg("new", "intake goes on"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); missing > 0 && len(st.Damage) == 0 {
		t.Fatalf("%d records are gone and nothing says so", missing)
	} else if !st.Accepting {
		t.Fatalf("intake is off: %s", st.Why)
	}
	return missing
}

// repaired does something again after each repair that it led to.
func repaired(t *testing.T, s *Spool, do func() error) error {
	t.Helper()
	for range 20 {
		s.mu.Lock()
		wait := s.repaired
		s.mu.Unlock()
		err := do()
		if !errors.Is(err, ErrFailed) && !errors.Is(err, errCorrupt) {
			return err
		}
		if s.healthy() == nil {
			continue
		}
		select {
		case <-wait:
		case <-time.After(time.Minute):
			t.Fatalf("no repair in a minute: %v", err)
		}
	}
	return errors.New("still failing after 20 repairs")
}

func flips(plain int) int {
	if os.Getenv("LABCOURIER_CRASH") == "" {
		return plain
	}
	if n, err := strconv.Atoi(os.Getenv("LABCOURIER_CRASH_ROUNDS")); err == nil {
		return n
	}
	return 1000
}

// TestBitFlips flips single bits: in files that are gone through before they are
// opened, and in files that count as large and are used on a short look.
func TestBitFlips(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, c := range []struct {
		name         string
		clean, large bool
	}{{"closed", true, false}, {"crashed", false, false}, {"closed and large", true, true}, {"crashed and large", false, true}} {
		file, inv := filled(t, Options{}, c.clean)
		lost, salvaged := 0, 0
		n := flips(80) / 4
		o := Options{}
		if c.large {
			o.hooks.proveAbove = 1
		}
		for i := range n {
			bad := bytes.Clone(file)
			at := rng.IntN(len(bad))
			bad[at] ^= 1 << rng.IntN(8)
			path := plant(t, bad, inv.marker)
			lost += audited(t, path, inv, i%5 == 0, o)
			if aside, _ := filepath.Glob(path + asideInfix + "*"); len(aside) > 0 {
				salvaged++
			}
			os.RemoveAll(filepath.Dir(path)) // thousands of them would fill the memory
		}
		t.Logf("%s: %d flips, %d files salvaged, %d records unreadable", c.name, n, salvaged, lost)
		if lost > 4*n {
			t.Errorf("a flipped bit cost %d records on average", lost/n)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	file, inv := filled(t, Options{}, true)
	zero := func(b []byte, from, to int) []byte {
		clear(b[from:to])
		return b
	}
	for _, c := range []struct {
		name    string
		damage  func(b []byte) []byte
		mayLose int
	}{
		{"untouched", func(b []byte) []byte { return b }, 0},
		{"one meta page zeroed", func(b []byte) []byte { return zero(b, 0, pageSize) }, 240},
		{"other meta page zeroed", func(b []byte) []byte { return zero(b, pageSize, 2*pageSize) }, 240},
		{"both meta pages zeroed", func(b []byte) []byte { return zero(b, 0, 2*pageSize) }, 0},
		{"emptied", func(b []byte) []byte { return nil }, 240},
		{"cut to half", func(b []byte) []byte { return b[:len(b)/2] }, 240},
		{"cut inside a meta page", func(b []byte) []byte { return b[:100] }, 240},
		{"a run of zeros", func(b []byte) []byte { return zero(b, len(b)/3, len(b)/3+20*pageSize) }, 200},
		{"text", func(b []byte) []byte { return bytes.Repeat([]byte("not a database\n"), 5000) }, 240},
		{"all ones", func(b []byte) []byte { return bytes.Repeat([]byte{255}, len(b)) }, 240},
	} {
		t.Run(c.name, func(t *testing.T) {
			missing := audited(t, plant(t, c.damage(bytes.Clone(file)), inv.marker), inv, true, Options{})
			t.Logf("%d of %d records are gone", missing, len(inv.payload))
			if missing > c.mayLose {
				t.Errorf("%d records are gone, at most %d need be", missing, c.mayLose)
			}
		})
	}
}

// Where the tree is lost, too, what lies in the leaves still tells where each record
// was on its way; and of a record that is lost, whose it was.
func TestSalvageKeepsStates(t *testing.T) {
	file, inv := filled(t, Options{}, true)
	t.Run("tree", func(t *testing.T) { keepsStates(t, bytes.Clone(file), inv) })
	clear(file[:2*pageSize])
	t.Run("no tree", func(t *testing.T) { keepsStates(t, file, inv) })
}

func keepsStates(t *testing.T, bad []byte, inv inventory) {
	stored, _ := new(packer).pack([]byte(inv.payload[237])) // waits, and arrived last but one
	at := bytes.Index(bad, append([]byte{0}, stored...))
	if inv.state[237] != Waiting || at < 0 {
		t.Fatal("the record is not where the test looks for it")
	}
	bad[at+5] ^= 1
	s := openAt(t, plant(t, bad, inv.marker), Options{})
	all, err := s.List(Query{Limit: 1000})
	if err != nil || len(all) != len(inv.state)-1 {
		t.Errorf("%d records of %d: %v", len(all), len(inv.state), err)
	}
	for _, in := range all {
		if in.State != inv.state[in.Seq] || in.Lane != inv.lane[in.Seq] {
			t.Errorf("record %d is %v in %s, was %v in %s", in.Seq, in.State, in.Lane, inv.state[in.Seq], inv.lane[in.Seq])
		}
	}
	if l, err := s.List(Query{State: Discarded, Limit: 1000}); err != nil || len(l) != 60 {
		t.Errorf("%d are discarded: %v", len(l), err)
	}
	if d := s.Stats().Damage; len(d) != 1 || len(d[0].Lost) != 1 || d[0].Lost[0].From != 237 || d[0].Lost[0].Lane != inv.lane[237] {
		t.Errorf("%+v", d)
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openAt(t, path, Options{})
	q := put(t, s, msg("a", "x"))
	s.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{})
	st := s.Stats()
	if len(st.Damage) != 1 || len(st.Damage[0].Lost) != 1 {
		t.Fatalf("%+v", st.Damage)
	}
	if again := put(t, s, msg("a", "x")); again <= q {
		t.Errorf("number %d was given out before", again)
	}
}
