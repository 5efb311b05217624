package hl7

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// KindName is what the configuration calls this driver.
const KindName = "hl7"

// Kind describes the driver to the program.
func Kind() drivers.Kind {
	return drivers.Kind{Name: KindName, MediaType: "x-application/hl7-v2+er7", New: New, Parse: Parse, Split: Split}
}

// storeTimeout is how long storing a block may take before it is refused. Mindray
// analyzers wait 10 s for the acknowledgement and then leave the message out.
const storeTimeout = 8 * time.Second

// writeTimeout is how long an answer may take to leave.
const writeTimeout = 5 * time.Second

// betweenAnswers is the pause between two blocks of answers: some peers take all
// that one read gives them for one message (Medplum's client among them).
const betweenAnswers = 20 * time.Millisecond

// headLength is how much is kept of a block that is too long.
const headLength = 64 << 10

// Driver receives from one analyzer.
type Driver struct {
	name    string
	opts    Options
	deps    drivers.Deps
	line    *drivers.Line
	counter atomic.Uint64 // of our own control ids
}

var _ drivers.Driver = (*Driver)(nil)

// New builds a driver; see drivers.Kind.
func New(name string, s drivers.Section, deps drivers.Deps) (drivers.Driver, error) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	d := &Driver{name: name, opts: o, deps: deps, line: drivers.NewLine(deps.Port, deps.Log, o.inForce()...)}
	d.counter.Store(uint64(time.Now().UnixMicro())) // no id comes twice, also after a restart
	return d, nil
}

// Run receives until ctx ends.
func (d *Driver) Run(ctx context.Context) error { return d.line.Run(ctx, d.serve) }

// Status tells how the link does.
func (d *Driver) Status() drivers.Status { return d.line.Status() }

func (d *Driver) nextID() string {
	return strings.ToUpper(strconv.FormatUint(d.counter.Add(1), 36))
}

// serve receives over one connection.
func (d *Driver) serve(ctx context.Context, session uint64, c drivers.Conn) error {
	s := &conversation{Driver: d, ctx: context.WithoutCancel(ctx), session: session, conn: c, dec: d.opts.decoder()}
	err := s.run()
	if b, block := s.dec.HangUp(); block {
		_ = s.block(b) // the answer may not reach anybody
	}
	s.line.Count("noise_bytes", s.dec.Noise())
	return err
}

// conversation is one connection's life. Its context does not end when the agent
// stops: the connection is closed then, and what is being stored is finished.
type conversation struct {
	*Driver
	ctx     context.Context
	session uint64
	conn    drivers.Conn
	dec     *mllp.Decoder
}

func (s *conversation) run() error {
	buf := make([]byte, 32<<10)
	for {
		var deadline time.Time
		if w := s.dec.Wait(); w > 0 {
			deadline = time.Now().Add(w)
		}
		if err := s.conn.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := s.conn.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			used, b, block := s.dec.Feed(p)
			p = p[used:]
			if !block {
				continue
			}
			if werr := s.block(b); werr != nil {
				return werr
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
			if b, block := s.dec.Silence(); block {
				err = s.block(b)
			}
		}
		s.line.Count("noise_bytes", s.dec.Noise())
		if err != nil {
			return err
		}
	}
}

// block takes one block: judge, store, answer, in this order.
func (s *conversation) block(b mllp.Block) error {
	var in []incoming
	switch b.Fault {
	case mllp.FaultNone:
		for _, m := range cutMessages(b.Payload) {
			in = append(in, judge(m, s.opts))
		}
	case mllp.FaultTooLong:
		in = []incoming{judgeTooLong(b.Payload[:min(len(b.Payload), headLength)], string(b.Fault))}
	default:
		s.broken(b)
		return nil
	}
	if len(in) == 0 {
		s.line.Count("empty_blocks", 1)
		return nil
	}
	s.store(in)
	return s.answer(in)
}

// broken keeps in sight what was not whole. Nobody waits for an answer to it.
func (s *conversation) broken(b mllp.Block) {
	s.line.Broken(string(b.Fault))
	err := s.receive(s.ctx, b.Payload, drivers.Broken, string(b.Fault))
	s.note(b.Payload, err, string(b.Fault), "message broken off")
}

// store stores the messages of one block in order. If one that should be
// acknowledged is not taken, none of the block is.
func (s *conversation) store(in []incoming) {
	ctx, cancel := context.WithTimeout(s.ctx, storeTimeout)
	defer cancel()
	for _, m := range in {
		if !m.keep {
			continue
		}
		err := s.receive(ctx, m.payload, m.stage, m.fault.text)
		if m.stage == drivers.Broken {
			s.note(m.payload, err, m.fault.text, "message kept for a person")
			continue
		}
		if err == nil {
			continue
		}
		s.note(m.payload, err, "", "not stored")
		v := notStored(err)
		for i := range in {
			if in[i].outcome == accepted {
				in[i].verdict = v
			}
		}
		return
	}
}

func (s *conversation) receive(ctx context.Context, payload []byte, stage drivers.Stage, fault string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.deps.Handler.Receive(ctx, drivers.Message{
		Source:   s.name,
		Kind:     KindName,
		Received: time.Now(),
		Payload:  payload,
		Stage:    stage,
		Fault:    fault,
		Session:  s.session,
	})
}

// answer sends what is due and counts.
func (s *conversation) answer(in []incoming) error {
	for _, m := range in {
		if m.count != "" {
			s.line.Count(m.count, 1)
		}
		if m.outcome == failed || m.outcome == rejected {
			s.line.Refused(m.fault.text)
			s.deps.Log.Warn().Int("code", m.fault.code).Str("reason", m.fault.text).Msg("refused")
		}
	}
	for i, b := range s.answers(in) {
		if i > 0 {
			<-time.After(betweenAnswers)
		}
		if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if _, err := s.conn.Write(b); err != nil {
			return fmt.Errorf("answer the analyzer: %w", err)
		}
	}
	for _, m := range in {
		if m.outcome == accepted {
			s.line.Acknowledged()
		}
	}
	return nil
}

// answers puts the acknowledgements of a block of messages into blocks.
func (s *conversation) answers(in []incoming) (blocks [][]byte) {
	var accept, application []byte
	now := time.Now()
	for _, m := range in {
		a := m.acknowledge(s.opts, now, s.nextID)
		if s.opts.BatchAck == "message" {
			blocks = appendBlock(appendBlock(blocks, a.accept), a.application)
			continue
		}
		accept, application = append(accept, a.accept...), append(application, a.application...)
	}
	return appendBlock(appendBlock(blocks, accept), application)
}

func appendBlock(blocks [][]byte, message []byte) [][]byte {
	if len(message) == 0 {
		return blocks
	}
	return append(blocks, mllp.AppendBlock(nil, message))
}

// note logs a message without saying what is in it.
func (s *conversation) note(payload []byte, err error, reason, what string) {
	e := s.deps.Log.Warn()
	if err != nil {
		e = s.deps.Log.Error().Err(err)
	}
	sum := sha256.Sum256(payload)
	e.Int("bytes", len(payload)).Hex("digest", sum[:8]).Str("reason", reason).Msg(what)
}
