package drivers_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
)

// dialPort is a port that carries one connection, whose dial a test sets.
type dialPort struct {
	dial  func() (drivers.Conn, error)
	opens int
}

func (p *dialPort) Open(context.Context) (drivers.Conn, error) {
	p.opens++
	return p.dial()
}
func (*dialPort) Close() error   { return nil }
func (*dialPort) String() string { return "dial" }

func run(t *testing.T, p drivers.Port, serve drivers.ServeFunc) (*drivers.Line, func()) {
	l := drivers.NewLine(p, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx, serve) }()
	return l, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// A port that cannot be opened is tried again with growing pauses, for ever.
func TestLineReopensWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &dialPort{dial: func() (drivers.Conn, error) { return nil, errors.New("no such device") }}
		l, stop := run(t, p, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if p.opens < 100 || p.opens > 400 {
			t.Errorf("%d attempts in an hour", p.opens)
		}
		if s := l.Status(); s.Link != drivers.LinkDown || s.Reason != "no such device" {
			t.Errorf("status %+v", s)
		}
		stop()
	})
}

// A peer that takes connections and drops them must not make the line spin.
func TestLineDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &dialPort{dial: func() (drivers.Conn, error) {
			here, there := net.Pipe()
			there.Close()
			return drivertest.Conn{Conn: here}, nil
		}}
		_, stop := run(t, p, func(_ context.Context, _ uint64, c drivers.Conn) error {
			_, err := c.Read(make([]byte, 1))
			return err
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if p.opens > 400 {
			t.Errorf("%d connections in an hour", p.opens)
		}
		stop()
	})
}

// After a connection that was of use the next one is opened soon.
func TestLineComesBackSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var peer net.Conn
		p := &dialPort{dial: func() (drivers.Conn, error) {
			here, there := net.Pipe()
			peer = there
			return drivertest.Conn{Conn: here}, nil
		}}
		_, stop := run(t, p, func(_ context.Context, _ uint64, c drivers.Conn) error {
			_, err := io.Copy(io.Discard, c)
			return err
		})
		for n := 1; n < 20; n++ {
			time.Sleep(time.Minute)
			synctest.Wait()
			if p.opens != n {
				t.Fatalf("%d connections, want %d", p.opens, n)
			}
			peer.Close()
			time.Sleep(2 * time.Second)
		}
		stop()
	})
}

// Peers of a listening port are served side by side, under numbers of their own.
func TestLineServesPeersSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := drivertest.NewPort()
		sessions := make(chan uint64, 3)
		l, stop := run(t, p, func(_ context.Context, session uint64, c drivers.Conn) error {
			sessions <- session
			_, err := io.Copy(io.Discard, c)
			return err
		})
		synctest.Wait()
		if s := l.Status().Link; s != drivers.LinkListening {
			t.Errorf("link is %s", s)
		}
		a, b := p.Dial(), p.Dial()
		a.Write([]byte("x"))
		synctest.Wait()
		if first, second := <-sessions, <-sessions; first == second {
			t.Errorf("both sessions are %d", first)
		}
		if s := l.Status(); s.Link != drivers.LinkConnected || s.LastByte.IsZero() {
			t.Errorf("status %+v", s)
		}
		a.Close()
		synctest.Wait()
		if s := l.Status().Link; s != drivers.LinkConnected {
			t.Errorf("link is %s while one peer is left", s)
		}
		stop() // closes b, although it is silent
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Error("still open after the end")
		}
	})
}

// guardedPort is a port that turned peers away.
type guardedPort struct {
	*drivertest.Port
	told drivers.Refusals
}

func (p guardedPort) Refusals() drivers.Refusals { return p.told }

// Peers that the port did not keep, and the options in force, are in the status.
func TestLineTellsWhomThePortTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := guardedPort{drivertest.NewPort(), drivers.Refusals{Refused: 3, LastRefused: netip.MustParseAddr("10.0.5.77"), Displaced: 2}}
		l := drivers.NewLine(p, zerolog.Nop(), "checksum = none")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx, nil) }()
		synctest.Wait()
		s := l.Status()
		if s.Counters["peers_not_allowed"] != 3 || s.Counters["peers_displaced"] != 2 || !strings.Contains(s.Reason, "10.0.5.77") {
			t.Errorf("status %+v", s)
		}
		if !slices.Equal(s.Options, []string{"checksum = none"}) {
			t.Errorf("options %q", s.Options)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if s := l.Status(); s.Reason != "stopped" {
			t.Errorf("the reason of a stopped link is %q", s.Reason)
		}
	})
}
