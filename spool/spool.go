package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Spool is an open store. Its methods may be called from any goroutine.
type Spool struct {
	path   string
	opt    Options                 // as it was opened with
	limits atomic.Pointer[Options] // as they are now; only what Adjust takes is used
	keys   *keyring
	secret atomic.Pointer[[32]byte] // of the digest index
	lock   *lock
	queue  *queue
	space  *space

	closing  chan struct{} // closed when Close begins
	stop     chan struct{} // closed when nothing is put into the queue any more
	stopped  chan struct{} // closed when the writer has ended
	commands chan func()   // run by the writer between two groups
	closeOne sync.Once
	closeErr error

	// Only the writer sets db, and holds dbMu for writing while it does. Read
	// transactions hold it for reading.
	dbMu sync.RWMutex
	db   *bolt.DB

	// The writer's own.
	commits     uint64 // number of the last commit
	found       uint64 // the last commit when the file was opened
	changes     changes
	pace        pace
	retry       time.Duration // pause before the next attempt to reopen
	fresh       fresh         // what the digest index in the file lacks
	arrived     int           // how many arrivals are in the file
	begun       bool          // the file was open once, and got its first commit
	unproven    bool          // opened without going through the whole file
	olderMeta   bool          // the newer meta page of the two could not be read
	undone      bool          // the last commit was torn, and undone
	summed      bool          // the last commit's sum is in the file
	unconfirmed bool          // the last commit may hold something
	proved      time.Time     // when the whole file was last gone through before it was opened
	scrubbed    time.Time     // when it was last gone through in use
	handle      *os.File      // bbolt's

	markerMu    sync.Mutex     // held while the marker is changed
	maintenance sync.Mutex     // held by backup, compaction and scrub
	background  sync.WaitGroup // compactions and scrubs that nobody asked for

	// What is known of the file, as of the last commit.
	mu        sync.Mutex
	lanes     map[string]*lane
	names     map[uint32]string
	damage    []Damage
	published uint64
	failed    error         // why the file cannot be used now
	repaired  chan struct{} // closed when failed ends
	fault     error         // somebody met a bad page: the writer must reopen
	corrupt   time.Time     // when a bad entry was last reported
}

// lane is what memory holds of a lane.
type lane struct {
	head  laneHead
	ready chan struct{} // closed when a record comes to wait
}

// Open opens the spool in the database file path, or makes one. The folder is
// made if need be. A file that is damaged is set aside and read into a new
// one; Stats tells what was lost. Open fails when another process has the
// spool (LockedError), when a newer labcourier wrote it (ErrNewer), when it is
// encrypted with another key (ErrKey), or when the folder does not let it work.
//
// A disk that is full, or fails, is no reason to fail: a service would be
// started over and over. The spool then takes nothing, says why, and tries
// again by itself.
func Open(path string, o Options) (*Spool, error) {
	s, err := open(path, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	return s, nil
}

func open(path string, o Options) (*Spool, error) {
	keys, err := newKeyring(o.Keys)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l, err := takeLock(path, o.Now())
	if err != nil {
		return nil, err
	}
	s := &Spool{
		path: path, opt: o, keys: keys, lock: l, queue: newQueue(),
		space:   &space{dir: filepath.Dir(path), free: o.hooks.diskFree, reserve: o.Reserve, warn: o.Warn},
		closing: make(chan struct{}), stop: make(chan struct{}), stopped: make(chan struct{}),
		commands: make(chan func()), repaired: make(chan struct{}),
		lanes: map[string]*lane{}, names: map[uint32]string{},
	}
	s.limits.Store(&s.opt)
	switch err := s.start(); {
	case err != nil && passes(err):
		_ = s.closeFile()
		s.fail(waitsFor(err))
	case err != nil:
		_ = s.closeFile()
		_ = l.release()
		return nil, err
	}
	go func() {
		defer close(s.stopped)
		s.write()
	}()
	return s, nil
}

// Close waits for what Put and the others have under way, and closes the file.
// Calls made after it get ErrClosed.
func (s *Spool) Close() error {
	s.closeOne.Do(func() {
		close(s.closing)
		s.queue.close()
		close(s.stop)
		<-s.stopped
		s.background.Wait()
		s.maintenance.Lock() // a backup under way comes to its end first
		defer s.maintenance.Unlock()
		clean := s.leaveClean()
		s.closeErr = s.closeFile()
		if clean && s.closeErr == nil {
			s.noteClean()
		}
		if err := s.lock.release(); s.closeErr == nil {
			s.closeErr = err
		}
		if s.closeErr != nil {
			s.closeErr = fmt.Errorf("close spool %s: %w", s.path, s.closeErr)
		}
	})
	return s.closeErr
}

// leaveClean writes the rest of the digest index, and the free list, so that the
// next Open need not make them anew. Without it nothing is lost but time; after a
// commit that failed there must not be another.
func (s *Spool) leaveClean() bool {
	if s.db == nil || s.healthy() != nil || s.opt.hooks.crash {
		return false
	}
	return s.commit(one(&op{apply: (*txn).indexRest})) == nil && s.commitNothing(false) == nil
}

// adopt takes lane heads over. The caller holds mu.
func (s *Spool) adopt(heads []laneHead) {
	for _, h := range heads {
		l := s.laneLocked(h.name)
		more := h.waiting > l.head.waiting
		l.head = h
		s.names[h.id] = h.name
		if more {
			close(l.ready)
			l.ready = make(chan struct{})
		}
	}
}

// laneLocked returns what memory holds of a lane, which need not be in the
// file yet.
func (s *Spool) laneLocked(name string) *lane {
	l, ok := s.lanes[name]
	if !ok {
		l = &lane{ready: make(chan struct{})}
		s.lanes[name] = l
	}
	return l
}

// publish takes what a commit changed over into memory.
func (s *Spool) publish(t *txn) {
	s.fresh.take(&t.fresh)
	s.arrived += t.arrived
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = s.commits
	for _, h := range t.heads {
		s.adopt([]laneHead{*h})
	}
	if t.damageSet {
		s.damage = t.damage
	}
}

func (s *Spool) committedHead(name string) (laneHead, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.lanes[name]
	if !ok || l.head.id == 0 {
		return laneHead{}, false
	}
	return l.head, true
}

// stored is how many records there are.
func (s *Spool) stored() (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		n += l.head.waiting + l.head.parked + l.head.history
	}
	return n
}

func (s *Spool) laneName(id uint32) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := s.names[id]
	return name, ok
}

// heads returns the lanes that are in the file, by name.
func (s *Spool) heads() []laneHead {
	s.mu.Lock()
	defer s.mu.Unlock()
	heads := make([]laneHead, 0, len(s.names))
	for _, name := range s.names {
		heads = append(heads, s.lanes[name].head)
	}
	slices.SortFunc(heads, func(a, b laneHead) int { return strings.Compare(a.name, b.name) })
	return heads
}

// signals returns what Next waits for: a record in the lane, or the end of a
// failure.
func (s *Spool) signals(name string) (ready, repaired <-chan struct{}, err error) {
	select {
	case <-s.closing:
		return nil, nil, ErrClosed
	default:
	}
	if name == "" || len(name) > maxLaneName {
		return nil, nil, ErrNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.laneLocked(name).ready, s.repaired, nil
}
