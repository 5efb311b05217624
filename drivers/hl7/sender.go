package hl7

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// ErrNoAnswer: no acknowledgement came in time.
var ErrNoAnswer = errors.New("no acknowledgement from the receiver")

// RefusedError is the receiver's refusal of a message.
type RefusedError struct {
	Code string // AE, AR, CE or CR
	Text string // MSA-3; may hold content, so it is not part of Error
}

func (e *RefusedError) Error() string { return "the receiver answered " + e.Code }

// Sender sends as an analyzer does: one message, then the wait for its
// acknowledgement.
type Sender struct {
	// Timeout is how long to wait for each acknowledgement, 0 for 10 s, which is
	// what Mindray analyzers wait.
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// Send sends one message in a block and returns nil when every acknowledgement
// that its MSH-15 and MSH-16 ask for in the good case has come. An answer to
// another message (MSA-2) is passed over: it came too late.
func (s Sender) Send(ctx context.Context, c drivers.Conn, message []byte) error {
	h, err := readHeader(message)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if _, err := c.Write(mllp.AppendBlock(nil, message)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	w := waiter{id: h.echo(10)}
	accept, application, enhanced := h.conditions(Options{})
	w.accept, w.application = wanted(accept, accepted), wanted(application, accepted) || !enhanced
	return s.wait(ctx, c, &w)
}

// wait reads until all has come.
func (s Sender) wait(ctx context.Context, c drivers.Conn, w *waiter) error {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	var dec mllp.Decoder
	buf := make([]byte, 4<<10)
	deadline := time.Now().Add(timeout)
	for !w.done() {
		if err := c.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := c.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			used, b, block := dec.Feed(p)
			p = p[used:]
			if !block {
				continue
			}
			if err := w.take(b.Payload); err != nil {
				return err
			}
			deadline = time.Now().Add(timeout)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case w.done():
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ErrNoAnswer
		case err != nil:
			return fmt.Errorf("wait for the acknowledgement: %w", err)
		}
	}
	return nil
}

// waiter knows which answers are still due.
type waiter struct {
	id                  string
	accept, application bool
}

func (w *waiter) done() bool { return !w.accept && !w.application }

// take looks at the messages of one answer block.
func (w *waiter) take(block []byte) error {
	for _, m := range cutMessages(block) {
		h, err := readHeader(m)
		if err != nil {
			continue
		}
		msa, ok := cutSegment(&h.d, func(raw []byte) string { return string(raw) }, string(findLine(m, "MSA")))
		if !ok || msa.field(2) != w.id {
			continue
		}
		switch code := strings.ToUpper(msa.text(1)); code {
		case "CA":
			w.accept = false
		case "AA":
			w.application = false
		default:
			return &RefusedError{Code: code, Text: msa.text(3)}
		}
	}
	return nil
}
