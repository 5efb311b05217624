package port

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/labcourier/labcourier/drivers"
)

// Both kinds of TCP connection probe a silent peer and give up one that does
// not confirm; below zero turns both off.
func TestSocketOptions(t *testing.T) {
	tests := []struct {
		name                        string
		idle                        time.Duration
		on, idleS, intervalS, count int
		unconfirmedMS               int
	}{
		{"default", 0, 1, 15, 5, 3, 30000},
		{"a minute", time.Minute, 1, 60, 20, 3, 120000},
		{"off", -1, 0, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln := listening(t, ListenConfig{Address: "127.0.0.1:0", KeepAlive: tt.idle})
			out := open(t, must(Connect(ConnectConfig{Address: ln.Addr(), KeepAlive: tt.idle}))(t))
			in := open(t, ln)
			for end, c := range map[string]drivers.Conn{"connect": out, "listen": in} {
				get := options(t, c)
				if on := get(unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != tt.on {
					t.Errorf("%s: keep-alive is %d", end, on)
				}
				if ms := get(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); ms != tt.unconfirmedMS {
					t.Errorf("%s: unconfirmed bytes may wait %d ms", end, ms)
				}
				if tt.on == 0 {
					continue
				}
				i, v, n := get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
				if i != tt.idleS || v != tt.intervalS || n != tt.count {
					t.Errorf("%s: probes after %d s, every %d s, %d times", end, i, v, n)
				}
			}
		})
	}
}

func options(t *testing.T, c drivers.Conn) func(level, name int) int {
	var inner net.Conn
	switch c := c.(type) {
	case *tcpConn:
		inner = c.Conn
	case *guest:
		inner = c.Conn
	}
	raw := must(inner.(*net.TCPConn).SyscallConn())(t)
	return func(level, name int) int {
		t.Helper()
		var v int
		var err error
		raw.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), level, name) })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
