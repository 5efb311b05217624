package folder

import (
	"context"
	"errors"

	"github.com/labcourier/labcourier/drivers"
)

// Place is the port of an analyzer that drops files into a folder.
type Place struct{ o Options }

var _ drivers.Collecting = (*Place)(nil)

// New returns the place that o describes. Nothing is opened yet.
func New(o Options) *Place { return &Place{o.withDefaults()} }

// Open fails: a folder has no connections.
func (*Place) Open(context.Context) (drivers.Conn, error) {
	return nil, errors.New("a folder has no connections: what lies in it is collected")
}

// Close does nothing: nothing is held between looks.
func (*Place) Close() error { return nil }

func (p *Place) String() string { return "folder " + p.o.Path + " " + p.o.Pattern }

// Collect returns the driver that reads the folder with k; see
// drivers.Collecting.
func (p *Place) Collect(name string, k drivers.Kind, s drivers.Section, d drivers.Deps) (drivers.Driver, error) {
	// The kind's own driver is not needed, but what it says of its settings is.
	if _, err := k.New(name, s, drivers.Deps{}); err != nil {
		return nil, err
	}
	return newDriver(name, k, s, p.o, d), nil
}
