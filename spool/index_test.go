package spool

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// planted are files of older formats: twelve messages in three lanes, "message 0"
// and so on, a quarter each waiting, delivered, parked, discarded. The process
// that wrote those of formats 2 and 4 died.
//
//go:embed testdata/format*.db.gz
var planted embed.FS

func plantFormat(t *testing.T, path string, format int) {
	t.Helper()
	packed, err := planted.ReadFile(fmt.Sprintf("testdata/format%d.db.gz", format))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// century is a resend window that the fixture's age does not matter to.
const century = 100 * 365 * 24 * time.Hour

// asPlanted checks what is in the fixture, whichever format it has now.
func asPlanted(t *testing.T, s *Spool) {
	t.Helper()
	if st := s.Stats(); st.Waiting != 3 || st.Parked != 3 || st.Delivered != 3 || st.Discarded != 3 || len(st.Damage) != 0 {
		t.Errorf("%+v", st)
	}
	if l, err := s.List(Query{State: Discarded}); err != nil || len(l) != 3 {
		t.Errorf("%d records are discarded: %v", len(l), err)
	}
	all, err := s.List(Query{})
	if err != nil || len(all) != 12 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	for i, in := range all {
		text := fmt.Sprint("message ", i)
		r, err := s.Get(in.Seq)
		if err != nil || string(r.Payload) != text || r.Lane != fmt.Sprint("lane", i%3) {
			t.Errorf("record %d: %v", in.Seq, err)
		}
		if i%4 == 3 {
			continue // discarded: the same bytes are a new message
		}
		if q := put(t, s, msg(r.Lane, text)); q != in.Seq {
			t.Errorf("record %d was not known again", in.Seq)
		}
	}
}

func TestMigrationFromOlderFormats(t *testing.T) {
	for format := 1; format < formatVersion; format++ {
		t.Run(fmt.Sprint(format), func(t *testing.T) { migrates(t, format) })
	}
}

func migrates(t *testing.T, format int) {
	path := filepath.Join(scratch(t), "spool.db")
	plantFormat(t, path, format)
	before, _ := os.ReadFile(path)
	// A commit that fails leaves the old format, whole.
	o := Options{ResendWindow: century, Retain: -1, hooks: hooks{commitFault: func() error { return errors.New("not now") }}}
	if s, err := Open(path, noReserve(o)); err == nil {
		s.Close()
		t.Fatal("opened")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before[:2*pageSize], after[:2*pageSize]) {
		t.Error("a migration that failed changed the file")
	}
	o.hooks.commitFault = nil
	s := openAt(t, path, o)
	asPlanted(t, s)
	s.Close()
	s = openAt(t, path, o)
	asPlanted(t, s)
	s.read(func(v *view) error {
		if b, err := v.get(settings, keyFormat); err != nil || b[3] != formatVersion {
			t.Errorf("format %v %v", b, err)
		}
		return nil
	})
}

// What the index in the file lacks after a crash is made anew from the records.
func TestLateIndex(t *testing.T) {
	for _, keys := range [][][]byte{nil, {key(1)}} {
		path := filepath.Join(scratch(t), "spool.db")
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		o := Options{Keys: keys, ResendWindow: time.Hour, Retain: 10 * time.Hour, Now: func() time.Time { return now }, hooks: hooks{noSync: true, crash: true}}
		s := openAt(t, path, o)
		first := put(t, s, msg("a", "x"))
		if len(s.fresh.entries) != 1 {
			t.Fatal("the entry was written at once")
		}
		again := func(want Seq, occurrence uint32) Seq {
			t.Helper()
			q := put(t, s, msg("a", "x"))
			r, err := s.Get(q)
			if err != nil || want != 0 && q != want || r.Occurrence != occurrence {
				t.Errorf("got record %d, occurrence %d, want %d, %d: %v", q, r.Occurrence, want, occurrence, err)
			}
			s.Close()
			s = openAt(t, path, o)
			return q
		}
		s.Close()
		s = openAt(t, path, o)
		again(first, 0) // from the record
		again(first, 0) // from the entry, which counts it
		now = now.Add(2 * time.Hour)
		second := again(0, 1)
		again(second, 1)
		if err := s.Discard("a", second, Reason{Code: "x"}); err != nil {
			t.Fatal(err)
		}
		third := again(0, 2)
		if err := s.Done("a", first, Receipt{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Done("a", third, Receipt{}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(20 * time.Hour)
		if err := s.command(t.Context(), func() error { s.prune(); return nil }); err != nil {
			t.Fatal(err)
		}
		again(0, 3) // all forgotten but the occurrences
	}
}

// A change to an entry counts within its own transaction, too.
func TestIndexWithinAGroup(t *testing.T) {
	s := openTemp(t, Options{ResendWindow: time.Hour, hooks: hooks{noSync: true}})
	q := put(t, s, msg("a", "x"))
	putGroup(t, s, msg("a", "x"), msg("a", "x"), msg("a", "x"))
	if r, err := s.Get(q); err != nil || r.Duplicates != 3 {
		t.Errorf("%d duplicates, want 3: %v", r.Duplicates, err)
	}
}

func TestIndexIsWrittenInTime(t *testing.T) {
	s := openTemp(t, Options{hooks: hooks{noSync: true}})
	var ops []*op
	for i := range maxFreshSmall + 10 {
		r := msg("a", fmt.Sprint(i))
		p := &pendingPut{lane: "a", tag: tag{1: byte(i), 2: byte(i >> 8)}, received: time.Now()}
		p.value = encodeBody(&r, p.tag)
		ops = append(ops, &op{apply: p.apply, done: make(chan error, 1)})
	}
	if err := s.command(t.Context(), func() error { s.commitGroup(ops...); return nil }); err != nil {
		t.Fatal(err)
	}
	next := put(t, s, msg("a", "next"))
	if n := len(s.fresh.entries); n != 1 {
		t.Errorf("%d entries are in memory only", n)
	}
	s.read(func(v *view) error { // or the next Open reads all of them again
		if b, err := v.get(settings, keyIndexed); err != nil || Seq(be64(b)) != next-1 {
			t.Errorf("written up to record %d of %d: %v", be64(b), next-1, err)
		}
		return nil
	})
	big := msg("a", dense([32]byte{}, maxFreshBytes/2))
	put(t, s, big)
	big.Payload[0] = 1
	put(t, s, big)
	put(t, s, msg("a", "last"))
	if n := len(s.fresh.entries); n != 1 {
		t.Errorf("%d entries of large records are in memory only", n)
	}
}
