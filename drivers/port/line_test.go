package port

import (
	"context"
	"testing"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
)

// echoLine is a drivers.Line that sends back what it reads.
type echoLine struct {
	*drivers.Line
	ended chan error // one per session
}

// newEchoLine runs a Line over p until the test ends.
func newEchoLine(t *testing.T, p drivers.Port) *echoLine {
	l := &echoLine{Line: drivers.NewLine(p, zerolog.Nop()), ended: make(chan error, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- l.Run(ctx, l.echo) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, stopped, "Run to return"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return l
}

func (l *echoLine) echo(_ context.Context, _ uint64, c drivers.Conn) error {
	err := func() error {
		buf := make([]byte, 64)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return err
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return err
			}
		}
	}()
	l.ended <- err
	return err
}
