package drivertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
)

// Suite is what the suite needs to know of a driver.
type Suite struct {
	Kind    drivers.Kind
	Section drivers.Section // nil: defaults

	// Messages are three or more different messages as a driver hands them over.
	Messages [][]byte

	// Send sends one message as an analyzer does and returns nil when it was
	// acknowledged, or with NoAnswer when it was written.
	Send func(ctx context.Context, c drivers.Conn, message []byte) error

	// NoAnswer says that this analyzer is never answered and sends nothing twice:
	// what it sent has to be stored in the end.
	NoAnswer bool

	// Wire is all that an analyzer sends for one message when every answer is
	// the best possible.
	Wire func(message []byte) []byte

	// Noise is what may stand before a message without disturbing it.
	Noise []byte

	// Endless is the beginning of a message that never ends, Filler what it goes
	// on with.
	Endless, Filler []byte
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	if len(s.Messages) < 3 {
		t.Fatal("the suite needs three messages")
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"each message is stored once, in order", inOrder},
		{"acknowledged only when stored", ackAfterStore},
		{"a store that refuses", refusingStore},
		{"any split of the bytes", anySplit},
		{"noise before a message", noiseBefore},
		{"hang-up at every byte", hangUpEverywhere},
		{"silence in the middle", silenceInside},
		{"a message without an end", withoutEnd},
		{"stops with a peer connected", stopsConnected},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, s)
				test.run(t, b)
				b.halt(t)
			})
		})
	}
}

// bench is a running driver.
type bench struct {
	Suite
	port   *Port
	store  *Store
	driver drivers.Driver
	stop   context.CancelFunc
	ended  chan error
}

