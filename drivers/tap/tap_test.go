package tap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/porttest"
	"github.com/labcourier/labcourier/drivers/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a Record that a test can look into.
type log struct {
	mu     sync.Mutex
	events []trace.Event
	came   chan struct{}
}

func newLog() *log { return &log{came: make(chan struct{}, 1)} }

func (l *log) add(e trace.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Data = bytes.Clone(e.Data)
	l.events = append(l.events, e)
	select {
	case l.came <- struct{}{}:
	default:
	}
}

func (l *log) sent(from trace.Side) (data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range trace.Sent(l.events, from) {
		data = append(data, s.Data...)
	}
	return data
}

// await waits until an event of the kind has come.
func (l *log) await(t *testing.T, kind trace.Kind) trace.Event {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		l.mu.Lock()
		for _, e := range l.events {
			if e.Kind == kind {
				l.mu.Unlock()
				return e
			}
		}
		l.mu.Unlock()
		select {
		case <-l.came:
		case <-late:
			t.Fatalf("no %s: %+v", kind, l.events)
		}
	}
}

// world is a tap over TCP with both ends in the test's hand.
type world struct {
	tap           *Tap
	log           *log
	analyzer, lis *net.TCPConn
}

func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

// start runs a tap that listens for analyzers and connects to host, and returns
// its address.
func start(t testing.TB, host string, l *log) (*Tap, string) {
	t.Helper()
	a, err := port.Listen(port.ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := port.Connect(port.ConnectConfig{Address: host})
	if err != nil {
		t.Fatal(err)
	}
	tp := &Tap{Analyzer: a, Host: h, Many: true}
	if l != nil {
		tp.Record = l.add
	}
	run(t, tp)
	return tp, addr(t, a)
}

func run(t testing.TB, tp *Tap) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tp.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func addr(t testing.TB, p drivers.Port) string {
	t.Helper()
	a, err := port.Bind(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c.(*net.TCPConn)
}

func newWorld(t *testing.T) *world {
	ln := listen(t)
	w := &world{log: newLog()}
	var address string
	w.tap, address = start(t, ln.Addr().String(), w.log)
	w.analyzer = dial(t, address)
	c, err := ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	w.lis = c
	return w
}

// Bytes of every value go both ways at once, in random pieces, and come out and
// are recorded as they were.
func TestByteExact(t *testing.T) {
	w := newWorld(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func() []byte {
		b := make([]byte, 300_000)
		for i := range b {
			b[i] = byte(rnd.UintN(256))
		}
		return b
	}
	up, down := text(), text()
	var all sync.WaitGroup
	send := func(c *net.TCPConn, b []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, seed))
		all.Go(func() {
			for len(b) > 0 {
				n := min(len(b), 1+rnd.IntN(4000))
				if _, err := c.Write(b[:n]); err != nil {
					t.Error(err)
					return
				}
				b = b[n:]
			}
			c.CloseWrite()
		})
	}
	receive := func(c *net.TCPConn, want []byte) {
		all.Go(func() {
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived of %d, equal %t: %v", len(got), len(want), bytes.Equal(got, want), err)
			}
		})
	}
	send(w.analyzer, up, 3)
	send(w.lis, down, 4)
	receive(w.analyzer, down)
	receive(w.lis, up)
	all.Wait()
	w.log.await(t, trace.Close)
	if !bytes.Equal(w.log.sent(trace.Analyzer), up) || !bytes.Equal(w.log.sent(trace.Host), down) {
		t.Error("what is recorded differs")
	}
	if got := w.tap.Totals(); got.FromAnalyzer != uint64(len(up)) || got.FromHost != uint64(len(down)) || got.Conns != 1 {
		t.Errorf("%+v", got)
	}
}

// One side sends no more; the other still answers.
func TestHalfClose(t *testing.T) {
	w := newWorld(t)
	w.analyzer.Write([]byte("question"))
	w.analyzer.CloseWrite()
	if got, err := io.ReadAll(w.lis); err != nil || string(got) != "question" {
		t.Fatalf("%q, %v", got, err)
	}
	if e := w.log.await(t, trace.End); e.From != trace.Analyzer {
		t.Errorf("%+v", e)
	}
	w.lis.Write([]byte("answer"))
	w.lis.Close()
	if got, err := io.ReadAll(w.analyzer); err != nil || string(got) != "answer" {
		t.Errorf("%q, %v", got, err)
	}
}

