package astm

import (
	"bytes"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// Split cuts captured traffic into messages without a link; see drivers.Kind.
// Traffic with frames goes through the receiver that serves real links; traffic
// without any is cut at its L records.
func Split(raw []byte, s drivers.Section) (messages []drivers.Message, faults []string) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, []string{err.Error()}
	}
	if o.Framing != "none" && bytes.IndexByte(raw, STX) < 0 {
		return splitUnframed(raw)
	}
	l := o.link(func() error { return nil })
	if framed := o.Framing != "none"; framed && raw[bytes.IndexAny(raw, "\x02\x05")] == STX {
		faults = append(faults, "the capture does not begin with ENQ: one is assumed")
		l.Feed(time.Time{}, []byte{ENQ})
	}
	messages, refused := session.Split(KindName, "frame", l, raw)
	return messages, append(faults, refused...)
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
