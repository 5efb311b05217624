package astm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
)

// KindName is what the configuration calls this driver.
const KindName = "astm"

// Kind describes the driver to the program.
func Kind() drivers.Kind {
	return drivers.Kind{Name: KindName, New: New, Parse: Parse, Split: Split}
}

// storeTimeout is how long a store may take before the frame is refused. The
// sender gives up after 15 s (LIS01-A2 6.5.2.2), and an ACK after that would be
// taken for an answer to what it sends next.
const storeTimeout = 10 * time.Second

// writeTimeout is how long one reply byte may take to leave.
const writeTimeout = 5 * time.Second

// Driver receives from one analyzer.
type Driver struct {
	name    string
	opts    Options
	handler drivers.Handler
	line    *drivers.Line
	log     zerolog.Logger
}

var _ drivers.Driver = (*Driver)(nil)

// New builds a driver; see drivers.Kind.
func New(name string, s drivers.Section, d drivers.Deps) (drivers.Driver, error) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Driver{name: name, opts: o, handler: d.Handler, line: drivers.NewLine(d.Port, d.Log, o.inForce()...), log: d.Log}, nil
}

// Run receives until ctx ends.
func (d *Driver) Run(ctx context.Context) error { return d.line.Run(ctx, d.serve) }

// Status tells how the link does.
func (d *Driver) Status() drivers.Status { return d.line.Status() }

// serve runs the receiver over one connection.
func (d *Driver) serve(ctx context.Context, session uint64, c drivers.Conn) error {
	s := &conversation{Driver: d, ctx: context.WithoutCancel(ctx), session: session, conn: c}
	s.link = NewLink(d.opts, d.handler.Accepting)
	err := s.run()
	if s.link.Ending() {
		_ = s.do(s.link.Silence(time.Now())) // the answer may not reach anybody
	}
	_ = s.do(s.link.HangUp()) // what was not whole is kept in sight
	s.tally()
	return err
}

// conversation is one connection's life. Its context does not end when the
// agent stops: the connection is closed then, and what is being stored or kept
// is finished.
type conversation struct {
	*Driver
	ctx     context.Context
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
			used, step := s.link.Feed(time.Now(), p)
			p = p[used:]
			if werr := s.do(step); werr != nil {
				return werr
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.do(s.link.Silence(time.Now()))
		}
		s.tally()
		if err != nil {
			return err
		}
	}
}

// do carries out a step and those that follow from it.
func (s *conversation) do(step Step) error {
	for len(step.Store) > 0 {
		step = s.link.Stored(s.store(step.Store))
	}
	if step.Refused != "" {
		s.line.Refused(step.Refused)
		s.log.Warn().Str("reason", step.Refused).Msg("refused")
	}
	if step.Reply != 0 {
		if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if _, err := s.conn.Write([]byte{step.Reply}); err != nil {
			return fmt.Errorf("answer the analyzer: %w", err)
		}
	}
	for range step.Whole {
		s.line.Acknowledged()
	}
	return nil
}

// store hands pieces over in order and stops at the first that is not taken.
func (s *conversation) store(pieces []Piece) error {
	ctx, cancel := context.WithTimeout(s.ctx, storeTimeout)
	defer cancel()
	for _, p := range pieces {
		err := s.handler.Receive(ctx, drivers.Message{
			Source:   s.name,
			Kind:     KindName,
			Received: time.Now(),
			Payload:  p.Payload,
			Stage:    p.Stage,
			Fault:    p.Fault,
			Session:  s.session,
		})
		if p.Stage == drivers.Broken {
			s.line.Broken(p.Fault)
			s.note(s.log.Warn(), p).Str("reason", p.Fault).AnErr("keep", err).Msg("message broken off")
		}
		if err != nil {
			s.note(s.log.Error(), p).Err(err).Msg("not stored")
			return err
		}
	}
	return nil
}

// note names a piece in a log line without saying what is in it.
func (s *conversation) note(e *zerolog.Event, p Piece) *zerolog.Event {
	sum := sha256.Sum256(p.Payload)
	return e.Stringer("stage", p.Stage).Int("bytes", len(p.Payload)).Hex("digest", sum[:8])
}

func (s *conversation) tally() {
	for name, n := range s.link.Counts() {
		s.line.Count(name, n)
	}
}
