//go:build !linux && !windows

package port

import (
	"errors"
	"time"
)

// setUnconfirmed is not known for this system.
func setUnconfirmed(uintptr, time.Duration) error { return errors.ErrUnsupported }
