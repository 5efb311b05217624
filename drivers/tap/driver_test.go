package tap

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/drivers/trace"
)

// store is a handler that keeps what it is given.
type store struct {
	mu   sync.Mutex
	kept [][]byte
}

func (s *store) Receive(_ context.Context, m drivers.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Stage == drivers.Complete {
		s.kept = append(s.kept, bytes.Clone(m.Payload))
	}
	return nil
}

func (*store) Accepting() error { return nil }

// through sends messages of a simulated analyzer through a tap to the real
// driver, and compares what was sent, stored and recorded.
func through(t *testing.T, analyzer drivers.Port, tp *Tap, lis drivers.Port, l *log) {
	t.Helper()
	s := &store{}
	driver, err := astm.Kind().New("lis", drivers.NoSection{}, drivers.Deps{Port: lis, Handler: s, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- driver.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if listening, ok := lis.(drivers.Listening); ok {
		host, err := port.Connect(port.ConnectConfig{Address: addr(t, listening)})
		if err != nil {
			t.Fatal(err)
		}
		tp.Host = host
	}
	run(t, tp)
	if late, ok := analyzer.(*lateDial); ok {
		late.address = addr(t, tp.Analyzer)
	}

	model, _ := simulator.ModelNamed("haematology")
	gen := simulator.NewGenerator(model, "SIM", 7)
	var sent [][]byte
	an := simulator.Analyzer{Port: analyzer, Sender: model.Sender(), Retry: 50 * time.Millisecond,
		Next: func(context.Context) ([]byte, error) {
			if len(sent) == 3 {
				return nil, io.EOF
			}
			return gen.Next(time.Now()), nil
		},
		Acknowledged: func(m []byte) { sent = append(sent, m) },
	}
	limit, stop := context.WithTimeout(ctx, 4*time.Minute)
	defer stop()
	if err := an.Run(limit); err != io.EOF {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) != len(sent) {
		t.Fatalf("%d messages stored, %d acknowledged", len(s.kept), len(sent))
	}
	recorded, faults := astm.Split(l.sent(trace.Analyzer), drivers.NoSection{})
	if len(recorded) != len(sent) || len(faults) > 0 {
		t.Fatalf("%d messages recorded, %q", len(recorded), faults)
	}
	for i := range sent {
		if !bytes.Equal(sent[i], s.kept[i]) || !bytes.Equal(sent[i], recorded[i].Payload) {
			t.Errorf("message %d differs", i)
		}
	}
}

// lateDial connects to an address that is known only once the tap listens.
type lateDial struct{ address string }

func (d *lateDial) Open(ctx context.Context) (drivers.Conn, error) {
	p, err := port.Connect(port.ConnectConfig{Address: d.address})
	if err != nil {
		return nil, err
	}
	return p.Open(ctx)
}
func (*lateDial) Close() error   { return nil }
func (*lateDial) String() string { return "late" }

func listener(t *testing.T) drivers.Port {
	t.Helper()
	p, err := port.Listen(port.ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDriverOverTCP(t *testing.T) {
	l := newLog()
	through(t, &lateDial{}, &Tap{Analyzer: listener(t), Many: true, Record: l.add}, listener(t), l)
}
