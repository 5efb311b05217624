package port

import (
	"time"

	"golang.org/x/sys/windows"
)

// setUnconfirmed makes the system give a connection up when sent bytes have not
// been confirmed for so long, in whole seconds.
func setUnconfirmed(fd uintptr, limit time.Duration) error {
	return windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_MAXRT, max(1, int(limit.Seconds())))
}
