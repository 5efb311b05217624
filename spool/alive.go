package spool

import (
	"context"
	"fmt"
)

// Responds returns nil once the writer has shown that it goes on: it came to
// rest between two groups, or committed one. A flush under way is waited for
// until ctx ends. It says nothing about whether a Put would be taken; see
// Accepting.
func (s *Spool) Responds(ctx context.Context) error {
	return s.respondsAfter(ctx, s.lastCommit())
}

func (s *Spool) respondsAfter(ctx context.Context, commit uint64) error {
	select {
	case s.commands <- func() {}:
		return nil
	case <-s.stopped:
		return ErrClosed
	case <-ctx.Done():
	}
	if s.lastCommit() != commit { // a long chore, group by group
		return nil
	}
	return fmt.Errorf("the spool's writer gives no sign of life: %w", context.Cause(ctx))
}

func (s *Spool) lastCommit() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.published
}
