package poct

import (
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// KindName is what the configuration calls this driver.
const KindName = "poct"

// Kind describes the driver to the program.
func Kind() drivers.Kind {
	return drivers.Kind{Name: KindName, New: New, Parse: Parse, Split: Split}
}

// storeTimeout is how long a store may take before a message is refused. Devices
// wait 30 s and more for an ACK.
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
		NewLink: func() session.Link { return NewLink(o, d.Handler.Accepting) },
	}), nil
}