// A connection that is broken off is broken off on the other side, whichever
// side did it.
func TestReset(t *testing.T) {
	for _, from := range []trace.Side{trace.Analyzer, trace.Host} {
		t.Run(string(from), func(t *testing.T) {
			w := newWorld(t)
			breaks, sees := w.analyzer, w.lis
			if from == trace.Host {
				breaks, sees = w.lis, w.analyzer
			}
			breaks.Write([]byte("x"))
			if _, err := io.ReadFull(sees, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			breaks.SetLinger(0)
			breaks.Close()
			if _, err := sees.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other side sees %v", err)
			}
			if e := w.log.await(t, trace.Reset); e.From != from {
				t.Errorf("%+v", e)
			}
		})
	}
}

// An analyzer whose LIS is away is not kept waiting in the belief that it is
// there.
func TestHostAway(t *testing.T) {
	l := newLog()
	_, at := start(t, porttest.Reserve(t, 1)[0], l)
	c, err := net.Dial("tcp", at)
	if err == nil { // the reset may be there before the dialer has looked
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the analyzer sees %v", err)
	}
	l.await(t, trace.Note)
}

// Connections one after the other and side by side.
func TestManyConnections(t *testing.T) {
	ln := listen(t)
	l := newLog()
	tp, address := start(t, ln.Addr().String(), l)
	var all sync.WaitGroup
	all.Go(func() {
		for range 10 {
			c, err := ln.AcceptTCP()
			if err != nil {
				t.Error(err)
				return
			}
			all.Go(func() { io.Copy(c, c); c.Close() })
		}
	})
	var open []*net.TCPConn
	for i := range 10 {
		c := dial(t, address)
		if open = append(open, c); i < 5 {
			echo(t, c, i)
		}
	}
	for i, c := range open[5:] {
		echo(t, c, i)
	}
	all.Wait()
	if got := tp.Totals(); got.Conns != 10 || got.FromAnalyzer != got.FromHost {
		t.Errorf("%+v", got)
	}
}

func echo(t *testing.T, c *net.TCPConn, i int) {
	t.Helper()
	want := fmt.Sprintf("message %d", i)
	c.Write([]byte(want))
	c.CloseWrite()
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

// A port that cannot be listened on ends the tap with the reason.
func TestPortTaken(t *testing.T) {
	ln := listen(t)
	a, err := port.Listen(port.ListenConfig{Address: ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	h, err := port.Connect(port.ConnectConfig{Address: ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	tp := &Tap{Analyzer: a, Host: h}
	if err := tp.Run(t.Context()); !errors.Is(err, drivers.ErrPortBusy) {
		t.Errorf("%v", err)
	}
}

// BenchmarkLatency measures a question and its answer of 64 bytes each over
// loopback, without a tap and through one, in one run.
func BenchmarkLatency(b *testing.B) {
	ln := listen(b)
	go func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	rec, err := trace.NewRecorder(io.Discard, trace.Header{Began: time.Now()}, 0)
	if err != nil {
		b.Fatal(err)
	}
	tp, address := start(b, ln.Addr().String(), nil)
	tp.Record = rec.Add
	direct, tapped := dial(b, ln.Addr().String()), dial(b, address)
	direct.SetDeadline(time.Time{})
	tapped.SetDeadline(time.Time{})
	buf := make([]byte, 64)
	trip := func(c *net.TCPConn) time.Duration {
		began := time.Now()
		c.Write(buf)
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	trip(tapped)
	var d, t time.Duration
	n := 0
	for b.Loop() {
		d += trip(direct)
		t += trip(tapped)
		n++
	}
	b.ReportMetric(float64(d.Nanoseconds())/float64(n), "direct-ns/op")
	b.ReportMetric(float64(t.Nanoseconds())/float64(n), "tapped-ns/op")
	b.ReportMetric(float64(t)/float64(d), "tapped/direct")
	direct.Close()
	tapped.Close()
	rec.Close()
}
