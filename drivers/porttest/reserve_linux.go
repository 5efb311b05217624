package porttest

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// Reserve returns n different addresses of this computer. Until the test ends the
// system gives them to nobody by itself: who dials one is refused, and who listens
// on one by its number, as Go and Node do, has it.
func Reserve(t testing.TB, n int) (addresses []string) {
	t.Helper()
	for range n {
		number, err := reserve(t)
		if err != nil {
			t.Fatalf("reserve a port: %v", err)
		}
		addresses = append(addresses, fmt.Sprint("127.0.0.1:", number))
	}
	return addresses
}

// reserve holds a port by a socket that is bound and does not listen.
func reserve(t testing.TB) (number int, err error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { _ = unix.Close(s) })
	if err := unix.Bind(s, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	// Only now, or the port could be one that somebody else holds like this.
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	a, err := unix.Getsockname(s)
	if err != nil {
		return 0, err
	}
	return a.(*unix.SockaddrInet4).Port, nil
}
