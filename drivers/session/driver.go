package session

import (
	"context"
	"errors"
	"fmt"
	"os"
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
}

var _ drivers.Driver = (*Driver)(nil)

// New returns a driver. Nothing is opened before Run.
func New(c Config) *Driver {
	return &Driver{Config: c, line: drivers.NewLine(c.Deps.Port, c.Deps.Log, c.Options...)}
}

// Run receives until ctx ends.
func (d *Driver) Run(ctx context.Context) error { return d.line.Run(ctx, d.serve) }

// Status tells how the link does.
func (d *Driver) Status() drivers.Status { return d.line.Status() }

// writeTimeout is how long an answer may take to leave.
const writeTimeout = 5 * time.Second

// serve runs the receiver over one connection.
func (d *Driver) serve(ctx context.Context, session uint64, c drivers.Conn) error {
	s := &conversation{timeout: d.StoreTimeout, line: d.line, stop: ctx, conn: c, link: d.NewLink(), keeper: Keeper{
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
	line   *drivers.Line
	stop   context.Context // ends when the agent stops
	conn   drivers.Conn
	link   Link
	keeper Keeper

	timeout time.Duration // of a step's stores
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
	for range step.Whole {
		s.line.Acknowledged()
	}
	if step.Close != "" {
		return errors.New(step.Close)
	}
	return nil
}

// store hands pieces over in order and stops at the first that is not taken.
// That is finished also while the agent stops.
func (s *conversation) store(pieces []Piece) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.stop), s.timeout)
	defer cancel()
	for _, p := range pieces {
		err := s.keep(ctx, p)
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

// Pauses before a message that nobody will send again is tried once more, in
// doubling steps.
const (
	minRetry = time.Second
	maxRetry = 30 * time.Second
)

// keep hands one piece over; for an analyzer that is not answered, again and again
// until it is taken.
func (s *conversation) keep(ctx context.Context, p Piece) error {
	err := s.keeper.Keep(ctx, p)
	if !unanswered(s.link) {
		return err
	}
	for pause := minRetry; err != nil; pause = min(2*pause, maxRetry) {
		s.line.Refused("cannot store now, trying again: " + err.Error())
		if errors.Is(err, drivers.ErrTooLarge) || !s.wait(pause) {
			break
		}
		err = s.keepAgain(p)
	}
	return err
}

func (s *conversation) keepAgain(p Piece) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.stop), s.timeout)
	defer cancel()
	return s.keeper.Keep(ctx, p)
}

// wait pauses, and reports whether to go on.
func (s *conversation) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.stop.Done():
		return false
	case <-t.C:
		return true
	}
}

func (s *conversation) tally() {
	for name, n := range s.link.Counts() {
		s.line.Count(name, n)
	}
}
