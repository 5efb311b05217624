//go:build unix

package port

import "syscall"

// Error numbers as this system has them.
const (
	errRefused = syscall.ECONNREFUSED
	errNoRoute = syscall.EHOSTUNREACH
	errShort   = syscall.EMFILE
	errPulled  = syscall.EIO
	errOther   = syscall.EINVAL
)
