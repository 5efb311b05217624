package deliver

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
)

// TestMaxBody: no request is larger than the limit, if splitting can prevent it.
func TestMaxBody(t *testing.T) {
	const limit = 20_000
	inWorld(t, 1, func(o *Options, _ *world) { o.MaxBody = limit }, func(w *world) {
		w.queue.put("a", "a 0 33 3000")
		w.queue.put("a", "a 1 1 30000") // a single result cannot be split: the server may take it
		w.drain(time.Minute)
		if len(w.srv.ids) != 1+1+33+1+1+1+1 {
			t.Errorf("%d resources", len(w.srv.ids))
		}
		for _, p := range w.srv.posts() {
			if p.size > limit && p.entries > 1 {
				t.Errorf("%d entries in %d bytes", p.entries, p.size)
			}
		}
	})
}

// TestCause: a lane that waits says what kind of fault it waits for.
func TestCause(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fault
		refuse error
		want   Cause
	}{
		"no answer":         {fault{before: errors.New("connection refused")}, nil, CauseNetwork},
		"500":               {fault{status: 500}, nil, CauseServer},
		"429":               {fault{status: 429}, nil, CauseServer},
		"404 of all":        {fault{status: 404}, nil, CauseServer},
		"401":               {fault{status: 401}, nil, CauseCredentials},
		"403":               {fault{status: 403}, nil, CauseForbidden},
		"entry 403":         {entryFault(403, "null"), nil, CauseForbidden},
		"secret refused":    {fault{}, &auth.Error{Fault: auth.Refused, Status: 400}, CauseCredentials},
		"no token endpoint": {fault{}, &auth.Error{Fault: auth.Unreachable}, CauseNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(_ *Options, w *world) {
				w.srv.hook = func(sent) fault { return c.fault }
				w.auth.refuse = func() error { return c.refuse }
			}, func(w *world) {
				w.queue.put("a", "a 0 1")
				time.Sleep(10 * time.Second)
				synctest.Wait()
				s := w.d.State()
				if s.Lanes[0].Cause != c.want || s.Server.Cause != c.want || s.Lanes[0].Waiting == "" {
					t.Errorf("lane: %s (%s), server: %s (%s), want %s", s.Lanes[0].Cause, s.Lanes[0].Waiting, s.Server.Cause, s.Server.Waiting, c.want)
				}
			})
		})
	}
}
