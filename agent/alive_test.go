package agent

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

func TestStuck(t *testing.T) {
	limit := time.Now()
	before, after := limit.Add(-time.Second), limit.Add(time.Second)
	for _, c := range []struct {
		name    string
		moved   time.Time
		waiting uint64
		want    bool
	}{
		{"at work", after, 3, false},
		{"at rest for long", before, 0, false},
		{"never had anything to do", time.Time{}, 0, false},
		{"stands still with messages", before, 1, true},
		{"never began", time.Time{}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := stuck([]deliver.LaneState{{Name: "other", Moved: after}, {Name: "x", Moved: c.moved}}, map[string]uint64{"x": c.waiting}, limit)
			if (err != nil) != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// fakeDriver is a driver of which only Status is asked.
type fakeDriver struct {
	drivers.Driver
	status func() drivers.Status
}

func (f fakeDriver) Status() drivers.Status { return f.status() }

type noAuth struct{}

func (noAuth) Authorize(context.Context, *http.Request) (auth.Ticket, error) {
	return auth.Ticket{}, nil
}
func (noAuth) Reject(auth.Ticket) {}

func TestAlive(t *testing.T) {
	s, err := spool.Open(filepath.Join(t.TempDir(), "spool.db"), spool.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := deliver.New(deliver.Options{
		BaseURL: "https://localhost/fhir", Auth: noAuth{}, Queue: s,
		Map: func(spool.Record) (fhir.Plan, error) { return fhir.Plan{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	defer close(hang)
	well := func() drivers.Status { return drivers.Status{} }
	var answer atomic.Pointer[func() drivers.Status] // one that hangs outlives the call that asked
	answer.Store(&well)
	src := &source{cfg: config.Analyzer{Name: "x"}, driver: fakeDriver{status: func() drivers.Status { return (*answer.Load())() }}}
	a := &Agent{spool: s}
	a.parts.Store(&parts{sources: []*source{src}, up: &upstream{main: way{deliver: d}}})
	alive := func(ctx context.Context, want string) {
		t.Helper()
		if err := a.Alive(ctx); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	alive(t.Context(), "nobody serves analyzer x")
	src.running.Store(true)
	alive(t.Context(), "")
	ctx, enough := context.WithCancel(t.Context())
	hangs := func() drivers.Status { enough(); <-hang; return drivers.Status{} }
	answer.Store(&hangs)
	alive(ctx, "does not answer")
	answer.Store(&well)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alive(t.Context(), "closed")
}
