package deliver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// Codes of the reasons for which messages are parked here.
const (
	CodeUnparsable = "unparsable" // the message cannot be read
	CodeUnmappable = "unmappable" // it was read and has no mapping
	CodeHeld       = "held"       // parts of it need a person; the rest is delivered
	CodeRejected   = "rejected"   // the server refuses it
	CodeAmbiguous  = "ambiguous"  // several resources have an identifier of it (412)
	CodeTooLarge   = "too-large"  // a single resource is too large for the server
	CodeSuperseded = "superseded" // it corrects what was corrected since
)

// Waits after faults that may pass: 1, 2, 4 ... 60 s, each 20 % more or less.
const (
	shortestPause = time.Second
	longestPause  = time.Minute
	jitter        = 0.2
)

// lane delivers one analyzer's messages, one after the other.
type lane struct {
	d      *Deliverer
	name   string
	log    zerolog.Logger
	pauses *backoff.ExponentialBackOff
	device map[string]string // full URL to reference, of entries of a device step

	mu    sync.Mutex
	state LaneState
}

func newLane(d *Deliverer, name string) *lane {
	p := backoff.NewExponentialBackOff()
	p.InitialInterval, p.MaxInterval, p.Multiplier, p.RandomizationFactor = shortestPause, longestPause, 2, jitter
	return &lane{
		d: d, name: name, log: d.o.Log.With().Str("analyzer", name).Logger(),
		pauses: p, device: map[string]string{}, state: LaneState{Name: name},
	}
}

func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		rec, err := l.d.o.Queue.Next(ctx, l.name)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.log.Error().Err(err).Msg("cannot read the next message; trying again")
			l.pause(ctx, "the spool: "+oneLine(err.Error()), CauseSpool, 0)
			continue
		}
		l.head(rec.Seq)
		if err := l.handle(ctx, rec); err != nil {
			if errors.Is(err, errStopped) {
				return
			}
			// The message is sent again, which is harmless.
			l.log.Error().Err(err).Uint64("seq", uint64(rec.Seq)).Msg("cannot record what came of a message; delivering it again")
			l.pause(ctx, "the spool: "+oneLine(err.Error()), CauseSpool, 0)
			continue
		}
		l.pauses.Reset()
	}
}

// end is how the work on a message ended: parked for a reason, or delivered.
type end struct {
	reason  *spool.Reason
	receipt spool.Receipt
}

func park(code, text string) end { return end{reason: &spool.Reason{Code: code, Text: text}} }

// handle brings one message to its end and tells the queue. Its error is
// errStopped, or the queue's.
func (l *lane) handle(ctx context.Context, rec spool.Record) error {
	e, err := l.bring(ctx, rec)
	if err != nil {
		return err
	}
	if e.reason != nil {
		if err := l.d.o.Queue.Park(l.name, rec.Seq, *e.reason); err != nil {
			return fmt.Errorf("park message: %w", err)
		}
		l.settled(false)
		l.about(l.log.Warn(), rec).Str("code", e.reason.Code).Msg("message parked: a person must look at it")
		return nil
	}
	if err := l.d.o.Queue.Done(l.name, rec.Seq, e.receipt); err != nil {
		return fmt.Errorf("mark message as delivered: %w", err)
	}
	l.settled(true)
	l.about(l.log.Debug(), rec).Int("resources", len(e.receipt.Resources)).Str("outcome", e.receipt.Outcome).Msg("message delivered")
	return nil
}

// about names a message without telling anything of its content.
func (l *lane) about(e *zerolog.Event, rec spool.Record) *zerolog.Event {
	return e.Uint64("seq", uint64(rec.Seq)).Int("bytes", len(rec.Payload)).Str("digest", hex.EncodeToString(rec.Digest[:6]))
}

func (l *lane) bring(ctx context.Context, rec spool.Record) (end, error) {
	plan, err := l.plan(rec)
	switch {
	case errors.Is(err, ErrUnmappable):
		return park(CodeUnmappable, cut(err.Error(), longestWords)), nil
	case err != nil:
		return park(CodeUnparsable, cut(err.Error(), longestWords)), nil
	}
	if b, ok := l.d.o.Bots[l.name]; ok {
		return l.toBot(ctx, rec, plan, b)
	}
	j := &job{lane: l, plan: plan}
	refused, err := j.run(ctx)
	switch {
	case err != nil:
		return end{}, err
	case refused != nil:
		return end{reason: refused}, nil
	case len(plan.Held)+len(j.held) > 0:
		return park(CodeHeld, cut(strings.Join(append(append([]string(nil), plan.Held...), j.held...), "; "), longestWords)), nil
	}
	return end{receipt: j.receipt()}, nil
}

// plan calls the mapper. A panic of it is logged without its value, which may
// be of the message.
func (l *lane) plan(rec spool.Record) (plan fhir.Plan, err error) {
	defer func() {
		if recover() != nil {
			l.about(l.log.Error(), rec).Bytes("stack", debug.Stack()).Msg("reading or mapping a message panicked: this is a fault of the program")
			err = fmt.Errorf("%w: the program failed on it; please report this with the log", ErrUnmappable)
		}
	}()
	return l.d.o.Map(rec)
}

// pause waits before something is tried again: as long as asked, or else ever
// longer. It ends early, without telling, when ctx does.
func (l *lane) pause(ctx context.Context, why string, c Cause, asked time.Duration) {
	d := min(l.pauses.NextBackOff(), longestPause)
	if asked > 0 {
		d = max(shortestPause/2, min(asked, longestAsked)) + d/20 // not all lanes at once
	}
	l.wait(why, c)
	drivers.Pause(ctx, d)
}
