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

// Turn is a stretch of captured traffic after which the analyzer waited for an
// answer, or after which the capture ends.
type Turn struct {
	Bytes  []byte
	Answer bool // an answer is due
}

// Turns cuts a capture of an ASTM analyzer after each ENQ and each frame. Put
// together again they are the capture, byte for byte.
func Turns(raw []byte) []Turn {
	var turns []Turn
	dec := astm.Decoder{NoCRLF: true}
	start, i := 0, 0
	cut := func(answer bool) {
		turns = append(turns, Turn{raw[start:i], answer})
		start = i
	}
	for i < len(raw) {
		if !dec.Inside() && raw[i] == astm.ENQ {
			i++
			cut(true)
			continue
		}
		n, _, done := dec.Feed(raw[i:])
		i += n
		if done {
			cut(true)
		}
	}
	if _, done := dec.Silence(); start < len(raw) {
		cut(done)
	}
	return turns
}

// Play sends a capture byte for byte, waiting where the analyzer waited. It
// tells seen of each turn and its answer: 0 where none came in time. An answer
// changes nothing of what is sent.
func Play(ctx context.Context, c drivers.Conn, raw []byte, wait time.Duration, seen func(t Turn, answer byte)) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	for _, t := range Turns(raw) {
		if _, err := c.Write(t.Bytes); err != nil {
			return fmt.Errorf("play: %w", err)
		}
		var answer [1]byte
		if t.Answer {
			if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
				return err
			}
			if _, err := c.Read(answer[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("wait for the answer: %w", err)
			}
		}
		if seen != nil {
			seen(t, answer[0])
		}
	}
	return ctx.Err()
}
