package text

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Errors with which Sender.Send ends.
var (
	// ErrNoAnswer: nothing came within the time an analyzer waits.
	ErrNoAnswer = errors.New("no answer from the receiver")

	// ErrRefused: a frame was refused each time it was sent.
	ErrRefused = errors.New("the receiver refused a frame")
)

const (
	replyTimeout = 15 * time.Second // for the answer to a frame
	maxTries     = 3                // of one frame
)

// Sender is the analyzer's side of a description, for the simulator and tests.
type Sender struct{ desc *description }

// NewSender returns a sender that frames messages as o describes.
func NewSender(o Options) (Sender, error) {
	d, err := describe(o)
	return Sender{d}, err
}

// Frames are the frames of one message, each with its marks and its check.
func (s Sender) Frames(message []byte) (frames [][]byte) {
	f := s.desc.framing
	if f.keep {
		return [][]byte{message}
	}
	for _, text := range s.texts(message) {
		var out []byte
		out = append(out, f.start...)
		end := f.end
		if f.kind == byLine {
			end = []byte{'\r'}
			if n := len(text); n > 0 && (text[n-1] == '\r' || text[n-1] == '\n') {
				text, end = text[:n-1], text[n-1:]
			}
		}
		out = append(out, text...)
		check := []byte(nil)
		if f.check.kind != "" {
			check = f.check.of(f.start, text, end)
		}
		if f.check.before {
			out = slices.Concat(out, check, end)
		} else {
			out = slices.Concat(out, end, check)
		}
		frames = append(frames, out)
	}
	return frames
}

// texts are the texts of a message's frames; those of lines with the line's end.
func (s Sender) texts(message []byte) (texts [][]byte) {
	f := s.desc.framing
	if !s.desc.many() {
		return [][]byte{message}
	}
	for len(message) > 0 {
		n, mark := len(message), 0
		switch f.kind {
		case byLine:
			if i := bytes.IndexAny(message, "\r\n"); i >= 0 {
				n = i + 1
			}
		case byLength:
			n = min(n, f.length)
		default:
			if i := bytes.Index(message, f.end); i >= 0 {
				n, mark = i, len(f.end)
			}
		}
		texts = append(texts, message[:n])
		message = message[n+mark:]
	}
	return texts
}

// Wire is all that an analyzer sends for a message that is never refused.
func (s Sender) Wire(message []byte) []byte {
	out := slices.Clone([]byte(s.desc.Enquiry))
	for _, f := range s.Frames(message) {
		out = append(out, f...)
	}
	return append(out, s.desc.Message.End...)
}

// Send sends one message. With ack bytes in the description, nil means that it
// was acknowledged; without, that it was written.
func (s Sender) Send(ctx context.Context, c drivers.Conn, message []byte) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	var units [][]byte
	if len(s.desc.Enquiry) > 0 {
		units = append(units, s.desc.Enquiry)
	}
	for _, unit := range append(units, s.Frames(message)...) {
		if err := s.transfer(c, unit); err != nil {
			return err
		}
	}
	if end := s.desc.Message.End; len(end) > 0 {
		if _, err := c.Write(end); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return ctx.Err()
}

// transfer sends a frame until it is taken.
func (s Sender) transfer(c drivers.Conn, unit []byte) error {
	for range maxTries {
		if _, err := c.Write(unit); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if len(s.desc.Ack) == 0 {
			return nil
		}
		taken, err := s.answer(c)
		if err != nil {
			return err
		}
		if taken {
			return nil
		}
	}
	return ErrRefused
}

// answer waits for ack or nak.
func (s Sender) answer(c drivers.Conn) (taken bool, err error) {
	if err := c.SetReadDeadline(time.Now().Add(replyTimeout)); err != nil {
		return false, err
	}
	var got []byte
	for one := make([]byte, 1); ; {
		if _, err := c.Read(one); errors.Is(err, os.ErrDeadlineExceeded) {
			return false, ErrNoAnswer
		} else if err != nil {
			return false, fmt.Errorf("wait for the answer: %w", err)
		}
		got = append(got, one[0])
		switch {
		case bytes.HasSuffix(got, s.desc.Ack):
			return true, nil
		case len(s.desc.Nak) > 0 && bytes.HasSuffix(got, s.desc.Nak):
			return false, nil
		case len(got) > 1<<10:
			return false, ErrNoAnswer
		}
	}
}
