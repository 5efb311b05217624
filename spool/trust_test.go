package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// large makes every file count as one that is used before it has been gone
// through.
var large = hooks{proveAbove: 1, noSync: true}

func TestScrubFindsBadRecords(t *testing.T) {
	path := filepath.Join(scratch(t), "spool.db")
	s := openAt(t, path, Options{hooks: large})
	waits := put(t, s, msg("a", "waits"))
	good := put(t, s, msg("a", "good"))
	gone := put(t, s, msg("b", "delivered"))
	if err := s.Done("b", gone, Receipt{}); err != nil {
		t.Fatal(err)
	}
	spoil(t, s, waits)
	spoil(t, s, gone)
	for range 2 { // the second finds nothing new
		s.scrub()
	}
	d := s.Stats().Damage
	if len(d) != 1 || len(d[0].Lost) != 2 || d[0].Lost[0].Lane != "a" || d[0].Lost[1].Lane != "b" {
		t.Fatalf("%+v", d)
	}
	if r := next(t, s, "a"); r.Seq != good {
		t.Errorf("next is %d", r.Seq)
	}
	l, err := s.List(Query{State: Parked})
	if err != nil || len(l) != 1 || l[0].Reason.Code != CodeDamaged {
		t.Errorf("%+v %v", l, err)
	}
}

// A file that a process died over before it had gone through it is gone through
// by the next one; one whose scrub came to its end is not.
func TestUnprovenFileIsGoneThrough(t *testing.T) {
	path := filepath.Join(scratch(t), "spool.db")
	o := Options{hooks: large}
	openAt(t, path, o).Close()
	o.hooks.crash, o.hooks.noScrub = true, true
	for _, c := range []struct {
		scrub, unproven bool
	}{{false, true}, {true, false}, {false, true}, {false, false}} {
		s := openAt(t, path, o)
		if s.unproven != c.unproven {
			t.Errorf("used on a short look: %v, want %v", s.unproven, c.unproven)
		}
		if c.scrub {
			s.scrub()
		}
		put(t, s, msg("a", time.Now().String()))
		s.Close()
		if c.scrub {
			o.hooks.crash = true
		}
	}
}

// Who asks for a record by its number gets by without a small entry that is
// damaged; the scrub has the file repaired.
func TestBadEntryLeadsToSalvage(t *testing.T) {
	for name, settleAt := range map[string]int{"arrival": 0, "settled": 1} {
		h := large
		h.settleAt = settleAt
		t.Run(name, func(t *testing.T) { badEntry(t, h) })
	}
}

