package simulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
)

// Sender sends one message and returns nil when it was acknowledged: from then
// on the analyzer would forget it.
type Sender interface {
	Send(ctx context.Context, c drivers.Conn, message []byte) error
}

// ASTM sends LIS02 records over LIS01.
type ASTM struct {
	FrameText int  // 0: astm.DefaultFrameText
	PerRecord bool // each record in frames of its own

	NoChecksum bool // frames have none, as a receiver with checksum = "none" reads them
}

var _ Sender = ASTM{}

// Send transfers message in one session.
func (a ASTM) Send(ctx context.Context, c drivers.Conn, message []byte) error {
	frames := astm.Frames(message, a.FrameText, a.PerRecord)
	if a.NoChecksum {
		for i, f := range frames {
			frames[i] = append(f[:len(f)-4], astm.CR, astm.LF) // in place of two digits, CR and LF
		}
	}
	s := astm.NewSender(frames)
	buf := make([]byte, 1)
	for do := s.Start(); ; {
		if do.Send != nil {
			if _, err := c.Write(do.Send); err != nil {
				return fmt.Errorf("send: %w", err)
			}
		}
		if do.Done {
			return do.Err
		}
		if err := c.SetReadDeadline(time.Now().Add(do.Wait)); err != nil {
			return err
		}
		_, err := c.Read(buf)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			do = s.Silence()
		case err != nil:
			return fmt.Errorf("wait for the answer: %w", err)
		default:
			do = s.Reply(buf[0])
		}
	}
}

// Bare sends LIS02 records as they are, without the frames and the handshake of
// LIS01: what a receiver with framing = "none" reads.
type Bare struct {
	Answered bool // an ACK is waited for; without, what was written counts as taken
}

var _ Sender = Bare{}

// Send writes message and waits for the answer, if there is one.
func (b Bare) Send(ctx context.Context, c drivers.Conn, message []byte) error {
	if _, err := c.Write(message); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if !b.Answered {
		return nil
	}
	if err := c.SetReadDeadline(time.Now().Add(astm.ReplyTimeout)); err != nil {
		return err
	}
	buf := make([]byte, 1)
	_, err := c.Read(buf)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return astm.ErrNoAnswer
	case err != nil:
		return fmt.Errorf("wait for the answer: %w", err)
	case buf[0] != astm.ACK:
		return astm.ErrRefused
	}
	return nil
}
