package text

import (
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// Split cuts captured traffic into messages without a link; see drivers.Kind. It
// goes through the receiver that serves real links. A capture knows no silences,
// so its end stands for one.
func Split(raw []byte, s drivers.Section) (messages []drivers.Message, faults []string) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, []string{err.Error()}
	}
	link, err := NewLink(o, func() error { return nil })
	if err != nil {
		return nil, []string{err.Error()}
	}
	if wide(raw) && !unmarked(o.Frame.By) {
		return nil, []string{"it is UTF-16, in which no frame can be found: use frame.by = \"file\", or set the analyzer's export to UTF-8"}
	}
	messages, faults = session.Split(KindName, "frame", &captured{Link: link}, raw)
	if len(messages) == 0 && len(faults) == 0 {
		faults = []string{"no frame was found: compare frame with the bytes of the capture"}
	}
	return messages, faults
}

// captured is a link at the end of a capture: a silence, and then the hang-up.
type captured struct {
	*Link
	ended bool
}

// HangUp ends the capture.
func (c *captured) HangUp(now time.Time) session.Step {
	l := c.Link
	if !c.ended && (l.Message.Idle > 0 && !l.dec.inside() || l.framing.kind == byIdle) {
		c.ended = true
		if s := l.Silence(now); s.Asks() {
			return s
		}
	}
	c.ended = true
	return l.HangUp(now)
}