func badEntry(t *testing.T, h hooks) {
	s := openTemp(t, Options{hooks: h})
	q := put(t, s, msg("a", "x"))
	lane, _ := s.committedHead("a")
	err := s.submit(t.Context(), 0, func(tx *txn) error {
		key, _, _ := tx.waits(lane.id, q)
		return tx.putRaw(waiting, key, []byte("not what was written"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(q); err != nil {
		t.Error(err)
	}
	s.scrub()
	if err := repaired(t, s, func() error { return s.Done("a", q, Receipt{}) }); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); len(st.Damage) != 1 || st.Damage[0].SetAside == "" || !st.Accepting {
		t.Errorf("%+v", st)
	}
}

// What a lane counted is counted again where that is lost: List goes by it.
func TestLostLaneHead(t *testing.T) {
	s := openTemp(t, Options{hooks: large})
	done, given := put(t, s, msg("a", "x")), put(t, s, msg("a", "y"))
	if err := errors.Join(s.Done("a", done, Receipt{}), s.Discard("a", given, Reason{Text: "a trial"})); err != nil {
		t.Fatal(err)
	}
	h, _ := s.committedHead("a")
	err := s.submit(t.Context(), 0, func(tx *txn) error {
		return tx.putRaw(lanes, laneKey(h.id), []byte("not what was written"))
	})
	if err != nil {
		t.Fatal(err)
	}
	s.scrub()
	if err := repaired(t, s, s.healthyOrClosed); err != nil {
		t.Fatal(err)
	}
	for st, q := range map[State]Seq{Delivered: done, Discarded: given} {
		if l, err := s.List(Query{State: st}); err != nil || len(l) != 1 || l[0].Seq != q {
			t.Errorf("%v: %+v %v", st, l, err)
		}
	}
	if l := s.Stats().Lanes[0]; l.Delivered != 1 || l.Discarded != 1 {
		t.Errorf("%+v", l)
	}
}

// An entry whose key is not what was written names no record, or another's:
// nothing can be taken out of the lane's way, and the file is repaired.
func TestBadKeyLeadsToSalvage(t *testing.T) {
	read := map[string]func(*Spool) (Record, error){
		"next":   func(s *Spool) (Record, error) { return s.Next(t.Context(), "a") },
		"follow": func(s *Spool) (Record, error) { return s.Follow(t.Context(), "a", 0) },
	}
	damage := map[string]func([]byte) []byte{
		"cut off":     func(key []byte) []byte { key[10] = 1; return key[:11] },
		"of nobody":   func(key []byte) []byte { key[5] ^= 8; return key },
		"of a record": func(key []byte) []byte { key[11] ^= 1; return key },
	}
	for how, read := range read {
		for what, damage := range damage {
			for where, settleAt := range map[string]int{"arrival": 0, "settled": 1} {
				h := large
				h.settleAt = settleAt
				t.Run(how+" "+what+" "+where, func(t *testing.T) { badKey(t, h, damage, read) })
			}
		}
	}
}

func badKey(t *testing.T, h hooks, damage func([]byte) []byte, read func(*Spool) (Record, error)) {
	s := openTemp(t, Options{hooks: h})
	put(t, s, msg("b", "another's")) // 1
	q := put(t, s, msg("a", "x"))    // 2
	put(t, s, msg("b", "another's, too"))
	lane, _ := s.committedHead("a")
	err := s.submit(t.Context(), 0, func(tx *txn) error {
		key, _, _ := tx.waits(lane.id, q)
		entry := bytes.Clone(tx.b[waiting].Get(key))
		if err := tx.del(waiting, key); err != nil {
			return err
		}
		return tx.putRaw(waiting, damage(key), entry)
	})
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	err = repaired(t, s, func() (err error) {
		r, err = read(s)
		return err
	})
	if err != nil || r.Seq != q {
		t.Errorf("the record read is %d: %v", r.Seq, err)
	}
	if st := s.Stats(); len(st.Damage) != 1 || st.Damage[0].SetAside == "" || !st.Accepting {
		t.Errorf("%+v", st)
	}
}

// A record whose key is none is never asked for by its number. Only who goes
// through the file can find it.
func TestRecordWithoutNumberIsFound(t *testing.T) {
	for _, unproven := range []bool{false, true} {
		path := filepath.Join(scratch(t), "spool.db")
		s := openAt(t, path, Options{hooks: large})
		q := put(t, s, msg("a", "x"))
		err := s.submit(t.Context(), 0, func(tx *txn) error {
			value := bytes.Clone(tx.b[records].Get(seqKey(q)))
			if err := tx.del(records, seqKey(q)); err != nil {
				return err
			}
			return tx.putRaw(records, seqKey(q)[:7], value)
		})
		if err != nil {
			t.Fatal(err)
		}
		if unproven { // then the next to open the file goes through it
			s.Close()
			if err := s.changeMarker(func(m *marker) { m.Unproven = true }); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, path, Options{hooks: large})
		} else {
			s.scrub()
		}
		if err := repaired(t, s, s.healthyOrClosed); err != nil {
			t.Error(err)
		}
		if d := s.Stats().Damage; len(d) != 1 || d[0].SetAside == "" {
			t.Errorf("unproven %v: %+v", unproven, d)
		}
	}
}

// A page that two buckets lead to would be written over by the one and lost to
// the other.
func TestPageInUseTwice(t *testing.T) {
	for _, o := range []Options{{}, {hooks: hooks{proveAbove: 1}}} {
		file, inv := filled(t, Options{}, true)
		m := readMetas(bytes.NewReader(file), int64(len(file)))[0]
		p := &pager{r: bytes.NewReader(file), size: int64(len(file)), pageSize: m.pageSize}
		at := map[string]int64{}
		bucketsOf(t, p, m, m.root, at)
		history, parked := at["history"], at["parked"]
		if order.Uint64(file[history:]) == 0 || order.Uint64(file[parked:]) == 0 {
			t.Fatal("the buckets are too small to have pages")
		}
		copy(file[parked:], file[history:history+8])
		w, err := newWalker(nil, int64(len(file)), m)
		if err != nil {
			t.Fatal(err)
		}
		w.p = &pager{r: bytes.NewReader(file), size: int64(len(file)), pageSize: m.pageSize} // p remembers pages
		if err := w.walk(); !errors.Is(err, errPage) {
			t.Errorf("the walker says %v", err)
		}
		path := plant(t, file, inv.marker)
		audited(t, path, inv, true, o)
		if aside, _ := filepath.Glob(path + asideInfix + "*"); len(aside) != 1 {
			t.Errorf("%d files set aside", len(aside))
		}
	}
}

// bucketsOf finds where the heads of all buckets lie in the file.
func bucketsOf(t *testing.T, p *pager, m boltMeta, id uint64, at map[string]int64) {
	t.Helper()
	pg, err := p.page(id, m.high)
	if err != nil {
		t.Fatal(err)
	}
	for i := range pg.count {
		e, err := pg.elem(i)
		if err != nil {
			t.Fatal(err)
		}
		if pg.flags == flagBranch {
			bucketsOf(t, p, m, e.child, at)
		} else {
			at[string(e.key)] = pg.off + e.off
		}
	}
}

func TestOlderMetaIsReported(t *testing.T) {
	path := filepath.Join(scratch(t), "spool.db")
	o := Options{hooks: hooks{noSync: true, crash: true}}
	s := openAt(t, path, o)
	first := put(t, s, msg("a", "first"))
	lost := put(t, s, msg("a", "lost with its meta page"))
	s.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newest := readMetas(bytes.NewReader(file), int64(len(file)))[0]
	clear(file[int(newest.txid%2)*pageSize:][:pageSize])
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, o)
	d := s.Stats().Damage
	if len(d) != 1 || len(d[0].Lost) != 1 || d[0].Lost[0].From > lost || d[0].Lost[0].To < lost || d[0].SetAside != "" {
		t.Fatalf("%+v", d)
	}
	if _, err := s.Get(first); err != nil {
		t.Error(err)
	}
	if q := put(t, s, msg("a", "after")); q <= d[0].Lost[0].To {
		t.Errorf("number %d may have been given out before", q)
	}
	s.Close()
	if s = openAt(t, path, o); len(s.Stats().Damage) != 1 {
		t.Error("it is told twice")
	}
}

// Without room for the repaired copy the spool opens all the same, takes nothing,
// says what to do, and repairs when there is room.
func TestSalvageWaitsForRoom(t *testing.T) {
	file, inv := filled(t, Options{}, true)
	clear(file[:2*pageSize])
	path := plant(t, file, inv.marker)
	var free atomic.Uint64
	free.Store(1 << 16)
	o := Options{Reserve: -1, hooks: hooks{noSync: true, diskFree: func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }}}
	s := openAt(t, path, o)
	s.mu.Lock()
	wait := s.repaired
	s.mu.Unlock()
	if _, err := s.Put(t.Context(), msg("a", "x")); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	if st := s.Stats(); st.Accepting || !strings.Contains(st.Why, "no room for a repaired copy") {
		t.Errorf("%+v", st)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, file) {
		t.Error("the damaged file was changed")
	}
	free.Store(1 << 40)
	select {
	case <-wait:
	case <-time.After(time.Minute):
		t.Fatal("no repair")
	}
	for q, want := range inv.payload {
		if r, err := s.Get(q); err != nil || string(r.Payload) != want {
			t.Fatalf("%d: %v", q, err)
		}
	}
	put(t, s, msg("a", "x"))
}

