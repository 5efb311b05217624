package spool

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// putGroup stores records in one commit.
func putGroup(t *testing.T, s *Spool, records ...Record) {
	t.Helper()
	var ops []*op
	for _, r := range records {
		_, o, err := s.pending(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		o.done = make(chan error, 1)
		ops = append(ops, o)
	}
	if err := s.command(t.Context(), func() error { s.commitGroup(ops...); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, o := range ops {
		if err := <-o.done; err != nil {
			t.Fatal(err)
		}
	}
}

// What comes while a group gathers is of it, and what is wrong with one of them is
// not the others' fault.
func TestGroupTakesWhatComes(t *testing.T) {
	s := openTemp(t, Options{hooks: hooks{noSync: true}})
	put(t, s, msg("a", "first"))
	writes := func(name string, then ...*op) *op {
		o := &op{done: make(chan error, 1)}
		o.apply = func(tx *txn) error {
			for _, next := range then {
				if err := s.enqueue(next); err != nil {
					t.Error(err)
				}
			}
			then = nil // it may be applied twice
			return tx.put(settings, []byte(name), []byte{1})
		}
		return o
	}
	spoilt := writes("spoilt")
	half := spoilt.apply
	spoilt.apply = func(tx *txn) error { return errors.Join(half(tx), errCorrupt) }
	third := writes("third")
	second := writes("second", spoilt, third)
	first := writes("first", second)

	before := s.Stats().Commits
	err := s.command(t.Context(), func() error {
		s.pace = pace{writers: 4, commit: time.Hour}
		s.commitGroup(first)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*op{"first": first, "second": second, "third": third} {
		if err := <-o.done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := <-spoilt.done; !errors.Is(err, errCorrupt) {
		t.Errorf("spoilt: %v", err)
	}
	if n := s.Stats().Commits - before; n != 1 {
		t.Errorf("%d commits", n)
	}
	s.read(func(v *view) error {
		for name, want := range map[string]bool{"first": true, "second": true, "third": true, "spoilt": false} {
			if v.has(settings, []byte(name)) != want {
				t.Errorf("%s is there: %v", name, !want)
			}
		}
		return nil
	})
}

// Whoever waited while a group was committed is waited for as well as the group's own.
func TestGroupExpectsAllWriters(t *testing.T) {
	s := openTemp(t, Options{hooks: hooks{noSync: true}})
	err := s.command(t.Context(), func() error {
		o := &op{done: make(chan error, 1), apply: func(*txn) error {
			for range 3 {
				if err := s.enqueue(&op{apply: func(*txn) error { return nil }}); err != nil {
					return err
				}
			}
			return nil
		}}
		s.pace = pace{writers: 1}
		s.commitGroup(o)
		if s.pace.writers != 4 {
			return fmt.Errorf("%d writers are expected", s.pace.writers)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A group ends where it is full, and what is left is for the next.
func TestFullGroup(t *testing.T) {
	q := newQueue()
	for range maxGroupOps {
		if err := q.add(&op{bytes: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if ops, full := q.take(maxGroupOps-1, 0); len(ops) != 1 || !full {
		t.Errorf("%d ops, full: %v", len(ops), full)
	}
	if ops, full := q.take(1, maxGroupBytes-5); len(ops) != 5 || !full {
		t.Errorf("%d ops, full: %v", len(ops), full)
	}
	if ops, full := q.take(1, 0); len(ops) != maxGroupOps-6 || full {
		t.Errorf("%d ops, full: %v", len(ops), full)
	}
	if err := q.add(&op{bytes: maxGroupBytes + 1}); err != nil {
		t.Fatal(err)
	}
	if ops, full := q.take(1, 1); len(ops) != 0 || !full {
		t.Error("one that is larger than a group is taken into one")
	}
	if ops, full := q.take(0, 0); len(ops) != 1 || full {
		t.Error("one that is larger than a group has none of its own")
	}
	s := openTemp(t, Options{hooks: hooks{noSync: true}})
	err := s.command(t.Context(), func() error {
		s.pace = pace{writers: 9, commit: time.Hour}
		large := func() *op {
			return &op{bytes: maxGroupBytes, done: make(chan error, 1), apply: func(*txn) error { return nil }}
		}
		if err := s.enqueue(large()); err != nil {
			return err
		}
		s.commitGroup(large()) // and not the other, nor is it waited for
		if n := s.queue.length(); n != 1 {
			return fmt.Errorf("%d ops are left", n)
		}
		s.pace = pace{}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	q.close()
	if q.waitFor(1) {
		t.Error("waits for what cannot come")
	}
}
