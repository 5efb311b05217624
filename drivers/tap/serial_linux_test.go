package tap

import (
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/drivers/trace"
)

// line makes a pseudo-terminal: the far end, and a serial port at the near one.
func line(t *testing.T) (far *simulator.PTY, near drivers.Port) {
	t.Helper()
	far, device, err := simulator.OpenPTY()
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { far.Close() })
	near, err = port.Serial(port.SerialConfig{Device: device})
	if err != nil {
		t.Fatal(err)
	}
	return far, near
}

// cable makes a serial line with a port at both ends. What goes over it is cut
// into pieces at random.
func cable(t *testing.T) (one, other drivers.Port) {
	t.Helper()
	a, one := line(t)
	b, other := line(t)
	var wires sync.WaitGroup
	copyAll := func(from, to *simulator.PTY, seed uint64) {
		src, err := from.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dst, err := to.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		wires.Go(func() {
			buf := make([]byte, 100)
			for {
				n, err := src.Read(buf[:1+rnd.IntN(len(buf))])
				if err != nil {
					return // unplugged
				}
				dst.Write(buf[:n])
			}
		})
	}
	copyAll(a, b, 1)
	copyAll(b, a, 2)
	t.Cleanup(func() { a.Close(); b.Close(); wires.Wait() })
	return one, other
}

func TestDriverOverSerial(t *testing.T) {
	analyzer, near := line(t)
	host, lis := cable(t)
	l := newLog()
	through(t, analyzer, &Tap{Analyzer: near, Host: host, Record: l.add}, lis, l)
}

func TestDriverSerialToTCP(t *testing.T) {
	analyzer, near := line(t)
	l := newLog()
	through(t, analyzer, &Tap{Analyzer: near, Record: l.add}, listener(t), l)
}

// The TCP side sends no more; what the line still says goes through, and then the
// connection ends and another can come.
func TestLineAfterEnd(t *testing.T) {
	far, near := line(t)
	l := newLog()
	tp := &Tap{Analyzer: listener(t), Host: near, Record: l.add}
	run(t, tp)
	lis, err := far.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := addr(t, tp.Analyzer)
	for range 2 {
		c := dial(t, address)
		c.Write([]byte("ask"))
		buf := make([]byte, 3)
		lis.SetReadDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.ReadFull(lis, buf); err != nil || string(buf) != "ask" {
			t.Fatalf("%q, %v", buf, err)
		}
		c.CloseWrite()
		lis.Write([]byte("answer"))
		if got, err := io.ReadAll(c); err != nil || string(got) != "answer" {
			t.Errorf("%q, %v", got, err)
		}
	}
	l.await(t, trace.Close)
}
