package spool

import (
	"errors"
	"fmt"
	"time"
)

// Why the spool does not take messages now. Put and Accepting wrap them.
var (
	// ErrFull: the disk is below its reserve. It ends by itself when space returns.
	ErrFull = errors.New("spool is full: free disk space, then intake goes on by itself")

	// ErrFailed: the last commit failed and the file has not been read back
	// successfully yet. The spool keeps trying by itself.
	ErrFailed = errors.New("spool cannot write: check the disk and the system log")

	// ErrClosed: Close was called.
	ErrClosed = errors.New("spool is closed")

	// ErrTooLarge: the payload is larger than Options.MaxPayload. It will not be
	// taken later either.
	ErrTooLarge = errors.New("message is larger than the spool takes")
)

// Why an operation on one record is refused. They come inside a RecordError.
var (
	// ErrNotFound: no record has this number (any more).
	ErrNotFound = errors.New("no such record")

	// ErrWrongLane: the record is another analyzer's.
	ErrWrongLane = errors.New("the record belongs to another lane")

	// ErrWrongState: the record is not in a state in which this can be done.
	ErrWrongState = errors.New("the record's state does not allow it")

	// ErrDamaged: the stored bytes fail their checksum and are not given out.
	ErrDamaged = errors.New("the record is damaged on disk")
)

// Why Open refuses a file that is not damaged.
var (
	// ErrNewer: a later version of labcourier wrote the file.
	ErrNewer = errors.New("a newer labcourier wrote this spool: install that version again, or go back to the copy from before the upgrade (INSTALL.md says how)")

	// ErrKey: the file's records are encrypted and the key to read them is
	// missing or another one. Nothing was changed.
	ErrKey = errors.New("the encryption key does not fit this spool: give the key it was written with")
)

// RecordError tells which record an operation was refused for, and why.
type RecordError struct {
	Op   string // "done", "park", "retry", "discard", "get", "next"
	Lane string // "" when the operation names none
	Seq  Seq
	Err  error
}

func (e *RecordError) Error() string {
	if e.Lane == "" {
		return fmt.Sprintf("%s record %d: %v", e.Op, e.Seq, e.Err)
	}
	return fmt.Sprintf("%s record %d of %s: %v", e.Op, e.Seq, e.Lane, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }

// LockedError is Open's answer while another process has the spool.
type LockedError struct {
	Path  string
	PID   int       // 0: not known
	Since time.Time // zero: not known
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
		if !e.Since.IsZero() {
			who += " since " + e.Since.UTC().Format(time.RFC3339)
		}
	}
	return fmt.Sprintf("spool %s is in use by %s: ask the running agent, or stop it first", e.Path, who)
}
