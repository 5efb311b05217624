package spool

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestResponds(t *testing.T) {
	s := openTemp(t, Options{})
	if err := s.Responds(t.Context()); err != nil {
		t.Errorf("an idle writer: %v", err)
	}
	// A writer that hangs, as in a flush that does not end.
	held, release := make(chan struct{}), make(chan struct{})
	s.commands <- func() { close(held); <-release }
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Responds(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a writer that hangs: %v", err)
	}
	close(release)
	if err := s.Responds(t.Context()); err != nil {
		t.Errorf("a writer that went on: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Responds(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed spool: %v", err)
	}
}

// TestRespondsInChore: a writer that commits group after group answers nobody
// for a while, and is alive all the same.
func TestRespondsInChore(t *testing.T) {
	s := openTemp(t, Options{})
	before := s.lastCommit()
	release := make(chan struct{})
	defer close(release)
	committed := make(chan struct{})
	s.commands <- func() {
		s.commitGroup(&op{done: make(chan error, 1), apply: func(t *txn) error { return t.put(settings, []byte("test"), []byte{1}) }})
		close(committed)
		<-release
	}
	<-committed
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.respondsAfter(ctx, before); err != nil {
		t.Errorf("a writer that committed: %v", err)
	}
	if err := s.respondsAfter(ctx, s.lastCommit()); err == nil {
		t.Error("a writer that committed nothing since counts as alive")
	}
}
