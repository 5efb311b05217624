package hl7

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/mllp"
	"github.com/labcourier/labcourier/drivers/session"
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

// betweenAnswers is the pause between two blocks of answers: some peers take all
// that one read gives them for one message (Medplum's client among them).
const betweenAnswers = 20 * time.Millisecond

// allPauses is how long the pauses of one block may take together, however many
// messages it brought: its last answer must not come too late.
const allPauses = time.Second

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
func (d *Driver) serve(ctx context.Context, number uint64, c drivers.Conn) error {
	s := &conversation{Driver: d, stop: ctx, conn: c, dec: d.opts.decoder(), keeper: session.Keeper{
		Source: d.name, Kind: KindName, Session: number, Handler: d.deps.Handler, Log: d.deps.Log,
	}}
	err := session.Listen(c, s.dec.Wait, s.take, s.silence)
	if b, block := s.dec.HangUp(); block {
		_ = s.block(b) // the answer may not reach anybody
	}
	s.line.Count("noise_bytes", s.dec.Noise())
	return err
}

// conversation is one connection's life.
type conversation struct {
	*Driver
	stop   context.Context // ends when the agent stops
	conn   drivers.Conn
	dec    *mllp.Decoder
	keeper session.Keeper
}

func (s *conversation) take(p []byte) error {
	for len(p) > 0 {
		used, b, block := s.dec.Feed(p)
		p = p[used:]
		if !block {
			continue
		}
		if err := s.block(b); err != nil {
			return err
		}
	}
	s.line.Count("noise_bytes", s.dec.Noise())
	return nil
}

func (s *conversation) silence() (err error) {
	if b, block := s.dec.Silence(); block {
		err = s.block(b)
	}
	s.line.Count("noise_bytes", s.dec.Noise())
	return err
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
	s.keepBroken(session.Piece{Stage: drivers.Broken, Payload: b.Payload, Fault: string(b.Fault)}, "message broken off")
}

func (s *conversation) keepBroken(p session.Piece, what string) {
	ctx, cancel := s.storing()
	defer cancel()
	s.keeper.Note(p, s.keeper.Keep(ctx, p), what)
}

// storing is the time that a store may take. It does not end with the agent: what
// is being stored then is finished.
func (s *conversation) storing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.stop), storeTimeout)
}

// store stores the messages of one block, those that should be acknowledged all at
// once: a batch of hundreds has no more time than one message. If one of them is
// not taken, none of the block is.
func (s *conversation) store(in []incoming) {
	var pieces []session.Piece
	size := 0
	for _, m := range in {
		p := session.Piece{Stage: m.stage, Payload: m.payload, Fault: m.fault.text}
		switch {
		case !m.keep:
		case m.stage == drivers.Broken:
			s.keepBroken(p, "message kept for a person")
		default:
			pieces, size = append(pieces, p), size+len(m.payload)
		}
	}
	if len(pieces) == 0 {
		return
	}
	ctx, cancel := s.storing()
	defer cancel()
	err := s.keeper.KeepAll(ctx, pieces)
	if err == nil {
		return
	}
	s.deps.Log.Error().Err(err).Int("messages", len(pieces)).Int("bytes", size).Msg("not stored")
	v := notStored(err)
	for i := range in {
		if in[i].outcome == accepted {
			in[i].verdict = v
		}
	}
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
	blocks := s.answers(in)
	for i, b := range blocks {
		if i > 0 {
			// Not while the agent stops.
			drivers.Pause(s.stop, min(betweenAnswers, allPauses/time.Duration(len(blocks))))
		}
		if err := session.Answer(s.conn, b); err != nil {
			return err
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
