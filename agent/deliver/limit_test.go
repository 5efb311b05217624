package deliver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
)

// TestPacing: a limit like Medplum's is approached and not hit.
func TestPacing(t *testing.T) {
	inWorld(t, 4, func(_ *Options, w *world) {
		const units, cost = 50_000, 120
		var left int
		var ends time.Time
		roll := func() {
			if !time.Now().Before(ends) {
				left, ends = units, time.Now().Add(time.Minute)
			}
		}
		w.srv.hook = func(s sent) fault {
			w.srv.mu.Lock()
			defer w.srv.mu.Unlock()
			roll()
			return fault{slow: 50 * time.Millisecond, entry: func(int, sentEntry) (int, string) {
				roll()
				if left < cost {
					left = 0
					return 429, throttled
				}
				left -= cost
				return 0, ""
			}}
		}
		w.srv.reply = func(_ sent, h http.Header) {
			w.srv.mu.Lock()
			defer w.srv.mu.Unlock()
			roll()
			h["Ratelimit"] = []string{
				fmt.Sprintf(`"requests";r=%d;t=%d`, 59_000, 30),
				fmt.Sprintf(`"fhirInteractions";r=%d;t=%d`, left, int(time.Until(ends).Seconds()+0.999)),
			}
		}
	}, func(w *world) {
		for n := range 50 {
			for l := range 4 {
				name := string(rune('a' + l))
				w.queue.put(name, fmt.Sprintf("%s %d 20", name, n))
			}
		}
		took := w.drain(3 * time.Hour)
		if n := strings.Count(w.log.String(), "429"); n > 0 {
			t.Errorf("the wall was hit %d times", n)
		}
		// 4 * (1 + 50 * 22) entries of 120 units at 50,000 a minute
		if ideal := 4404 * 120 / 50_000; took > time.Duration(ideal+4)*time.Minute {
			t.Errorf("took %s, the limit allows %d min", took, ideal)
		}
		t.Logf("%d entries in %s", 4404, took)
	})
}

// TestThrottledAll: a 429, also inside a 200, stops every lane, not only its
// own.
func TestThrottledAll(t *testing.T) {
	for name, ft := range map[string]fault{"whole": {status: 429, body: throttled}, "entry": entryFault(429, throttled)} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 4, func(_ *Options, w *world) {
				w.srv.hook = func(s sent) fault {
					if s.n == 0 {
						return ft
					}
					return fault{slow: time.Second}
				}
			}, func(w *world) {
				w.queue.put("a", "a 0 1")
				synctest.Wait()
				start := time.Now()
				for _, l := range []string{"b", "c", "d"} {
					w.queue.put(l, l+" 0 1")
				}
				w.drain(time.Minute)
				for _, p := range w.srv.posts()[1:] {
					if p.at.Sub(start) < 17*time.Second {
						t.Errorf("lane %s sent after %s", p.lane, p.at.Sub(start))
					}
				}
			})
		})
	}
}

func TestNoCredentials(t *testing.T) {
	inWorld(t, 2, func(_ *Options, w *world) {
		until := time.Now().Add(time.Hour)
		w.auth.refuse = func() error {
			if time.Now().Before(until) {
				return &auth.Error{Fault: auth.Refused, Text: "Invalid secret", Wait: 20 * time.Second}
			}
			return nil
		}
	}, func(w *world) {
		w.queue.put("a", "a 0 1")
		w.queue.put("b", "b 0 1")
		time.Sleep(30 * time.Minute)
		if s := w.d.State(); !strings.Contains(s.Server.Waiting, "Invalid secret") || len(w.srv.posts()) != 0 {
			t.Errorf("state %+v, %d requests", s, len(w.srv.posts()))
		}
		if took := w.drain(2 * time.Hour); took > 31*time.Minute {
			t.Errorf("resumed %s after the credentials were good", took-30*time.Minute)
		}
	})
}

// TestRejected: reject once and repeat once per round; then ever longer waits.
func TestRejected(t *testing.T) {
	inWorld(t, 1, func(_ *Options, w *world) {
		w.srv.hook = func(s sent) fault { return fault{status: 401} }
	}, func(w *world) {
		w.queue.put("a", "a 0 1")
		time.Sleep(500 * time.Millisecond)
		if posts, n := w.srv.posts(), w.auth.rejected(); len(posts) != 2 || n != 1 || posts[1].auth != "Bearer key-2" {
			t.Errorf("requests %+v, %d rejects", posts, n)
		}
		time.Sleep(time.Hour)
		if n := len(w.srv.posts()); n > 2*80 {
			t.Errorf("%d requests in an hour", n)
		}
		if s := w.d.State(); !strings.Contains(s.Lanes[0].Waiting, "401") || !s.Server.Reachable {
			t.Errorf("state %+v", s)
		}
	})
}

// The state tells the limit of which the least is left, while its window lasts.
func TestTightestLimit(t *testing.T) {
	now := time.Now()
	p := newPacer()
	if got := p.tightest(now); got != (RateLimit{}) {
		t.Errorf("nothing was told: %+v", got)
	}
	p.learn([]string{`"requests";r=6000;t=60, "units";r=50000;t=30`}, 1, now)
	p.learn([]string{`"requests";r=5900;t=50`, `"units";r=20000;t=20`}, 1, now)
	if got, want := p.tightest(now), (RateLimit{50000, 20000, now.Add(20 * time.Second)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := p.tightest(now.Add(30 * time.Second)); got.Limit != 6000 || got.Remaining != 5900 {
		t.Errorf("after the window of the units: %+v", got)
	}
	if got := p.tightest(now.Add(time.Minute)); got != (RateLimit{}) {
		t.Errorf("after all windows: %+v", got)
	}
}
