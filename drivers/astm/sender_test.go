package astm

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestSender holds the sender against LIS01-A2 6.2 to 6.5, event by event.
func TestSender(t *testing.T) {
	const silence = 0xFF
	frames := Frames([]byte("H|1\rL|1\r"), 4, false)
	one, two := string(frames[0]), string(frames[1])
	type event struct {
		in   byte
		send string
		wait time.Duration
	}
	for name, c := range map[string]struct {
		events []event
		err    error
	}{
		"all goes well": {[]event{{ACK, one, ReplyTimeout}, {ACK, two, ReplyTimeout}, {ACK, eot, 0}}, nil},
		"a frame is sent again after NAK, and after anything else": {[]event{
			{ACK, one, ReplyTimeout}, {NAK, one, ReplyTimeout}, {'x', one, ReplyTimeout}, {ACK, two, ReplyTimeout}, {ACK, eot, 0}}, nil},
		"seven refusals":              {append([]event{{ACK, one, ReplyTimeout}}, append(slices.Repeat([]event{{NAK, one, ReplyTimeout}}, 6), event{NAK, eot, 0})...), ErrRefused},
		"no answer to ENQ":            {[]event{{silence, eot, 0}}, ErrNoAnswer},
		"no answer to a frame":        {[]event{{ACK, one, ReplyTimeout}, {silence, eot, 0}}, ErrNoAnswer},
		"busy, then not":              {[]event{{NAK, "", BusyPause}, {silence, enq, ReplyTimeout}, {ACK, one, ReplyTimeout}, {ACK, two, ReplyTimeout}, {ACK, eot, 0}}, nil},
		"contention":                  {[]event{{ENQ, "", ContentionPause}, {silence, enq, ReplyTimeout}, {ACK, one, ReplyTimeout}, {ACK, two, ReplyTimeout}, {ACK, eot, 0}}, nil},
		"EOT is ACK and an interrupt": {[]event{{ACK, one, ReplyTimeout}, {EOT, two, ReplyTimeout}, {ACK, eot, 0}}, nil},
		"noise before the answer":     {[]event{{0, "", ReplyTimeout}, {ACK, one, ReplyTimeout}, {ACK, two, ReplyTimeout}, {ACK, eot, 0}}, nil},
	} {
		s := NewSender(frames)
		if a := s.Start(); string(a.Send) != enq || a.Wait != ReplyTimeout {
			t.Fatalf("%s: began with %+v", name, a)
		}
		for i, e := range c.events {
			var got Action
			if e.in == silence {
				got = s.Silence()
			} else {
				got = s.Reply(e.in)
			}
			last := i == len(c.events)-1
			if string(got.Send) != e.send || got.Wait != e.wait || got.Done != last || last && !errors.Is(got.Err, c.err) {
				t.Errorf("%s: event %d: %+v", name, i, got)
			}
		}
	}
	s := NewSender(frames)
	s.Start()
	for range maxBids - 1 {
		s.Reply(NAK)
		s.Silence()
	}
	s.Reply(NAK)
	if a := s.Silence(); !a.Done || !errors.Is(a.Err, ErrBusy) {
		t.Errorf("busy for ever: %+v", a)
	}
}
