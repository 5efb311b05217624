package astm

import (
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// KindName is what the configuration calls this driver.
const KindName = "astm"

// Kind describes the driver to the program.
func Kind() drivers.Kind {
	return drivers.Kind{Name: KindName, New: New, Parse: Parse, Split: Split}
}

// storeTimeout is how long a store may take before the frame is refused. The
// sender gives up after 15 s (LIS01-A2 6.5.2.2), and an ACK after that would be
// taken for an answer to what it sends next.
const storeTimeout = 10 * time.Second

// New builds a driver; see drivers.Kind.
func New(name string, s drivers.Section, d drivers.Deps) (drivers.Driver, error) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	return session.New(session.Config{
		Name: name, Kind: KindName, Deps: d, Options: o.inForce(), StoreTimeout: storeTimeout,
		NewLink: func() session.Link { return o.link(d.Handler.Accepting) },
	}), nil
}

// link returns the receiver for an analyzer with these options.
func (o Options) link(accepting func() error) session.Link {
	if o.Framing == "none" {
		return newRawLink(o)
	}
	return NewLink(o, accepting)
}
