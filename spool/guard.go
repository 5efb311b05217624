package spool

import (
	"fmt"
	"runtime/debug"
)

// faultError is a panic that came out of bbolt: a page that does not hold what
// it should.
type faultError struct{ what any }

func (e *faultError) Error() string { return fmt.Sprintf("database page fault: %v", e.what) }

// guard turns a panic in do into an error, and also a fault on an address that
// a bad page pointed at, or on a page of the mapped file that the disk cannot
// give. Go lets a program survive such a fault only in the goroutine that asked
// for it, so every step into bbolt goes through here.
func guard(do func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			err = &faultError{what: p}
		}
	}()
	return do()
}
