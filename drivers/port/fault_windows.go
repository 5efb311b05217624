package port

import (
	"errors"
	"io"
	"slices"
	"syscall"

	"golang.org/x/sys/windows"
)

// isAny reports whether err comes down to one of the error numbers. The names
// that package syscall borrows from Unix are never what Windows returns.
func isAny(err error, numbers ...syscall.Errno) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains(numbers, errno)
}

// hungUp reports whether a read error means that the other end is gone: the
// socket was reset or given up by keep-alive, the adapter was pulled out. The
// drivers of USB adapters disagree on the number for the latter.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || isAny(err,
		windows.WSAECONNRESET, windows.WSAECONNABORTED, windows.WSAETIMEDOUT,
		windows.WSAENETRESET, windows.WSAENETDOWN, windows.WSAENETUNREACH, windows.WSAEHOSTUNREACH,
		windows.ERROR_NETNAME_DELETED, windows.ERROR_SEM_TIMEOUT,
		windows.ERROR_OPERATION_ABORTED, windows.ERROR_BAD_COMMAND, windows.ERROR_ACCESS_DENIED,
		windows.ERROR_DEVICE_REMOVED, windows.ERROR_DEVICE_NOT_CONNECTED, windows.ERROR_GEN_FAILURE,
		windows.ERROR_NOT_READY, windows.ERROR_FILE_NOT_FOUND, windows.ERROR_NO_SUCH_DEVICE,
		windows.ERROR_IO_DEVICE, windows.ERROR_INVALID_FUNCTION)
}

func isRefused(err error) bool { return isAny(err, windows.WSAECONNREFUSED) }
func isUnreachable(err error) bool {
	return isAny(err, windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH)
}
func isAddrInUse(err error) bool   { return isAny(err, windows.WSAEADDRINUSE) }
func isAddrMissing(err error) bool { return isAny(err, windows.WSAEADDRNOTAVAIL) }
func isDenied(err error) bool      { return isAny(err, windows.WSAEACCES) }

// isShortage reports whether accepting failed for want of something that may
// come back, while the listener itself is sound.
func isShortage(err error) bool {
	return isAny(err, windows.WSAEMFILE, windows.WSAENOBUFS, windows.ERROR_NOT_ENOUGH_MEMORY)
}
