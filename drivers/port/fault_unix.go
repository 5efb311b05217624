//go:build unix

package port

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// isAny reports whether err comes down to one of the error numbers.
func isAny(err error, numbers ...syscall.Errno) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	for _, n := range numbers {
		if ok && errno == n {
			return true
		}
	}
	return false
}

// hungUp reports whether a read error means that the other end is gone: the
// socket was reset or given up by keep-alive, the adapter was pulled out.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || isAny(err,
		syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN,
		syscall.EIO, syscall.ENXIO, syscall.ENODEV)
}

func isRefused(err error) bool     { return isAny(err, syscall.ECONNREFUSED) }
func isUnreachable(err error) bool { return isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH) }
func isAddrInUse(err error) bool   { return isAny(err, syscall.EADDRINUSE) }
func isAddrMissing(err error) bool { return isAny(err, syscall.EADDRNOTAVAIL) }
func isDenied(err error) bool      { return errors.Is(err, fs.ErrPermission) }

// isShortage reports whether accepting failed for want of something that may
// come back, while the listener itself is sound.
func isShortage(err error) bool {
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM)
}
