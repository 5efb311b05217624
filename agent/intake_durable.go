//go:build !ackbeforestore

package agent

import (
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

func newIntake(s *spool.Spool) drivers.Handler { return intake{s} }
