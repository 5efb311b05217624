package poct

import (
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
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
	l := NewLink(o, func() error { return nil })
	messages, faults = session.Split(KindName, "document", l, raw)
	if l.Counted("documents") == 0 && len(messages) == 0 && len(faults) == 0 {
		faults = append(faults, "there is no XML document in it")
	}
	return messages, faults
}
