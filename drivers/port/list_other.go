//go:build !linux && !windows

package port

import (
	"errors"
	"fmt"
)

func list() ([]Info, error) {
	return nil, fmt.Errorf("list serial ports: %w", errors.ErrUnsupported)
}
