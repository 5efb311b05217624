package spool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRetention(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openTemp(t, Options{Retain: 48 * time.Hour, ResendWindow: time.Hour, Now: func() time.Time { return now }})
	sweep := func() {
		ran := make(chan struct{})
		s.commands <- func() { s.prune(); close(ran) }
		<-ran
	}
	old := put(t, s, msg("a", "old"))
	waits := put(t, s, msg("a", "waits"))
	parked := put(t, s, msg("a", "parked"))
	s.Done("a", old, Receipt{})
	s.Park("a", parked, Reason{Code: "x"})
	now = now.Add(47 * time.Hour)
	recent := put(t, s, msg("a", "recent"))
	s.Done("a", recent, Receipt{})
	sweep()
	if _, err := s.Get(old); err != nil {
		t.Errorf("gone too early: %v", err)
	}
	now = now.Add(time.Hour)
	sweep()
	if _, err := s.Get(old); !errors.Is(err, ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	now = now.Add(1000 * time.Hour)
	sweep()
	for q, want := range map[Seq]error{waits: nil, parked: nil, recent: ErrNotFound} {
		if _, err := s.Get(q); !errors.Is(err, want) {
			t.Errorf("record %d: %v, want %v", q, err, want)
		}
	}
	// The index forgot these bytes; their occurrence is a new one all the same.
	again, _ := s.Get(put(t, s, msg("a", "old")))
	if again.Occurrence == 0 {
		t.Error("an occurrence was given out twice")
	}
	if st := s.Stats(); st.History != 0 || st.HistoryBytes != 0 || st.Delivered != 2 {
		t.Errorf("%+v", st)
	}
}

// What nobody wants kept goes as soon as its bytes cannot be a re-send.
func TestDroppedGoesEarly(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openTemp(t, Options{Retain: 48 * time.Hour, ResendWindow: time.Hour, Now: func() time.Time { return now }})
	sweep := func() {
		ran := make(chan struct{})
		s.commands <- func() { s.prune(); close(ran) }
		<-ran
	}
	q, kept := put(t, s, msg("a", "control")), put(t, s, msg("a", "kept"))
	s.Done("a", q, Receipt{Outcome: OutcomeDropped})
	s.Done("a", kept, Receipt{Outcome: OutcomeKept})
	now = now.Add(59 * time.Minute)
	sweep()
	if _, err := s.Get(q); err != nil {
		t.Errorf("gone while it may be sent again: %v", err)
	}
	now = now.Add(2 * time.Minute)
	sweep()
	if _, err := s.Get(q); !errors.Is(err, ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	if _, err := s.Get(kept); err != nil {
		t.Errorf("kept: %v", err)
	}
}

func TestQuotaKeepsResendWindow(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openTemp(t, Options{RetainBytes: 1000, ResendWindow: time.Hour, Now: func() time.Time { return now }})
	sweep := func() {
		ran := make(chan struct{})
		s.commands <- func() { s.prune(); close(ran) }
		<-ran
	}
	var last Seq
	for i := range 50 {
		last = put(t, s, msg("a", fmt.Sprint(i, strings.Repeat("y", 100))))
		s.Done("a", last, Receipt{})
	}
	sweep()
	if st := s.Stats(); st.History != 50 {
		t.Errorf("%d left inside their resend window, want 50", st.History)
	}
	if d := put(t, s, msg("a", fmt.Sprint(49, strings.Repeat("y", 100)))); d != last {
		t.Error("re-send not recognised")
	}
	now = now.Add(2 * time.Hour)
	sweep()
	if st := s.Stats(); st.HistoryBytes > 1000 || st.History == 0 {
		t.Errorf("%d records, %d bytes", st.History, st.HistoryBytes)
	}
}

func TestReserve(t *testing.T) {
	free := uint64(100 << 20)
	now := time.Now()
	s := openTemp(t, Options{Reserve: 50 << 20, Warn: 80 << 20, Now: func() time.Time { return now },
		hooks: hooks{diskFree: func(string) (uint64, uint64, error) { return free, 1 << 40, nil }}})
	q := put(t, s, msg("a", "x"))
	if st := s.Stats(); st.DiskLow || !st.Accepting {
		t.Errorf("%+v", st)
	}
	free, now = 70<<20, now.Add(time.Minute)
	if st := s.Stats(); !st.DiskLow || !st.Accepting {
		t.Errorf("%+v", st)
	}
	free, now = 40<<20, now.Add(time.Minute)
	if _, err := s.Put(context.Background(), msg("a", "y")); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if err := s.Done("a", q, Receipt{}); err != nil {
		t.Errorf("delivery goes on: %v", err)
	}
	free, now = 60<<20, now.Add(time.Minute)
	put(t, s, msg("a", "y"))
}
