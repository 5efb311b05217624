package spool

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Pauses between attempts to reopen a file that cannot be read.
const minRetry, maxRetry = time.Second, 30 * time.Second

// healthy returns nil, or why the file cannot be used now.
func (s *Spool) healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *Spool) healthyOrClosed() error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
		return s.healthy()
	}
}

func (s *Spool) whyNoDB() error {
	if err := s.healthyOrClosed(); err != nil {
		return err
	}
	return fmt.Errorf("the file is being reopened: %w", ErrFailed)
}

// settle finds out what became of a group whose commit failed. Memory says
// nothing and neither does the error: a flush that failed may have left the
// group in the file or not, and in the page cache what is not on disk. So the
// file is closed, read back from the disk, and its commit number tells.
func (s *Spool) settle(ops []*op, cause error) {
	kind := ErrFailed
	if isNoSpace(cause) {
		kind = ErrFull
		s.space.wasFull(s.opt.Now())
	}
	number := s.commits + 1
	s.fail(fmt.Errorf("%w: %v", ErrFailed, cause))
	if isDamage(cause) {
		s.reportFault(cause)
	}
	if err := s.reopen(); err != nil {
		s.fail(waitsFor(err))
		answer(ops, fmt.Errorf("%w: %v", kind, cause))
		return
	}
	committed := s.found == number
	for _, o := range ops {
		switch {
		case committed && (o.err != nil || o.verify == nil):
			o.answer(o.err)
		case committed && s.read(o.verify) == nil:
			o.answer(nil)
		default:
			o.answer(fmt.Errorf("%w: %v", kind, cause))
		}
	}
}

// fail stops intake. Readers of the file go on while there is one.
func (s *Spool) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// reopen closes the file and opens it again as if the process had started
// anew, and only then lets intake go on.
func (s *Spool) reopen() error {
	s.changes.stop()
	_ = s.closeFile()
	if err := s.fromDisk(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		_ = s.closeFile()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.fault = nil, nil
	s.retry = 0
	close(s.repaired)
	s.repaired = make(chan struct{})
	return nil
}

// fromDisk makes sure that what is read next is what the disk holds. A flush
// that works now proves nothing of the one that failed; dropping the cached
// pages after it does.
func (s *Spool) fromDisk() error {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // prepare will see to it
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flush %s: %w", s.path, err)
	}
	return dropCache(f)
}

// reportFault is how whoever met a bad page tells the writer, which goes through
// the file before it opens it again.
func (s *Spool) reportFault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		s.fault = err
		s.failed = fmt.Errorf("%w: %v", ErrFailed, err)
	}
	s.queue.wakeUp()
}

// reportCorrupt reports a small entry that fails its checksum. When the file has
// just been gone through, doing it again would show nothing new.
func (s *Spool) reportCorrupt(err error) {
	s.mu.Lock()
	soon := time.Since(s.corrupt) < corruptEvery
	if !soon {
		s.corrupt = time.Now()
	}
	s.mu.Unlock()
	if !soon {
		s.reportFault(err)
	}
}

// corruptEvery is how often a bad entry may make the writer go through the file.
const corruptEvery = 5 * time.Minute

// suspected tells that somebody met a bad page since the file was opened.
func (s *Spool) suspected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault != nil
}

// tryAgain reopens a file that failed, with growing pauses.
func (s *Spool) tryAgain() {
	if s.healthy() == nil {
		return
	}
	if err := s.reopen(); err != nil {
		s.fail(waitsFor(err))
		s.retry = min(max(2*s.retry, minRetry), maxRetry)
	}
}

// checkFault lets the writer act on what a reader met.
func (s *Spool) checkFault() {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		s.tryAgain()
	}
}
