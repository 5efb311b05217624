package text

import (
	"bytes"
	"fmt"

	"github.com/labcourier/labcourier/drivers"
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
	c := &collector{link: link}
	for p := raw; len(p) > 0; {
		n, step := link.Feed(p)
		p, c.offset = p[n:], c.offset+n
		c.do(step)
	}
	if link.Message.Idle > 0 && !link.dec.inside() || link.framing.kind == byIdle {
		c.do(link.Silence())
	}
	for step := link.HangUp(); step.asks(); step = link.HangUp() {
		c.do(step)
	}
	if len(c.messages) == 0 && len(c.faults) == 0 {
		c.faults = append(c.faults, "no frame was found: compare frame with the bytes of the capture")
	}
	return c.messages, c.faults
}

// collector stands in for the line and the store.
type collector struct {
	link     *Link
	offset   int
	messages []drivers.Message
	faults   []string
}

func (c *collector) do(step Step) {
	for {
		if step.Refused != "" {
			c.faults = append(c.faults, fmt.Sprintf("byte %d: what ends here is refused: %s", c.offset, step.Refused))
		}
		if len(step.Store) == 0 {
			return
		}
		for _, p := range step.Store {
			if p.Stage != drivers.Draft {
				c.messages = append(c.messages, drivers.Message{Kind: KindName, Payload: bytes.Clone(p.Payload), Stage: p.Stage, Fault: p.Fault})
			}
		}
		step = c.link.Stored(nil)
	}
}
