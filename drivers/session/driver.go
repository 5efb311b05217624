package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Config is what a driver is made of.
type Config struct {
	Name    string // the analyzer's
	Kind    string // the driver's
	Deps    drivers.Deps
	Options []string // in force: see drivers.Status

	// StoreTimeout is how long a store may take before it is refused.
	StoreTimeout time.Duration

	// NewLink makes the state machine of one connection.
	NewLink func() Link
}

// Driver serves one analyzer with a Link for each connection.
type Driver struct {
	Config
	line *drivers.Line
	held *hold // for an analyzer that gets no answers
}

var _ drivers.Driver = (*Driver)(nil)

// New returns a driver. Nothing is opened before Run.
func New(c Config) *Driver {
	return &Driver{Config: c, line: drivers.NewLine(c.Deps.Port, c.Deps.Log, c.Options...), held: newHold()}
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

// writeTimeout is how long an answer may take to leave.
const writeTimeout = 5 * time.Second

// serve runs the receiver over one connection.
func (d *Driver) serve(ctx context.Context, session uint64, c drivers.Conn) error {
	s := &conversation{Driver: d, stop: ctx, conn: c, link: d.NewLink(), keeper: Keeper{
		Source: d.Name, Kind: d.Kind, Session: session, Handler: d.Deps.Handler, Log: d.Deps.Log,
	}}
	err := Listen(c, s.link.Wait, s.take, s.silence)
	for range hangUps { // what was not whole is kept in sight
		step := s.link.HangUp(time.Now())
		if !step.Asks() {
			break
		}
		_ = s.do(step) // an answer does not reach anybody
	}
	s.tally()
	return err
}

// Listen reads from c until that fails, and hands on what comes: bytes to take,
// and a silence as long as wait says (0: for ever) to silence. It returns the
// first error of c, take or silence.
func Listen(c drivers.Conn, wait func() time.Duration, take func([]byte) error, silence func() error) error {
	buf := make([]byte, 32<<10)
	for {
		var deadline time.Time
		if w := wait(); w > 0 {
			deadline = time.Now().Add(w)
		}
		if err := c.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := c.Read(buf)
		if terr := take(buf[:n]); terr != nil {
			return terr
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = silence()
		}
		if err != nil {
			return err
		}
	}
}

// Answer writes an answer to c.
func Answer(c drivers.Conn, reply []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := c.Write(reply); err != nil {
		return fmt.Errorf("answer the analyzer: %w", err)
	}
	return nil
}

// conversation is one connection's life.
type conversation struct {
	*Driver
	stop   context.Context // ends when the agent stops
	conn   drivers.Conn
	link   Link
	keeper Keeper
}

func (s *conversation) take(p []byte) error {
	for len(p) > 0 {
		used, step := s.link.Feed(time.Now(), p)
		p = p[used:]
		if err := s.do(step); err != nil {
			return err
		}
	}
	s.tally()
	return nil
}

func (s *conversation) silence() error {
	err := s.do(s.link.Silence(time.Now()))
	s.tally()
	return err
}

// do carries out a step and those that follow from it. Its error ends the
// connection.
func (s *conversation) do(step Step) error {
	for {
		if err := s.answer(step); err != nil {
			return err
		}
		if len(step.Store) == 0 {
			return nil
		}
		err := s.store(step.Store)
		step = s.link.Stored(time.Now(), err)
	}
}

func (s *conversation) answer(step Step) error {
	if step.Refused != "" {
		s.line.Refused(step.Refused)
		s.keeper.Log.Warn().Str("reason", step.Refused).Msg("refused")
	}
	if len(step.Reply) > 0 {
		if err := Answer(s.conn, step.Reply); err != nil {
			return err
		}
	}
	if !unanswered(s.link) { // the others are counted when they are stored
		for range step.Whole {
			s.line.Acknowledged()
		}
	}
	if step.Close != "" {
		return errors.New(step.Close)
	}
	return nil
}

// store hands pieces over in order and stops at the first that is not taken.
// That is finished also while the agent stops. Those of an analyzer that gets no
// answers are held, since it never sends anything twice.
func (s *conversation) store(pieces []Piece) error {
	if unanswered(s.link) {
		for _, p := range pieces {
			p.Payload = bytes.Clone(p.Payload)
			s.hold(s.stop, s.keeper.message(p))
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.stop), s.StoreTimeout)
	defer cancel()
	for _, p := range pieces {
		err := s.keeper.Keep(ctx, p)
		if p.Stage == drivers.Broken {
			s.line.Broken(p.Fault)
			s.keeper.Note(p, err, "message broken off")
		} else if err != nil {
			s.keeper.Note(p, err, "not stored")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *conversation) tally() {
	for name, n := range s.link.Counts() {
		s.line.Count(name, n)
	}
}
