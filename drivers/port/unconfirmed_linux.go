package port

import (
	"time"

	"golang.org/x/sys/unix"
)

// setUnconfirmed makes the system give a connection up when sent bytes have not
// been confirmed for so long. Accepted connections inherit it of the listener.
func setUnconfirmed(fd uintptr, limit time.Duration) error {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
}
