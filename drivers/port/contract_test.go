package port

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// bench is a port with an analyzer at its other end.
type bench struct {
	port drivers.Port

	// plug makes the analyzer ready and returns its end. The end is there once
	// Open has returned.
	plug func(t *testing.T) io.ReadWriteCloser
}

// benches are the ports that TestConn and TestLine run over; the platform's
// files add serial lines.
func benches() map[string]func(t *testing.T) bench {
	all := map[string]func(t *testing.T) bench{"listen": listenBench, "connect": connectBench}
	addSerialBench(all)
	return all
}

func listenBench(t *testing.T) bench {
	p := listening(t, ListenConfig{Address: "127.0.0.1:0"})
	return bench{port: p, plug: func(t *testing.T) io.ReadWriteCloser { return dial(t, p) }}
}

func connectBench(t *testing.T) bench {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { ln.Close() })
	p := must(Connect(ConnectConfig{Address: ln.Addr().String()}))(t)
	return bench{port: p, plug: func(t *testing.T) io.ReadWriteCloser {
		end := &lateEnd{ready: make(chan struct{})}
		go func() {
			defer close(end.ready)
			if c, err := ln.Accept(); err == nil {
				end.ReadWriteCloser = c
			}
		}()
		t.Cleanup(func() { ln.Close(); end.Close() })
		return end
	}}
}

// lateEnd is an end that is there once it was accepted.
type lateEnd struct {
	ready chan struct{}
	io.ReadWriteCloser
}

func (e *lateEnd) Read(p []byte) (int, error)  { <-e.ready; return e.ReadWriteCloser.Read(p) }
func (e *lateEnd) Write(p []byte) (int, error) { <-e.ready; return e.ReadWriteCloser.Write(p) }
func (e *lateEnd) Close() error {
	if <-e.ready; e.ReadWriteCloser == nil {
		return nil
	}
	return e.ReadWriteCloser.Close()
}

// TestConn holds every port to the contract of drivers.Conn.
func TestConn(t *testing.T) {
	tests := map[string]func(t *testing.T, c drivers.Conn, peer io.ReadWriteCloser){
		"both ways": func(t *testing.T, c drivers.Conn, peer io.ReadWriteCloser) {
			want := allBytes()
			if n, err := c.Write(want); n != len(want) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			wantRead(t, peer, want)
			must(peer.Write(want))(t)
			wantRead(t, c, want)
		},
		"one byte at a time": func(t *testing.T, c drivers.Conn, peer io.ReadWriteCloser) {
			for _, b := range []byte("\x05\x02\x04") {
				must(peer.Write([]byte{b}))(t)
				wantRead(t, c, []byte{b})
				must(c.Write([]byte{b}))(t)
				wantRead(t, peer, []byte{b})
			}
		},
		"read into nothing": func(t *testing.T, c drivers.Conn, _ io.ReadWriteCloser) {
			if n, err := c.Read(nil); n != 0 || err == nil {
				t.Errorf("Read(nil) = %d, %v, want an error", n, err)
			}
		},
		"read deadline": func(t *testing.T, c drivers.Conn, peer io.ReadWriteCloser) {
			for _, by := range []time.Time{time.Now().Add(20 * time.Millisecond), time.Unix(1, 0)} {
				if err := c.SetReadDeadline(by); err != nil {
					t.Fatal(err)
				}
				n, err := c.Read(make([]byte, 8))
				if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Read past its deadline = %d, %v", n, err)
				}
				if time.Now().Before(by) {
					t.Error("Read gave up before its deadline")
				}
			}
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			must(peer.Write([]byte("x")))(t)
			wantRead(t, c, []byte("x"))
		},
		"write deadline": func(t *testing.T, c drivers.Conn, _ io.ReadWriteCloser) {
			if err := c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(tooMuch()); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write past its deadline: %v", err)
			}
		},
		"hang-up": func(t *testing.T, c drivers.Conn, peer io.ReadWriteCloser) {
			must(peer.Write([]byte("last words")))(t)
			wantRead(t, c, []byte("last words"))
			peer.Close()
			for range 3 {
				if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
					t.Fatalf("Read after the hang-up = %d, %v, want 0, EOF", n, err)
				}
			}
		},
		"close wakes read": func(t *testing.T, c drivers.Conn, _ io.ReadWriteCloser) {
			done := inBackground(func() error { _, err := c.Read(make([]byte, 8)); return err })
			c.Close()
			if err := receive(t, done, "Read to return"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read = %v, want net.ErrClosed", err)
			}
		},
		"close wakes write": func(t *testing.T, c drivers.Conn, peer io.ReadWriteCloser) {
			done := inBackground(func() error { _, err := c.Write(tooMuch()); return err })
			wantRead(t, peer, []byte{0}) // the write has begun
			c.Close()
			if err := receive(t, done, "Write to return"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write = %v, want net.ErrClosed", err)
			}
		},
		"use after close": func(t *testing.T, c drivers.Conn, _ io.ReadWriteCloser) {
			c.Close()
			c.Close()
			if _, err := c.Read(make([]byte, 8)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read = %v, want net.ErrClosed", err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write = %v, want net.ErrClosed", err)
			}
		},
		"peer": func(t *testing.T, c drivers.Conn, _ io.ReadWriteCloser) {
			if c.Peer() == "" {
				t.Error("Peer is empty")
			}
		},
	}
	for kind, set := range benches() {
		for name, test := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) {
				b := set(t)
				peer := b.plug(t)
				test(t, open(t, b.port), peer)
			})
		}
	}
}

// TestLine serves each port by drivers.Line through a hang-up: the analyzer
// comes back and is served again.
func TestLine(t *testing.T) {
	for kind, set := range benches() {
		t.Run(kind, func(t *testing.T) {
			b := set(t)
			l := newEchoLine(t, b.port)
			for round := range 3 {
				peer := b.plug(t)
				word := fmt.Appendf(nil, "round %d", round)
				must(peer.Write(word))(t)
				wantRead(t, peer, word)
				if s := l.Status(); s.Link != drivers.LinkConnected || s.Port != b.port.String() {
					t.Errorf("status while connected: %+v", s)
				}
				peer.Close()
				receive(t, l.ended, "the session to end")
			}
		})
	}
}

func inBackground(f func() error) <-chan error {
	done := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		done <- f()
	}()
	<-started
	return done
}

func wantRead(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	done := inBackground(func() error { _, err := io.ReadFull(r, got); return err })
	if err := receive(t, done, fmt.Sprintf("%d bytes", len(want))); err != nil {
		t.Fatalf("read %q of %q: %v", got, want, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("read %q, want %q", got, want)
	}
}

// allBytes is every byte value, the ones that a terminal would swallow too.
func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// tooMuch fills every buffer on the way.
func tooMuch() []byte { return make([]byte, 64<<20) }