// A full disk at the very first start, too, is waited for.
func TestCreationWaitsForRoom(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	path := filepath.Join(scratch(t), "spool.db")
	o := Options{hooks: hooks{openFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		if full.Load() {
			return nil, &os.PathError{Op: "open", Path: name, Err: errNoSpace}
		}
		return os.OpenFile(name, flag, perm)
	}}}
	s := openAt(t, path, o)
	s.mu.Lock()
	wait := s.repaired
	s.mu.Unlock()
	if err := s.Accepting(); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	full.Store(false)
	select {
	case <-wait:
	case <-time.After(time.Minute):
		t.Fatal("still waiting")
	}
	put(t, s, msg("a", "x"))
}

// The report of an older meta page is a commit of its own. It must not be taken
// for the one whose fate is in question.
func TestFailedCommitWithTornMeta(t *testing.T) {
	path := filepath.Join(scratch(t), "spool.db")
	tear := false
	s := openAt(t, path, Options{hooks: hooks{noSync: true, afterCommit: func() error {
		if !tear {
			return nil
		}
		tear = false
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		newest := readMetas(f, 1<<40)[0]
		if _, err := f.WriteAt(make([]byte, pageSize), int64(newest.txid%2)*pageSize); err != nil {
			return err
		}
		return errors.New("input/output error")
	}}})
	q := put(t, s, msg("a", "x"))
	tear = true
	if err := s.Done("a", q, Receipt{}); !errors.Is(err, ErrFailed) {
		t.Errorf("done: %v", err)
	}
	if r := next(t, s, "a"); r.Seq != q {
		t.Errorf("next is %d", r.Seq)
	}
	if d := s.Stats().Damage; len(d) != 1 {
		t.Errorf("%+v", d)
	}
}
