package text

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
)

// KindName is what the configuration calls this driver.
const KindName = "text"

// Kind describes the driver to the program.
func Kind() drivers.Kind {
	return drivers.Kind{Name: KindName, New: New, Parse: Parse, Compile: Compile, Split: Split}
}

// storeTimeout is how long a store may take before a frame is refused.
const storeTimeout = 10 * time.Second

// writeTimeout is how long an answer may take to leave.
const writeTimeout = 5 * time.Second

// hangUps is how many steps the end of a connection can ask for: a frame cut off,
// a message that could not be stored before, and the one that was coming in.
const hangUps = 3

// Driver receives from one analyzer.
type Driver struct {
	name    string
	desc    *description
	handler drivers.Handler
	line    *drivers.Line
	log     zerolog.Logger
	held    *hold // for an analyzer that is not answered
}

var _ drivers.Driver = (*Driver)(nil)

// New builds a driver; see drivers.Kind.
func New(name string, s drivers.Section, d drivers.Deps) (drivers.Driver, error) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, err
	}
	desc, err := describe(o)
	if err != nil {
		return nil, err
	}
	return &Driver{name: name, desc: desc, handler: d.Handler, line: drivers.NewLine(d.Port, d.Log), log: d.Log, held: newHold()}, nil
}

// Run receives until ctx ends.
func (d *Driver) Run(ctx context.Context) error {
	coming, end := context.WithCancel(context.WithoutCancel(ctx))
	var settling sync.WaitGroup
	settling.Go(func() { d.settle(ctx, coming) })
	err := d.line.Run(ctx, d.serve)
	end()
	settling.Wait()
	return err
}

// Status tells how the link does.
func (d *Driver) Status() drivers.Status { return d.line.Status() }

// serve runs the receiver over one connection.
func (d *Driver) serve(ctx context.Context, session uint64, c drivers.Conn) error {
	s := &conversation{Driver: d, stop: ctx, session: session, conn: c}
	s.link = newLink(d.desc, d.handler.Accepting)
	err := s.run()
	for range hangUps {
		_ = s.do(s.link.HangUp()) // an answer does not reach anybody
	}
	s.tally()
	return err
}

// conversation is one connection's life.
type conversation struct {
	*Driver
	stop    context.Context // ends when the agent stops
	session uint64
	conn    drivers.Conn
	link    *Link
}

func (s *conversation) run() error {
	buf := make([]byte, 32<<10)
	for {
		var deadline time.Time
		if w := s.link.Wait(); w > 0 {
			deadline = time.Now().Add(w)
		}
		if err := s.conn.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := s.conn.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			used, step := s.link.Feed(p)
			p = p[used:]
			if werr := s.do(step); werr != nil {
				return werr
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.do(s.link.Silence())
		}
		s.tally()
		if err != nil {
			return err
		}
	}
}

// do carries out a step and those that follow from it.
func (s *conversation) do(step Step) error {
	for {
		if err := s.answer(step); err != nil {
			return err
		}
		if len(step.Store) == 0 {
			return nil
		}
		step = s.link.Stored(s.store(step.Store))
	}
}

func (s *conversation) answer(step Step) error {
	if step.Refused != "" {
		s.line.Refused(step.Refused)
		s.log.Warn().Str("reason", step.Refused).Msg("refused")
	}
	if len(step.Reply) > 0 {
		if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if _, err := s.conn.Write(step.Reply); err != nil {
			return fmt.Errorf("answer the analyzer: %w", err)
		}
	}
	if s.link.answers() { // the others are counted when they are stored
		for range step.Whole {
			s.line.Acknowledged()
		}
	}
	return nil
}

// store hands pieces over in order and stops at the first that is not taken. Those
// of an analyzer that is not answered are held, since it never sends anything twice.
func (s *conversation) store(pieces []Piece) error {
	for _, p := range pieces {
		m := drivers.Message{
			Source: s.name, Kind: KindName, Received: time.Now(), Payload: p.Payload, Stage: p.Stage, Fault: p.Fault, Session: s.session,
		}
		if !s.link.answers() {
			m.Payload = bytes.Clone(p.Payload)
			s.keep(s.stop, m)
			continue
		}
		err := s.receive(m)
		if p.Stage == drivers.Broken {
			s.line.Broken(p.Fault)
			note(s.log.Warn(), p).Str("reason", p.Fault).AnErr("keep", err).Msg("message broken off")
		}
		if err != nil {
			note(s.log.Error(), p).Err(err).Msg("not stored")
			return err
		}
	}
	return nil
}

// receive hands one message over. That is finished also while the agent stops.
func (d *Driver) receive(m drivers.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	return d.handler.Receive(ctx, m)
}

// note names a piece in a log line without saying what is in it.
func note(e *zerolog.Event, p Piece) *zerolog.Event {
	sum := sha256.Sum256(p.Payload)
	return e.Stringer("stage", p.Stage).Int("bytes", len(p.Payload)).Hex("digest", sum[:8])
}

func (s *conversation) tally() {
	for name, n := range s.link.Counts() {
		s.line.Count(name, n)
	}
}
