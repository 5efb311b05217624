//go:build !linux

package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Reserve returns n different addresses of this computer that nobody listens on.
// Their ports are below those that systems give out by themselves, which is the
// best that can be had where a port cannot be held for somebody else.
func Reserve(t testing.TB, n int) (addresses []string) {
	t.Helper()
	var taken []net.Listener // all until all are found
	for tries := 0; len(addresses) < n; tries++ {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 15000+rand.N(17000)))
		if err != nil {
			if tries >= 1000 {
				t.Fatal(err)
			}
			continue
		}
		taken = append(taken, l)
		addresses = append(addresses, l.Addr().String())
	}
	for _, l := range taken {
		l.Close()
	}
	return addresses
}
