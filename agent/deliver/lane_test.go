package deliver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
)

type (
	specRecord = spool.Record
	specPlan   = fhir.Plan
)

var dialRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// TestManyMessagesWithFaults: 8 lanes, faults of all kinds, and every message
// is there once, in order.
func TestManyMessagesWithFaults(t *testing.T) {
	const lanes, each = 8, 60
	inWorld(t, lanes, func(_ *Options, w *world) {
		rng := rand.New(rand.NewPCG(1, 2))
		faults := []fault{
			{before: syscall.ECONNRESET}, {after: syscall.ECONNRESET}, {cut: true}, {hang: true}, {before: dialRefused},
			{status: 500}, {status: 502}, {status: 503}, {status: 429, body: throttled}, {status: 401}, {status: 409},
			entryFault(409, "null"), entryFault(429, throttled), entryFault(500, "null"), {hide: true},
		}
		w.srv.hook = func(sent) fault {
			w.srv.mu.Lock()
			defer w.srv.mu.Unlock()
			if rng.IntN(10) == 0 {
				return faults[rng.IntN(len(faults))]
			}
			return fault{slow: time.Duration(rng.IntN(200)) * time.Millisecond}
		}
	}, func(w *world) {
		for n := range each {
			for l := range lanes {
				name := string(rune('a' + l))
				w.queue.put(name, fmt.Sprintf("%s %d %d", name, n, n%7))
			}
		}
		took := w.drain(24 * time.Hour)
		for l := range lanes {
			w.inOrder(string(rune('a'+l)), each)
		}
		if len(w.queue.parked) != 0 {
			t.Errorf("parked: %+v", w.queue.parked)
		}
		if w.srv.most > DefaultConcurrency {
			t.Errorf("%d requests at a time", w.srv.most)
		}
		t.Logf("%d messages with faults in %s of simulated time, %d requests", lanes*each, took, len(w.srv.requests))
	})
}

// TestOneLaneWaits: a lane that is held up does not hold up another.
func TestOneLaneWaits(t *testing.T) {
	for name, ft := range map[string]fault{
		"500": {status: 500}, "403": {status: 403}, "409 in an entry": entryFault(409, "null"),
		"kills the server": {after: syscall.ECONNRESET}, "502": {status: 502},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, func(_ *Options, w *world) {
				w.srv.hook = strikes(func(s sent) bool { return s.lane == "a" }, ft)
			}, func(w *world) {
				w.queue.put("a", "a 0 1")
				time.Sleep(10 * time.Minute)
				start := time.Now()
				for n := range 100 {
					w.queue.put("b", fmt.Sprintf("b %d 1", n))
				}
				for {
					synctest.Wait()
					w.queue.mu.Lock()
					left := len(w.queue.waiting["b"])
					w.queue.mu.Unlock()
					if left == 0 {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(start); took > 2*longestProbePause {
					t.Errorf("the other lane took %s", took)
				}
				s := w.d.State()
				if a := s.Lanes[0]; a.Waiting == "" || a.Seq != 1 || a.Attempts < 5 || time.Since(a.Since) < 10*time.Minute {
					t.Errorf("lane a does not say that it waits: %+v", a)
				}
				if b := s.Lanes[1]; b.Waiting != "" || b.Delivered != 100 || b.LastSuccess.IsZero() {
					t.Errorf("lane b: %+v", b)
				}
				if s.Server.Waiting == "" || s.Server.LastSuccess.IsZero() {
					t.Errorf("server: %+v", s.Server)
				}
			})
		})
	}
}

// TestServerAway: one probe and no storm, and everything resumes within
// seconds.
func TestServerAway(t *testing.T) {
	for name, ft := range map[string]fault{
		"refused": {before: dialRefused}, "502": {status: 502}, "reset": {before: syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 8, func(_ *Options, w *world) { w.srv.hook = func(sent) fault { return ft } }, func(w *world) {
				for n := range 20 {
					for l := range 8 {
						name := string(rune('a' + l))
						w.queue.put(name, fmt.Sprintf("%s %d 3", name, n))
					}
				}
				time.Sleep(time.Hour)
				if n := len(w.srv.posts()); n > 3600/4+20 || n < 600 {
					t.Errorf("%d requests in an hour", n)
				}
				s := w.d.State()
				if s.Server.Reachable || s.Server.Waiting == "" || time.Since(s.Server.Since) < 59*time.Minute {
					t.Errorf("server: %+v", s.Server)
				}
				for _, l := range s.Lanes {
					if l.Waiting == "" {
						t.Errorf("lane: %+v", l)
					}
				}
				w.srv.mu.Lock()
				w.srv.hook = nil
				w.srv.mu.Unlock()
				if took := w.drain(time.Minute); took > longestProbePause+time.Second {
					t.Errorf("resumed after %s", took)
				}
				if s := w.d.State(); !s.Server.Reachable || s.Server.Waiting != "" {
					t.Errorf("server: %+v", s.Server)
				}
				if n := strings.Count(w.log.String(), `"warn"`) + strings.Count(w.log.String(), `"info"`); n > 10 {
					t.Errorf("%d log lines for one outage", n)
				}
			})
		})
	}
}

