package spool

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestFollow: a second reader sees every whole message of a lane in order,
// whatever the first has done with it.
func TestFollow(t *testing.T) {
	s := openTemp(t, Options{})
	if n, err := s.Newest("a"); n != 0 || err != nil {
		t.Errorf("newest of nothing: %d, %v", n, err)
	}
	done := put(t, s, msg("a", "done"))
	put(t, s, msg("b", "another lane"))
	parked, waits, given := put(t, s, msg("a", "parked")), put(t, s, msg("a", "waits")), put(t, s, msg("a", "given up"))
	last := put(t, s, msg("a", "last"))
	s.Done("a", done, Receipt{})
	s.Park("a", parked, Reason{Code: "x"})
	s.Discard("a", given, Reason{Code: "x"})
	at := Seq(0)
	for _, want := range []Seq{done, parked, waits, last} {
		r, err := s.Follow(t.Context(), "a", at)
		if err != nil || r.Seq != want {
			t.Fatalf("after %d: %d, %v, want %d", at, r.Seq, err, want)
		}
		at = r.Seq
	}
	if n, err := s.Newest("a"); n != last || err != nil {
		t.Errorf("newest %d, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Follow(ctx, "a", at); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing more: %v", err)
	}
	came := make(chan Seq)
	go func() {
		r, _ := s.Follow(t.Context(), "a", at)
		came <- r.Seq
	}()
	if q := put(t, s, msg("a", "news")); q != <-came {
		t.Error("another one came")
	}
}
