//go:build !linux

package simulator

import (
	"context"
	"errors"

	"github.com/labcourier/labcourier/drivers"
)

// OpenPTY makes a pair of pseudo-terminals, which only Linux has here.
func OpenPTY() (port *PTY, device string, err error) {
	return nil, "", errors.ErrUnsupported
}

// PTY is the analyzer's end of a simulated serial line.
type PTY struct{}

var _ drivers.Port = (*PTY)(nil)

// Open is not supported.
func (*PTY) Open(context.Context) (drivers.Conn, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*PTY) Close() error { return nil }

func (*PTY) String() string { return "pseudo-terminal" }
