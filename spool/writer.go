package spool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// op is one change that waits for a commit. apply reads and checks before it
// changes anything, so that one refused op does not spoil its group.
type op struct {
	apply func(*txn) error
	bytes int
	done  chan error
	taken atomic.Bool // by the writer, or by a caller that gave up
	err   error       // of apply

	// spoilt: apply gave up in the middle. The group is begun again without it.
	spoilt bool

	// verify, if set, finds what apply wrote in a file that was read back.
	verify func(*view) error
}

// submit hands a change to the writer and waits until it is on stable storage.
// When ctx ends first the outcome is open: the change may still be committed.
func (s *Spool) submit(ctx context.Context, bytes int, apply func(*txn) error) error {
	return s.submitOp(ctx, &op{apply: apply, bytes: bytes})
}

func (s *Spool) submitOp(ctx context.Context, o *op) error {
	if err := s.enqueue(o); err != nil {
		return err
	}
	return s.await(ctx, o)
}

// enqueue hands o to the writer.
func (s *Spool) enqueue(o *op) error {
	o.done = make(chan error, 1)
	return s.queue.add(o)
}

// await waits until o is on stable storage.
func (s *Spool) await(ctx context.Context, o *op) error {
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		o.taken.CompareAndSwap(false, true)
		return ctx.Err()
	}
}

// write is the writer goroutine: the only one that changes the file.
func (s *Spool) write() {
	if s.opt.hooks.lockThread {
		runtime.LockOSThread()
	}
	chores := time.NewTimer(firstChore)
	defer chores.Stop()
	for {
		var quiet <-chan time.Time
		if s.unconfirmed {
			quiet = time.After(confirmAfter)
		}
		select {
		case <-s.queue.wake:
			s.commitGroup()
			if s.healthy() != nil {
				chores.Reset(s.nextChore())
			}
		case <-chores.C:
			s.chores()
			chores.Reset(s.nextChore())
		case <-quiet:
			s.confirm()
		case do := <-s.commands:
			do()
		case <-s.stop:
			for s.queue.length() > 0 {
				s.commitGroup()
			}
			return
		}
	}
}

// commitGroup runs the given ops, what waits, and what comes meanwhile, in one
// transaction, and answers each of them.
func (s *Spool) commitGroup(first ...*op) {
	s.checkFault()
	g := s.newGroup(first)
	if len(g.ops) == 0 {
		return
	}
	if err := s.healthy(); err != nil {
		answer(g.ops, err)
		return
	}
	err := s.commit(g.come)
	for errors.Is(err, errAgain) {
		kept := g.ops[:0]
		for _, o := range g.ops {
			if o.spoilt {
				o.answer(o.err)
			} else {
				kept = append(kept, o)
			}
		}
		g.ops = kept
		err = s.commit(slices.Values(g.ops))
	}
	if err != nil {
		s.settle(g.ops, err)
		return
	}
	s.pace.saw(len(g.ops)+s.queue.length(), time.Since(g.began))
	for _, o := range g.ops {
		if errors.Is(o.err, errCorrupt) {
			s.reportCorrupt(o.err)
		}
		o.answer(o.err)
	}
}

// commit applies ops and commits, or returns why it could not; then nothing is
// known about the file before it has been read back.
func (s *Spool) commit(ops iter.Seq[*op]) (err error) {
	s.changes.begin()
	var t *txn
	err = guard(func() error {
		var err error
		if t, err = beginTxn(s, s.db); err != nil {
			return err
		}
		if err := t.tidy(); err != nil {
			return err
		}
		for o := range ops {
			writes := t.writes
			if o.err = o.apply(t); o.err != nil && t.writes != writes {
				o.spoilt = true
				return errAgain
			}
		}
		if t.writes == 0 {
			return t.tx.Rollback()
		}
		if err := t.finish(s.commits + 1); err != nil {
			return err
		}
		if s.opt.hooks.commitFault != nil {
			if err := s.opt.hooks.commitFault(); err != nil {
				return err
			}
		}
		s.db.NoFreelistSync = longFreeList(s.db)
		err = s.commitTx(t.tx)
		if err == nil && s.opt.hooks.afterCommit != nil {
			err = s.opt.hooks.afterCommit()
		}
		return err
	})
	if err != nil {
		if t != nil {
			_ = guard(t.tx.Rollback) // after a failed Commit there is nothing left to roll back
		}
		s.changes.undo()
		if errors.Is(err, errAgain) {
			return err
		}
		return fmt.Errorf("commit: %w", err)
	}
	if t.writes > 0 {
		s.commits++
		s.publish(t)
	}
	return nil
}

// freeListMax is how many free pages a list may name that every commit writes:
// 64 KiB of it, next to some 20 KiB of a lone commit's own. A longer one, after a
// long backlog, is left out until the file has been compacted, at the price that
// Open after a crash goes through the file.
const freeListMax = 8192

func longFreeList(db *bolt.DB) bool {
	st := db.Stats()
	return st.FreePageN+st.PendingPageN > freeListMax
}

var errAgain = errors.New("begin the group again")

// one is the sequence of a single op.
func one(o *op) iter.Seq[*op] { return slices.Values([]*op{o}) }

func (o *op) answer(err error) {
	select {
	case o.done <- err:
	default: // answered already, by a negative control
	}
}

func answer(ops []*op, err error) {
	for _, o := range ops {
		o.answer(err)
	}
}
