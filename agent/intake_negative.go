//go:build ackbeforestore

package agent

import (
	"bytes"
	"context"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// newIntake is the negative control of the crash test: it breaks the first
// promise on purpose, by letting the acknowledgement leave before the message
// is stored. A crash test that does not fail with it is worth nothing.
func newIntake(s *spool.Spool) drivers.Handler { return hastyIntake{intake{s}} }

type hastyIntake struct{ intake }

func (h hastyIntake) Receive(_ context.Context, m drivers.Message) error {
	m.Payload = bytes.Clone(m.Payload)
	go h.intake.Receive(context.Background(), m)
	return nil
}
