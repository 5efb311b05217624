package port

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers/porttest"
)

func TestConnectConfig(t *testing.T) {
	tests := []struct {
		name string
		cfg  ConnectConfig
		err  string
	}{
		{"IPv4", ConnectConfig{Address: "10.0.5.12:4001"}, ""},
		{"IPv6", ConnectConfig{Address: "[fd00::12]:4001"}, ""},
		{"name", ConnectConfig{Address: "analyzer.lab:4001"}, ""},
		{"empty", ConnectConfig{}, "empty"},
		{"no port", ConnectConfig{Address: "10.0.5.12"}, "not host:port"},
		{"no host", ConnectConfig{Address: ":4001"}, "names no host"},
		{"port 0", ConnectConfig{Address: "10.0.5.12:0"}, "port 0"},
		{"negative timeout", ConnectConfig{Address: "10.0.5.12:1", DialTimeout: -1}, "negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Connect(tt.cfg)
			switch {
			case tt.err == "" && (err != nil || p.String() != "tcp connect "+tt.cfg.Address):
				t.Errorf("Connect = %v, %v", p, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("Connect = %v, want an error that says %q", err, tt.err)
			}
		})
	}
}

func TestConnectFaults(t *testing.T) {
	op := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{Port: 1}, Err: err}
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"refused", op(os.NewSyscallError("connect", errRefused)), "connect a:1: " + errRefused.Error() + ": the machine is there"},
		{"no route", op(os.NewSyscallError("connect", errNoRoute)), "connect a:1: " + errNoRoute.Error() + ": check the address"},
		{"no answer", op(os.ErrDeadlineExceeded), "connect a:1: no answer within 10s: check that"},
		{"no such name", op(&net.DNSError{Err: "no such host", Name: "a", IsNotFound: true}), "connect a:1: no such host: check the host name"},
		{"no name service", op(&net.DNSError{Err: "server misbehaving", Name: "a"}), "connect a:1: server misbehaving: the name service"},
		{"anything else", op(os.NewSyscallError("connect", errOther)), "connect a:1: " + errOther.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := must(Connect(ConnectConfig{Address: "a:1"}))(t).(*connectPort)
			p.dial = func(context.Context, string, string) (net.Conn, error) { return nil, tt.err }
			if _, err := p.Open(t.Context()); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Open = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestConnectRefused(t *testing.T) {
	p := must(Connect(ConnectConfig{Address: porttest.Reserve(t, 1)[0]}))(t)
	if _, err := p.Open(t.Context()); err == nil || !isRefused(err) {
		t.Errorf("Open = %v", err)
	}
}

// The context ends a dial that hangs.
func TestConnectContext(t *testing.T) {
	p := must(Connect(ConnectConfig{Address: "192.0.2.1:1"}))(t).(*connectPort)
	dialing := make(chan struct{})
	p.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		close(dialing)
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := inBackground(func() error { _, err := p.Open(ctx); return err })
	<-dialing
	cancel()
	if err := receive(t, done, "Open to return"); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v", err)
	}
	if _, err := p.Open(ctx); !errors.Is(err, context.Canceled) { // would dial, and panic, otherwise
		t.Errorf("Open with an ended context = %v", err)
	}
}

// An analyzer that is switched off resets its connections.
func TestReset(t *testing.T) {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer ln.Close()
	c := open(t, must(Connect(ConnectConfig{Address: ln.Addr().String()}))(t))
	peer := must(ln.Accept())(t).(*net.TCPConn)
	peer.SetLinger(0)
	peer.Close()
	if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Errorf("Read = %d, %v, want 0, EOF", n, err)
	}
}

func TestKeepAlive(t *testing.T) {
	tests := []struct {
		idle time.Duration
		want net.KeepAliveConfig
	}{
		{0, net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}},
		{time.Minute, net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 20 * time.Second, Count: 3}},
		{time.Second, net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}},
		{-1, net.KeepAliveConfig{}},
	}
	for _, tt := range tests {
		if got := keepAlive(tt.idle); got != tt.want {
			t.Errorf("keepAlive(%v) = %+v, want %+v", tt.idle, got, tt.want)
		}
	}
}
