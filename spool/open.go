package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// passes tells of an error at opening that may go away by itself.
func passes(err error) bool { return isNoSpace(err) || readFault(err) }

// waitsFor says what a spool that cannot open its file waits for.
func waitsFor(err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("%w (%v)", ErrFull, err)
	}
	return fmt.Errorf("%w: %v", ErrFailed, err)
}

// start brings the file into a state to work with.
func (s *Spool) start() error {
	if err := s.openProbed(); err != nil {
		return err
	}
	if !s.begun {
		if err := s.firstCommit(); err != nil {
			return err
		}
		s.begun = true
	}
	if err := s.passBy(); err != nil {
		return err
	}
	s.startScrub(s.unproven)
	return nil
}

// openProbed opens the file after a look at it. Where a short look was enough
// and bbolt then meets a bad page all the same, the file is gone through.
func (s *Spool) openProbed() error {
	err := s.prepare()
	if err == nil {
		err = s.openFile()
	}
	if err == nil || !s.unproven || !isDamage(err) {
		return err
	}
	s.reportFault(err)
	if err := s.prepare(); err != nil {
		return err
	}
	return s.openFile()
}

// isDamage tells bytes that are not what was written from other failures.
func isDamage(err error) bool {
	return errors.Is(err, errCorrupt) || errors.Is(err, errPage) || errors.As(err, new(*faultError))
}

// openFile opens the file, which has been probed, and reads what memory holds
// of it.
func (s *Spool) openFile() error {
	var db *bolt.DB
	bo := s.opt.boltOptions()
	open := bo.OpenFile
	if open == nil {
		open = os.OpenFile
	}
	bo.OpenFile = func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
		f, err = open(name, flag, perm)
		s.handle = f
		return f, err
	}
	err := guard(func() (err error) {
		db, err = bolt.Open(s.path, 0o600, bo)
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return &LockedError{Path: s.path}
	}
	if errors.As(err, new(*faultError)) && s.handle != nil {
		_ = s.handle.Close() // bbolt did not, and its lock would keep us out too
	}
	if err != nil {
		return err
	}
	var l loaded
	err = guard(func() (err error) {
		l, err = s.loadMemory(db)
		return err
	})
	if err != nil {
		_ = guard(db.Close)
		return err
	}
	s.dbMu.Lock()
	s.db = db
	s.dbMu.Unlock()
	s.noteSum()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = l.commits
	s.commits, s.published, s.damage, s.fresh, s.arrived = l.commits, l.commits, l.damage, l.fresh, l.arrived
	s.adopt(l.heads)
	return nil
}

// closeFile takes the file away from readers and closes it.
func (s *Spool) closeFile() error {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	db := s.db
	s.db = nil
	if db == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- guard(db.Close) }()
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case err := <-closed:
		return err
	case <-t.C:
		// A fault inside bbolt left one of its locks held. The file's lock at
		// least must go.
		_ = s.handle.Close()
		return fmt.Errorf("%s could not be closed in good order", s.path)
	}
}

// closeTime is how long bbolt gets to close its file. It waits for readers,
// who notice within moments.
const closeTime = 30 * time.Second

// passBy leaves out the numbers that a commit gave out which is not in the file any
// more: somebody may have read them. One that was torn, and undone, had not been
// acknowledged. Of one whose meta page cannot be read nobody knows: a power cut
// may have torn it, or the disk lost it later.
func (s *Spool) passBy() error {
	if !s.olderMeta && !s.undone {
		return nil
	}
	o := &op{done: make(chan error, 1), apply: func(t *txn) error {
		last := Seq(t.b[records].Sequence())
		if err := t.b[records].SetSequence(uint64(last) + maxGroupOps); err != nil {
			return err
		}
		if s.undone {
			if err := t.audit(auditUndo, "", last, tornNote); err != nil {
				return err
			}
		}
		if !s.olderMeta {
			return nil
		}
		d := Damage{
			At:   s.opt.Now().UTC(),
			What: "one of the two meta pages could not be read: what the last commit held is lost, unless a power cut fell into it, for then it was not acknowledged",
			Lost: []Range{{From: last + 1, To: last + maxGroupOps, Uncertain: true}},
		}
		return t.putDamage(append(readDamage(&t.view), d))
	}}
	if err := s.commit(one(o)); err != nil {
		return err
	}
	s.olderMeta, s.undone = false, false
	return o.err
}

const tornNote = "a crash tore the last commit, of which nobody had been told: what came after this number is not here"

// firstCommit does what an opened file is owed: migrations, and what a process
// that died left behind.
func (s *Spool) firstCommit() error {
	s.opt.step("open: first commit")
	// The migration goes alone: where it fails, nothing else changes either.
	if err := s.commitAll(s.migrate); err != nil {
		return err
	}
	if err := s.commitAll(s.endDrafts, s.keepKeys); err != nil {
		return err
	}
	s.opt.step("open: committed")
	return nil
}

// commitAll commits changes that none may refuse.
func (s *Spool) commitAll(changes ...func(*txn) error) error {
	var ops []*op
	for _, apply := range changes {
		ops = append(ops, &op{apply: apply, done: make(chan error, 1)})
	}
	err := s.commit(slices.Values(ops))
	for _, o := range ops {
		if o.err != nil {
			return o.err
		}
	}
	return err
}
