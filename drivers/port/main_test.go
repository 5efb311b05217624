package port

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come. It decides nothing when
// all is well.
const patience = 2 * time.Minute

// receive returns what comes from c, or fails the test.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// must returns v, or fails the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// open opens p and closes the connection when the test ends.
func open(t *testing.T, p drivers.Port) drivers.Conn {
	t.Helper()
	c, err := p.Open(t.Context())
	if err != nil {
		t.Fatalf("open %s: %v", p, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
