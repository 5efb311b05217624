package spool

import (
	"fmt"
	"sync"
	"time"
)

// space watches the free space of the spool's disk.
type space struct {
	dir  string
	free func(dir string) (free, total uint64, err error)

	mu            sync.Mutex
	reserve, warn int64 // as in Options
	looked        time.Time
	left          uint64
	total         uint64
	noSpace       time.Time // when a write last found no space; zero: it did not
}

// lookEvery is how old the answer about free space may be. A burst fits into
// the reserve for as long.
const lookEvery = time.Second

// look returns the free space, whether it is below the warn mark, and the
// reserve.
func (sp *space) look(now time.Time) (left uint64, low bool, reserve uint64) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.refresh(now)
	reserve = sp.mark(sp.reserve, DefaultReserve)
	return sp.left, sp.left < sp.mark(sp.warn, DefaultWarn) || sp.left < reserve, reserve
}

// check returns ErrFull, wrapped, below the reserve, and for a moment after a
// write that found no space.
func (sp *space) check(now time.Time) error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.refresh(now)
	if age := now.Sub(sp.noSpace); !sp.noSpace.IsZero() && age >= 0 && age < lookEvery {
		return fmt.Errorf("no space for the last write: %w", ErrFull)
	}
	if reserve := sp.mark(sp.reserve, DefaultReserve); sp.left < reserve {
		return fmt.Errorf("%d MiB free in %s, %d MiB are kept in reserve: %w", sp.left>>20, sp.dir, reserve>>20, ErrFull)
	}
	return nil
}

func (sp *space) refresh(now time.Time) {
	if age := now.Sub(sp.looked); age >= 0 && age < lookEvery && !sp.looked.IsZero() {
		return
	}
	// A disk that does not tell its free space is not thereby full: the write
	// itself will say so.
	left, total, err := sp.free(sp.dir)
	if err != nil {
		left, total = ^uint64(0), ^uint64(0)
	}
	sp.left, sp.total, sp.looked = left, total, now
}

// mark is a limit as set, or its default, which a small disk lowers to a tenth
// of itself.
func (sp *space) mark(set int64, def uint64) uint64 {
	switch {
	case set > 0:
		return uint64(set)
	case set < 0:
		return 0
	}
	return min(def, sp.total/10)
}

func (sp *space) wasFull(now time.Time) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.noSpace, sp.looked = now, time.Time{}
}

// adjust sets the marks anew.
func (sp *space) adjust(reserve, warn int64) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.reserve, sp.warn = reserve, warn
}
