package text

import (
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// KindName is what the configuration calls this driver.
const KindName = "text"

// Kind describes the driver to the program.
func Kind() drivers.Kind {
	return drivers.Kind{Name: KindName, New: New, Parse: Parse, Compile: Compile, Split: Split}
}

// storeTimeout is how long a store may take before a frame is refused.
const storeTimeout = 10 * time.Second

// New builds a driver; see drivers.Kind.
func New(name string, s drivers.Section, d drivers.Deps) (drivers.Driver, error) {
	var o Options
	if err := s.Decode(&o); err != nil {
		return nil, err
	}
	desc, err := describe(o)
	if err != nil {
		return nil, err
	}
	return session.New(session.Config{
		Name: name, Kind: KindName, Deps: d, Options: o.inForce(), StoreTimeout: storeTimeout,
		NewLink: func() session.Link { return newLink(desc, d.Handler.Accepting) },
	}), nil
}

// inForce lists what changes how bytes are read beyond what their description must
// say anyway, for the status.
func (o Options) inForce() (list []string) {
	list = drivers.AppendOption(list, "close_ends", o.CloseEnds, false)
	list = drivers.AppendOption(list, "decimal", o.Decimal, ".")
	return drivers.AppendOption(list, "specimen_pattern", o.SpecimenPattern, "")
}
