package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers/porttest"
)

// faultyProxy is a TCP proxy that spoils each connection once it has carried
// some answers: by turns in each of these ways.
type faultyProxy struct {
	to    string
	every int // answers until a connection is spoilt, between half and twice that

	accepted atomic.Int64
	spoilt   [spoilings]atomic.Int64
	conns    sync.Map // of net.Conn, to be closed at the end
	work     sync.WaitGroup
}

// The ways in which a connection is spoilt.
const (
	resetAtOnce     = iota // before the next request has gone through
	cutAfterRequest        // the server has it, not a byte of its answer comes
	cutInAnswer            // half an answer
	halfOpen               // nothing goes either way any more, and nobody says so
	slowDrip               // the answer comes a few bytes at a time
	latency                // all answers come late from now on
	spoilings
)

var spoilingNames = [spoilings]string{"reset", "cut after the request", "cut in the answer", "half-open", "slow drip", "latency"}

// start serves at address until stop is called.
func (p *faultyProxy) start(t testing.TB, address string) (stop func()) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.carry(c) })
		}
	})
	return func() {
		l.Close()
		p.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		p.work.Wait()
	}
}

// everyWay reports whether a connection was spoilt in each way.
func (p *faultyProxy) everyWay() bool {
	for way := range p.spoilt {
		if p.spoilt[way].Load() == 0 {
			return false
		}
	}
	return true
}

// carry is one connection's life.
func (p *faultyProxy) carry(client net.Conn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		client.Close()
		return
	}
	p.conns.Store(client, nil)
	p.conns.Store(server, nil)
	way := int(p.accepted.Add(1)) % spoilings
	left := p.every/2 + rand.IntN(p.every*3/2)
	var spoil atomic.Bool // the next request's connection is to be spoilt
	end := func() {
		client.(*net.TCPConn).SetLinger(0)
		client.Close()
		server.Close()
		p.conns.Delete(client)
		p.conns.Delete(server)
	}
	var both sync.WaitGroup
	both.Go(func() { // requests
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err == nil && spoil.Load() && way == resetAtOnce {
				err = net.ErrClosed
			}
			if err == nil && spoil.Load() && way == halfOpen {
				continue // taken, and never seen again
			}
			if err == nil {
				_, err = server.Write(buf[:n])
			}
			if err != nil {
				end()
				return
			}
		}
	})
	both.Go(func() { // answers
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err == nil {
				err = p.answer(client, buf[:n], way, &left, &spoil)
			}
			if err != nil {
				end()
				return
			}
		}
	})
	both.Wait()
}

// answer passes a piece of an answer on, or what the way leaves of it.
func (p *faultyProxy) answer(client net.Conn, b []byte, way int, left *int, spoil *atomic.Bool) error {
	if *left--; *left > 0 {
		_, err := client.Write(b)
		return err
	}
	if !spoil.Swap(true) {
		p.spoilt[way].Add(1)
	}
	if *left < -30 {
		return net.ErrClosed // slow for long enough
	}
	switch way {
	case cutAfterRequest:
		return net.ErrClosed
	case cutInAnswer:
		client.Write(b[:len(b)/2])
		client.(*net.TCPConn).CloseWrite()
		return net.ErrClosed
	case slowDrip:
		for len(b) > 0 {
			n := min(len(b), 64)
			if _, err := client.Write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			<-time.After(time.Millisecond)
		}
		return nil
	case latency:
		<-time.After(20 * time.Millisecond)
	}
	_, err := client.Write(b)
	return err
}

// TestFaultyProxy delivers from 8 analyzers through a proxy that spoils
// connections in every way: all there, once, in order per analyzer. It sends
// 400 messages, 4,000 with LABCOURIER_CRASH, or LABCOURIER_MESSAGES.
func TestFaultyProxy(t *testing.T) {
	t.Parallel() // its time goes by waiting
	messages, every := 400, 25
	if heavy() {
		messages, every = 4_000, 100
	}
	if n, err := strconv.Atoi(os.Getenv("LABCOURIER_MESSAGES")); err == nil {
		messages, every = n, 200
	}
	w := newWorld(t, 8)
	w.front = porttest.Reserve(t, 1)[0]
	w.writeConfig("")
	w.startServer()
	p := &faultyProxy{to: w.base[len("http://"):], every: every}
	defer p.start(t, w.front)()
	stop := w.startInProcess(t)
	defer stop()
	start := time.Now()
	w.send(t, messages/len(w.benchs))
	acknowledged, all := time.Since(start), messages
	if err := w.server.Wait(t.Context(), "DiagnosticReport", all); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	// Which connections carried how much is up to the scheduler.
	for range 20 {
		if p.everyWay() {
			break
		}
		w.send(t, messages/len(w.benchs))
		all += messages
		if err := w.server.Wait(t.Context(), "DiagnosticReport", all); err != nil {
			t.Fatal(err)
		}
	}
	if faults := w.faults(); len(faults) > 0 {
		t.Fatalf("%d faults, the first: %v", len(faults), faults[:min(5, len(faults))])
	}
	said := ""
	for way := range spoilings {
		n := p.spoilt[way].Load()
		if said += fmt.Sprintf(", %d %s", n, spoilingNames[way]); n == 0 {
			t.Errorf("no connection was spoilt by %s: the test shows nothing of it", spoilingNames[way])
		}
	}
	t.Logf("%d messages acknowledged in %s and delivered in %s%s", messages, acknowledged.Round(time.Millisecond), took.Round(time.Millisecond), said)
}
