package port

import "golang.org/x/sys/windows"

// Error numbers as this system has them.
const (
	errRefused = windows.WSAECONNREFUSED
	errNoRoute = windows.WSAEHOSTUNREACH
	errShort   = windows.WSAEMFILE
	errPulled  = windows.ERROR_DEVICE_REMOVED
	errOther   = windows.WSAEINVAL
)
