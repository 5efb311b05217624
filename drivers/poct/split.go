package poct

import (
	"bytes"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Split cuts captured traffic into messages without a link; see drivers.Kind. It
// goes through the link that serves real devices. What the other side of the
// capture sent, such as its ACKs, is no message.
func Split(raw []byte, s drivers.Section) (messages []drivers.Message, faults []string) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, []string{err.Error()}
	}
	if err := o.validate(); err != nil {
		return nil, []string{err.Error()}
	}
	c := &collector{link: NewLink(o, func() error { return nil })}
	for p := raw; len(p) > 0; {
		n, step := c.link.Feed(time.Time{}, p)
		p, c.offset = p[n:], c.offset+n
		c.do(step)
	}
	c.do(c.link.HangUp())
	if c.link.counts["documents"] == 0 && len(c.messages) == 0 && len(c.faults) == 0 {
		c.faults = append(c.faults, "there is no XML document in it")
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
	for len(step.Store) > 0 {
		for _, p := range step.Store {
			c.messages = append(c.messages, drivers.Message{Kind: KindName, Payload: bytes.Clone(p.Payload), Stage: p.Stage, Fault: p.Fault})
		}
		step = c.link.Stored(time.Time{}, nil)
	}
	if step.Refused != "" {
		c.faults = append(c.faults, fmt.Sprintf("byte %d: the document that ends here is refused: %s", c.offset, step.Refused))
	}
}
