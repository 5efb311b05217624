package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestGive: what a person gave stays with the record through every state, over
// a restart, and unreadable without the key.
func TestGive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	o := Options{Keys: [][]byte{bytes.Repeat([]byte{7}, KeySize)}}
	s := openAt(t, path, o)
	q := put(t, s, msg("a", "one"))
	if err := s.Give("a", q, map[string]string{"specimen": "S-2041"}, "x"); !errors.Is(err, ErrWrongState) {
		t.Errorf("to a waiting record: %v", err)
	}
	steps := []func() error{
		func() error { return s.Park("a", q, Reason{Code: "held"}) },
		func() error { return s.Give("a", q, map[string]string{"specimen": "S-2041"}, "specimen id") },
		func() error { return s.Park("a", q, Reason{Code: "held"}) },
		func() error { return s.Give("a", q, map[string]string{"other": "7"}, "other") },
		func() error { return s.Done("a", q, Receipt{}) },
		func() error { return s.Retry("a", q) },
		func() error { return s.Discard("a", q, Reason{Code: "x"}) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		r, err := s.Get(q)
		if err != nil || i > 0 && r.Given["specimen"] != "S-2041" || i > 2 && r.Given["other"] != "7" {
			t.Errorf("step %d: %v, %v", i, r.Given, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil || bytes.Contains(file, []byte("S-2041")) {
		t.Errorf("readable in the file: %v", err)
	}
	s = openAt(t, path, o)
	if r, err := s.Get(q); err != nil || r.Given["specimen"] != "S-2041" {
		t.Errorf("after a restart: %v, %v", r.Given, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// With another key, and then without the old one.
	old, fresh := o.Keys[0], bytes.Repeat([]byte{8}, KeySize)
	s = openAt(t, path, Options{Keys: [][]byte{fresh, old}})
	if _, err := s.Rekey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{Keys: [][]byte{fresh}})
	if r, err := s.Get(q); err != nil || r.Given["specimen"] != "S-2041" {
		t.Errorf("after a change of keys: %v, %v", r.Given, err)
	}
}