// TestQueueFaults: a spool that fails costs a repetition, and no message.
func TestQueueFaults(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		w.queue.setSettle(errors.New("disk on fire"))
		w.queue.put("a", "a 0 2")
		time.Sleep(10 * time.Minute)
		if s := w.d.State().Lanes[0]; !strings.Contains(s.Waiting, "disk on fire") {
			t.Errorf("state %+v", s)
		}
		w.queue.setSettle(nil)
		w.drain(2 * time.Minute)
		w.inOrder("a", 1)
	})
}

// TestStop: Run ends within the grace whatever a lane is at, and the answer
// that comes within it still counts.
func TestStop(t *testing.T) {
	tests := map[string]struct {
		fault   fault
		within  time.Duration
		settled bool
	}{
		"in flight":       {fault{slow: 2 * time.Second}, 2 * time.Second, true},
		"no answer":       {fault{hang: true}, DefaultGrace, false},
		"in backoff":      {fault{status: 500}, 0, false},
		"in the breaker":  {fault{before: dialRefused}, 0, false},
		"in a rate limit": {fault{status: 429, body: throttled}, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 3, func(_ *Options, w *world) {
				w.srv.hook = strikes(func(s sent) bool { return s.stage == "DiagnosticReport" }, test.fault)
			}, func(w *world) {
				w.queue.put("a", "a 0 2")
				time.Sleep(100 * time.Millisecond)
				start := time.Now()
				w.stop()
				if took := time.Since(start); took > test.within {
					t.Errorf("stopping took %s", took)
				}
				if n := len(w.queue.done["a"]); (n == 1) != test.settled {
					t.Errorf("%d messages done", n)
				}
			})
		})
	}
}

func TestAddLane(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		w.queue.put("z", "z 0 1")
		synctest.Wait()
		if err := w.d.AddLane("z"); err != nil {
			t.Fatal(err)
		}
		w.drain(time.Minute)
		if err := w.d.AddLane("z"); err == nil {
			t.Error("a lane was added twice")
		}
		if err := w.d.Run(t.Context()); err == nil {
			t.Error("Run runs twice")
		}
	})
}

// TestIdle: without messages the state says whether the server is there.
func TestIdle(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		synctest.Wait()
		if s := w.d.State().Server; !s.Reachable {
			t.Errorf("server: %+v", s)
		}
		w.srv.mu.Lock()
		w.srv.hook = func(sent) fault { return fault{before: dialRefused} }
		w.srv.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if s := w.d.State().Server; s.Reachable || s.Waiting == "" {
			t.Errorf("server: %+v", s)
		}
		w.srv.mu.Lock()
		w.srv.hook = nil
		w.srv.mu.Unlock()
		time.Sleep(10 * time.Second)
		if s := w.d.State().Server; !s.Reachable || s.Waiting != "" {
			t.Errorf("server: %+v", s)
		}
	})
}

// TestNothingLeaks: no part of a message in log or state, whatever happened.
func TestNothingLeaks(t *testing.T) {
	inWorld(t, 1, func(o *Options, w *world) {
		inner := o.Map
		o.Map = func(rec specRecord) (specPlan, error) {
			p, err := inner(rec)
			for _, s := range p.Steps {
				for i := range s.Entries {
					s.Entries[i].Resource = []byte(`{"resourceType":"X","name":"Zebulon"}`)
				}
			}
			return p, err
		}
		w.srv.hook = func(s sent) fault {
			return fault{status: []int{400, 500, 403}[s.n%3], body: `{"resourceType":"OperationOutcome","issue":[{"code":"invalid","details":{"text":"Zebulon is 'Zebulon'"},"diagnostics":"name=zebulon4711"}]}`}
		}
	}, func(w *world) {
		for n := range 5 {
			w.queue.put("a", fmt.Sprintf("a %d 1", n))
		}
		time.Sleep(10 * time.Minute)
		w.stop()
		all := strings.ToLower(fmt.Sprintf("%s %+v %+v", w.log, w.d.State(), w.queue.parked))
		if strings.Contains(all, "zebulon") || !strings.Contains(all, "invalid") {
			t.Error(all)
		}
	})
}

// TestIdentityOnce: an identity that a plan holds twice goes once into a
// bundle, since servers create both.
func TestIdentityOnce(t *testing.T) {
	inWorld(t, 1, func(o *Options, w *world) {
		inner := o.Map
		o.Map = func(rec specRecord) (specPlan, error) {
			p, err := inner(rec)
			p.Steps[2].Entries = append(p.Steps[2].Entries, p.Steps[2].Entries[0])
			return p, err
		}
	}, func(w *world) {
		w.queue.put("a", "a 0 3")
		w.drain(time.Minute)
		if posts := w.srv.posts(); len(posts) != 4 || posts[2].entries != 3 {
			t.Errorf("requests %+v", posts)
		}
	})
}
