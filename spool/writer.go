package spool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bounds of one group. What does not fit waits for the next.
const (
	maxGroupOps   = 4096
	maxGroupBytes = 64 << 20
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
		select {
		case <-s.queue.wake:
			s.commitGroup(s.gather())
			if s.healthy() != nil {
				chores.Reset(s.nextChore())
			}
		case <-chores.C:
			s.chores()
			chores.Reset(s.nextChore())
		case do := <-s.commands:
			do()
		case <-s.stop:
			for ops := s.queue.take(); len(ops) > 0; ops = s.queue.take() {
				s.commitGroup(ops)
			}
			return
		}
	}
}

// gather takes what waits. When the last group held several it lingers for as
// many again, for at most a quarter of a commit: without that, half of the
// writers always just miss the group. A lone writer pays nothing.
func (s *Spool) gather() []*op {
	p := &s.pace
	want := min(p.lastGroup, maxGroupOps)
	if want > 1 && s.queue.waitFor(want) {
		t := time.NewTimer(p.commit / 4)
	linger:
		for {
			select {
			case <-s.queue.wake:
				if !s.queue.waitFor(want) {
					break linger
				}
			case <-t.C:
				break linger
			}
		}
		t.Stop()
	}
	return s.queue.take()
}

// pace is what the writer knows of its own speed.
type pace struct {
	lastGroup int
	commit    time.Duration // moving average
}

func (p *pace) saw(ops int, d time.Duration) {
	p.lastGroup = ops
	if p.commit == 0 {
		p.commit = d
	}
	p.commit += (d - p.commit) / 8
}

// commitGroup runs ops in one transaction and answers each of them.
func (s *Spool) commitGroup(ops []*op) {
	s.checkFault()
	ops = takeOver(ops)
	if len(ops) == 0 {
		return
	}
	if err := s.healthy(); err != nil {
		answer(ops, err)
		return
	}
	began := time.Now()
	if s.opt.hooks.ackEarly {
		answer(ops, nil)
	}
	err := s.commit(ops)
	for errors.Is(err, errAgain) {
		kept := ops[:0]
		for _, o := range ops {
			if o.spoilt {
				o.answer(o.err)
			} else {
				kept = append(kept, o)
			}
		}
		ops = kept
		err = s.commit(ops)
	}
	if err != nil {
		s.settle(ops, err)
		return
	}
	s.pace.saw(len(ops), time.Since(began))
	for _, o := range ops {
		if errors.Is(o.err, errCorrupt) {
			s.reportCorrupt(o.err)
		}
		o.answer(o.err)
	}
}

// commit applies ops and commits, or returns why it could not; then nothing is
// known about the file before it has been read back.
func (s *Spool) commit(ops []*op) (err error) {
	s.changes.begin()
	var t *txn
	err = guard(func() error {
		var err error
		if t, err = beginTxn(s, s.db); err != nil {
			return err
		}
		for _, o := range ops {
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
		err = t.tx.Commit()
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

// takeOver drops the ops whose callers gave up waiting.
func takeOver(ops []*op) []*op {
	kept := ops[:0]
	for _, o := range ops {
		if o.taken.CompareAndSwap(false, true) {
			kept = append(kept, o)
		}
	}
	return kept
}

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
