package spool

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// lockInfo is what the lock file says of its holder. The lock itself is the
// system's; the text is only for people.
type lockInfo struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// lock is held for as long as the spool is open, also while the database file
// under it is being replaced, when bbolt's own lock is gone for a moment.
type lock struct{ f *os.File }

func takeLock(dbPath string, now time.Time) (*lock, error) {
	path := dbPath + lockSuffix
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock spool: %w", err)
	}
	giveAway(f)
	held, err := lockFile(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock spool %s: %w", path, err)
	}
	if held {
		defer f.Close()
		return nil, heldBy(dbPath, f)
	}
	text, err := json.Marshal(lockInfo{PID: os.Getpid(), Since: now.UTC().Truncate(time.Second)})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	// On a full disk the text cannot be written; the lock holds all the same.
	_ = err
	return &lock{f: f}, nil
}

func heldBy(dbPath string, f *os.File) error {
	held := &LockedError{Path: dbPath}
	text := make([]byte, 512)
	n, _ := f.ReadAt(text, 0)
	var info lockInfo
	if json.Unmarshal(text[:n], &info) == nil {
		held.PID, held.Since = info.PID, info.Since
	}
	return held
}

// release gives the lock back. The file stays: removing it would let two
// processes hold locks on two files of the same name.
func (l *lock) release() error { return l.f.Close() }