func start(t *testing.T, s Suite) *bench {
	b := &bench{Suite: s, port: NewPort(), store: &Store{}, ended: make(chan error, 1)}
	if b.Section == nil {
		b.Section = drivers.NoSection{}
	}
	var err error
	b.driver, err = s.Kind.New("bench", b.Section, drivers.Deps{Port: b.port, Handler: b.store, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() { b.ended <- b.driver.Run(ctx) }()
	return b
}

func (b *bench) halt(t *testing.T) {
	b.stop()
	if err := <-b.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// send sends as an analyzer does.
func (b *bench) send(t *testing.T, c drivers.Conn, message []byte) error {
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	return b.Send(ctx, c, message)
}

// blind writes raw in pieces, pays no heed to answers, and hangs up.
func (b *bench) blind(raw []byte, split func(rest int) int) {
	c := b.port.Dial()
	go io.Copy(io.Discard, c)
	for len(raw) > 0 {
		n := min(max(split(len(raw)), 1), len(raw))
		if _, err := c.Write(raw[:n]); err != nil {
			break // the driver may have hung up on us
		}
		raw = raw[n:]
	}
	synctest.Wait()
	time.Sleep(time.Second) // fake time: what follows a message may have a grace
	c.Close()
	synctest.Wait()
}

// holds checks that exactly these messages were stored as complete.
func (b *bench) holds(t *testing.T, want ...[]byte) {
	t.Helper()
	synctest.Wait() // what follows the last byte needs no answer
	got := b.store.Payloads(drivers.Complete)
	var texts []string
	for _, w := range want {
		texts = append(texts, string(w))
	}
	if !slices.Equal(got, texts) {
		t.Fatalf("stored %q\nwant   %q", got, texts)
	}
}

func whole(n int) int { return n }

func inOrder(t *testing.T, b *bench) {
	c := b.port.Dial()
	for _, m := range b.Messages {
		if err := b.send(t, c, m); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	synctest.Wait()
	b.holds(t, b.Messages...)
	st := b.driver.Status()
	if st.Acknowledged != uint64(len(b.Messages)) || st.Refused != 0 || st.Broken != 0 {
		t.Errorf("status %+v", st)
	}
	if st.Link != drivers.LinkListening {
		t.Errorf("link is %s after the peer has gone", st.Link)
	}
	for _, m := range b.store.All(drivers.Complete) {
		if m.Source != "bench" || m.Kind != b.Kind.Name || m.Received.IsZero() {
			t.Errorf("message is not marked: %+v", m)
		}
	}
}

// ackAfterStore lets the store take its time and looks whether the analyzer was
// told before it was done.
func ackAfterStore(t *testing.T, b *bench) {
	proceed := make(chan struct{})
	b.store.Before = func(context.Context, drivers.Message) error { <-proceed; return nil }
	c := b.port.Dial()
	sent := make(chan error, 1)
	go func() { sent <- b.send(t, c, b.Messages[0]) }()
	synctest.Wait()
	time.Sleep(4 * time.Second)
	select {
	case err := <-sent:
		if !b.NoAnswer {
			t.Fatalf("the analyzer had an answer (%v) before the message was stored", err)
		}
		sent <- err
	default:
	}
	if n := b.driver.Status().Acknowledged; n != 0 {
		t.Errorf("%d counted as acknowledged", n)
	}
	close(proceed)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.holds(t, b.Messages[0])
}

func refusingStore(t *testing.T, b *bench) {
	if b.NoAnswer {
		storeThatComesBack(t, b)
		return
	}
	b.store.Refuse(errRefused)
	c := b.port.Dial()
	if err := b.send(t, c, b.Messages[0]); err == nil {
		t.Fatal("acknowledged what was not stored")
	}
	c.Close()
	synctest.Wait() // what hanging up makes of the message is refused, too
	// A store that fails only when it is written to.
	b.store.Refuse(nil)
	b.store.Before = func(context.Context, drivers.Message) error { return errRefused }
	c = b.port.Dial()
	if err := b.send(t, c, b.Messages[0]); err == nil {
		t.Fatal("acknowledged what was not stored")
	}
	c.Close()
	synctest.Wait()
	if b.driver.Status().Refused == 0 {
		t.Error("nothing counted as refused")
	}
	b.store.Before = nil
	c = b.port.Dial()
	if err := b.send(t, c, b.Messages[0]); err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.holds(t, b.Messages[0])
}

// storeThatComesBack: what nobody will send again is stored as soon as it can be,
// also when its connection has gone meanwhile.
func storeThatComesBack(t *testing.T, b *bench) {
	b.store.Refuse(errRefused)
	c := b.port.Dial()
	if err := b.send(t, c, b.Messages[0]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(longest)
	if st := b.driver.Status(); st.Acknowledged != 0 || st.Refused == 0 {
		t.Errorf("status %+v", st)
	}
	b.holds(t)
	c.Close()
	b.store.Refuse(nil)
	time.Sleep(longest)
	b.holds(t, b.Messages[0])
}

func anySplit(t *testing.T, b *bench) {
	var raw []byte
	for _, m := range b.Messages {
		raw = append(raw, b.Wire(m)...)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	want := b.Messages
	splits := []func(int) int{whole, func(int) int { return 1 }}
	for range 20 {
		splits = append(splits, func(n int) int { return 1 + rng.IntN(min(n, 300)) })
	}
	for i, split := range splits {
		b.blind(raw, split)
		if i > 0 {
			want = append(slices.Clone(want), b.Messages...)
		}
		b.holds(t, want...)
	}
}

func noiseBefore(t *testing.T, b *bench) {
	b.blind(slices.Concat(b.Noise, b.Wire(b.Messages[0]), b.Noise, b.Wire(b.Messages[1])), whole)
	b.holds(t, b.Messages[0], b.Messages[1])
}

// hangUpEverywhere cuts the session at each of its bytes. What was stored as
// complete is the message or nothing.
func hangUpEverywhere(t *testing.T, b *bench) {
	raw := b.Wire(b.Messages[0])
	var seen [][]byte
	for cut := range raw {
		before := len(b.store.All(drivers.Complete))
		b.blind(raw[:cut], whole)
		if len(b.store.All(drivers.Complete)) > before {
			seen = append(seen, b.Messages[0])
		}
		b.holds(t, seen...)
	}
	c := b.port.Dial()
	if err := b.send(t, c, b.Messages[1]); err != nil {
		t.Fatalf("after the hang-ups: %v", err)
	}
	c.Close()
	b.holds(t, append(seen, b.Messages[1])...)
}

func silenceInside(t *testing.T, b *bench) {
	raw := b.Wire(b.Messages[0])
	c := b.port.Dial()
	go func() { io.Copy(io.Discard, c) }()
	if _, err := c.Write(raw[:len(raw)/2]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(longest)
	c.Close()
	b.holds(t)
	c = b.port.Dial()
	if err := b.send(t, c, b.Messages[1]); err != nil {
		t.Fatalf("after the silence: %v", err)
	}
	c.Close()
	b.holds(t, b.Messages[1])
}

// withoutEnd sends 64 MiB that never end.
func withoutEnd(t *testing.T, b *bench) {
	filler := bytes.Repeat(b.Filler, 1<<20/len(b.Filler))
	c := b.port.Dial()
	go func() { io.Copy(io.Discard, c) }()
	_, err := c.Write(b.Endless)
	for range 64 {
		if err != nil {
			break // the driver may hang up on such a peer
		}
		_, err = c.Write(filler)
	}
	c.Close()
	synctest.Wait()
	b.holds(t)
	c = b.port.Dial()
	if err := b.send(t, c, b.Messages[1]); err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.holds(t, b.Messages[1])
}

func stopsConnected(t *testing.T, b *bench) {
	c := b.port.Dial()
	if err := b.send(t, c, b.Messages[0]); err != nil {
		t.Fatal(err)
	}
	b.stop()
	if err := <-b.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	b.ended <- nil
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was not closed")
	}
	if st := b.driver.Status(); st.Link != drivers.LinkDown {
		t.Errorf("link is %s after the end", st.Link)
	}
}

var errRefused = errors.New("test store refuses")
