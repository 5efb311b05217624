package astm

import (
	"bytes"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Split cuts captured traffic into messages without a link; see drivers.Kind.
// Traffic with frames goes through the receiver that serves real links; traffic
// without any is cut at its L records.
func Split(raw []byte, s drivers.Section) (messages []drivers.Message, faults []string) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, []string{err.Error()}
	}
	if bytes.IndexByte(raw, STX) < 0 {
		return splitUnframed(raw)
	}
	c := &collector{}
	c.link = NewLink(o, func() error { return nil })
	if first := bytes.IndexAny(raw, "\x02\x05"); raw[first] == STX {
		c.faults = append(c.faults, "the capture does not begin with ENQ: one is assumed")
		c.feed([]byte{ENQ})
	}
	c.feed(raw)
	if c.link.Ending() {
		c.do(c.link.Silence(time.Time{}))
	}
	c.do(c.link.HangUp())
	return c.messages, c.faults
}

// collector stands in for the line and the store.
type collector struct {
	link     *Link
	offset   int
	messages []drivers.Message
	faults   []string
}

func (c *collector) feed(p []byte) {
	for len(p) > 0 {
		n, step := c.link.Feed(time.Time{}, p)
		p, c.offset = p[n:], c.offset+n
		c.do(step)
	}
}

func (c *collector) do(step Step) {
	for len(step.Store) > 0 {
		for _, p := range step.Store {
			if p.Stage != drivers.Draft {
				c.messages = append(c.messages, drivers.Message{Kind: KindName, Payload: bytes.Clone(p.Payload), Stage: p.Stage, Fault: p.Fault})
			}
		}
		step = c.link.Stored(nil)
	}
	if step.Reply == NAK {
		c.faults = append(c.faults, fmt.Sprintf("byte %d: the frame that ends here is refused: %s", c.offset, step.Refused))
	}
}

// splitUnframed cuts bare records into messages.
func splitUnframed(raw []byte) (messages []drivers.Message, faults []string) {
	var a assembler
	text := raw
	if bytes.IndexByte(raw, CR) < 0 { // records that an editor saved with LF
		text = bytes.ReplaceAll(raw, []byte{LF}, []byte{CR})
	}
	whole, rest, _ := a.add(text, true)
	for _, m := range whole {
		messages = append(messages, drivers.Message{Kind: KindName, Payload: bytes.Clone(m)})
	}
	a.keep(rest)
	if left := a.pending(); len(bytes.TrimSpace(left)) > 0 {
		messages = append(messages, drivers.Message{
			Kind: KindName, Payload: bytes.Clone(left), Stage: drivers.Broken,
			Fault: "the records end without an L record",
		})
	}
	if len(messages) == 0 {
		faults = append(faults, "there is neither a frame nor a record in it")
	}
	return messages, faults
}
