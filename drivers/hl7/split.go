package hl7

import (
	"bytes"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// Split cuts captured traffic into messages without a link; see drivers.Kind.
// Traffic without any start block is cut at its MSH segments.
func Split(raw []byte, s drivers.Section) (messages []drivers.Message, faults []string) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, []string{err.Error()}
	}
	c := &collector{opts: o}
	switch {
	case bytes.IndexByte(raw, mllp.VT) >= 0:
		c.framed(raw)
	case escapedDump(raw):
		c.faults = append(c.faults, `this is a dump that writes control characters as \v or \x0B: turn them back into bytes first`)
	default:
		c.bare(raw)
	}
	if len(c.messages) == 0 && len(c.faults) == 0 {
		c.faults = append(c.faults, "there is neither a block nor an MSH segment in it")
	}
	return c.messages, c.faults
}

// collector stands in for the line and the store.
type collector struct {
	opts     Options
	messages []drivers.Message
	faults   []string
}

func (c *collector) framed(raw []byte) {
	dec := c.opts.decoder()
	for len(raw) > 0 {
		n, b, block := dec.Feed(raw)
		raw = raw[n:]
		if block {
			c.block(b)
		}
	}
	if c.opts.IdleEnd > 0 {
		if b, block := dec.Silence(); block {
			c.block(b)
		}
	}
	if b, block := dec.HangUp(); block {
		c.block(b)
	}
	if dec.Noise() > 0 {
		c.faults = append(c.faults, "there are bytes outside of blocks")
	}
}

// bare takes messages without blocks. A log that loses VT may keep FS CR.
func (c *collector) bare(raw []byte) {
	raw = bytes.ReplaceAll(raw, []byte{mllp.FS, mllp.CR}, nil)
	raw = bytes.ReplaceAll(raw, []byte{mllp.FS, mllp.LF}, nil)
	if at := findLine(raw, "MSH"); at != nil {
		c.block(mllp.Block{Payload: raw})
	}
}

func (c *collector) block(b mllp.Block) {
	if b.Fault != mllp.FaultNone {
		c.keep(b.Payload, drivers.Broken, string(b.Fault))
		return
	}
	for _, m := range cutMessages(b.Payload) {
		in := judge(m, c.opts)
		if in.outcome == failed {
			c.faults = append(c.faults, in.fault.text)
		}
		if !in.keep { // a query or an answer: nothing is wrong with it as a message
			in.stage, in.fault.text = drivers.Complete, ""
		}
		c.keep(m, in.stage, in.fault.text)
	}
}

func (c *collector) keep(payload []byte, stage drivers.Stage, fault string) {
	c.messages = append(c.messages, drivers.Message{Kind: KindName, Payload: bytes.Clone(payload), Stage: stage, Fault: fault})
}

// escapedDump knows text that was printed with its control characters escaped.
func escapedDump(raw []byte) bool {
	head := raw[:min(len(raw), 64)]
	for _, mark := range []string{`\vMSH`, `\x0bMSH`, `\x0BMSH`, `\u000bMSH`, `<VT>MSH`} {
		if bytes.Contains(head, []byte(mark)) {
			return true
		}
	}
	return false
}
