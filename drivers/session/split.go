package session

import (
	"bytes"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Split cuts captured traffic into messages with the link that serves real
// connections; see drivers.Kind. A fault names the byte, and calls what is refused
// there by its name: "frame", "document".
func Split(kind, called string, l Link, raw []byte) (messages []drivers.Message, faults []string) {
	c := &collector{kind: kind, called: called, link: l}
	for p := raw; len(p) > 0; {
		n, step := l.Feed(time.Time{}, p)
		p, c.offset = p[n:], c.offset+n
		c.do(step)
	}
	for range hangUps {
		step := l.HangUp(time.Time{})
		if !step.Asks() {
			break
		}
		c.do(step)
	}
	return c.messages, c.faults
}

// collector stands in for the line and the store.
type collector struct {
	kind, called string
	link         Link
	offset       int
	messages     []drivers.Message
	faults       []string
}

func (c *collector) do(step Step) {
	for {
		if step.Refused != "" {
			c.faults = append(c.faults, fmt.Sprintf("byte %d: the %s that ends here is refused: %s", c.offset, c.called, step.Refused))
		}
		if len(step.Store) == 0 {
			return
		}
		for _, p := range step.Store {
			if p.Stage != drivers.Draft {
				c.messages = append(c.messages, drivers.Message{Kind: c.kind, Payload: bytes.Clone(p.Payload), Stage: p.Stage, Fault: p.Fault})
			}
		}
		step = c.link.Stored(time.Time{}, nil)
	}
}
