package porttest

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

// What is reserved is refused to callers, given to nobody who asks for any port,
// and had by who asks for it by its number, again and again.
func TestReserve(t *testing.T) {
	addresses := Reserve(t, 300)
	held := map[string]bool{}
	for _, a := range addresses {
		held[a] = true
	}
	if len(held) != len(addresses) {
		t.Fatalf("%d different of %d", len(held), len(addresses))
	}
	for _, a := range Reserve(t, 300) {
		if held[a] {
			t.Errorf("%s is given twice", a)
		}
	}
	for range 300 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if held[l.Addr().String()] {
			t.Errorf("%s is given to a listener on any port", l.Addr())
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if held[c.LocalAddr().String()] {
			t.Errorf("%s is given to a connection", c.LocalAddr())
		}
	}
	for _, a := range addresses[:50] {
		for range 2 {
			if _, err := net.Dial("tcp", a); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("dialled: %v", err)
			}
			for _, as := range []string{a, strings.Replace(a, "127.0.0.1", "", 1)} { // all of the computer's addresses
				used(t, as)
			}
		}
	}
}

// used listens, takes a connection and closes both.
func used(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if other, err := net.Listen("tcp4", address); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("two listen on %s: %v, %v", address, other, err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	far.Close() // first, so that the port has connections that linger
}
