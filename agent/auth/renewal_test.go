package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRenewal: senders never wait for a renewal, and one flight serves all.
func TestRenewal(t *testing.T) {
	inWorld(t, func(o *Options, w *world) {
		next := tokens(100)
		w.token = func(r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second) // a slow endpoint
			return next(r)
		}
	}, func(w *world) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { w.a.Authorize(w.ctx, mustRequest()) })
		}
		all.Wait()
		if n := w.requests(); n != 1 {
			t.Fatalf("%d token requests for 50 senders", n)
		}
		w.mustHeader("Bearer token-1")
		for range 1000 {
			start := time.Now()
			w.mustHeader("Bearer ")
			if waited := time.Since(start); waited != 0 {
				t.Fatalf("a sender waited %s", waited)
			}
			time.Sleep(time.Second)
		}
		if n := w.requests(); n < 12 || n > 14 { // each token is replaced after 80 s
			t.Errorf("%d token requests in 1,000 s", n)
		}
	})
}

func mustRequest() *http.Request {
	r, err := http.NewRequest("POST", "https://fhir.example/fhir/R4", nil)
	if err != nil {
		panic(err)
	}
	return r
}

func TestOneSecondTokens(t *testing.T) {
	inWorld(t, func(o *Options, w *world) { w.token = tokens(1) }, func(w *world) {
		for range 100 {
			w.mustHeader("Bearer ")
			time.Sleep(100 * time.Millisecond)
		}
		if n := w.requests(); n > 14 {
			t.Errorf("%d token requests in 10 s", n)
		}
		time.Sleep(time.Second)
		before := w.requests()
		time.Sleep(time.Hour)
		if n := w.requests(); n > before+1 {
			t.Errorf("an idle agent made %d token requests in an hour", n-before)
		}
		w.mustHeader("Bearer ")
	})
}

// TestSurvivesTokenEndpoint: a valid token is used to its end, however long
// the endpoint is away, and only then Basic.
func TestSurvivesTokenEndpoint(t *testing.T) {
	for name, away := range map[string]func(*http.Request) (*http.Response, error){
		"down": down, "hangs": hang, "502": answer(502, "text/html", "x"), "404": answer(404, "text/html", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				start := time.Now()
				w.mustHeader("Bearer ")
				w.set(away)
				for time.Since(start) < 3589*time.Second {
					if !strings.HasPrefix(w.mustHeader("").method, MethodOAuth2) {
						t.Fatalf("fell back after %s with a valid token", time.Since(start))
					}
					time.Sleep(time.Second)
				}
				if s := w.a.State(); s.LastError == "" || s.TokenExpires.IsZero() {
					t.Errorf("the trouble is not in the state: %+v", s)
				}
				time.Sleep(time.Minute)
				w.mustHeader("Basic ")
			})
		})
	}
}

func TestFallbackAndBack(t *testing.T) {
	inWorld(t, func(o *Options, w *world) { w.token = down }, func(w *world) {
		start := time.Now()
		for w.a.State().Method != MethodBasic {
			if _, _, err := w.header(); err == nil && w.basics == 0 {
				t.Fatal("credentials from nowhere")
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(start); took < DefaultFallbackAfter || took > DefaultFallbackAfter+5*time.Second {
			t.Errorf("fell back after %s", took)
		}
		s := w.a.State()
		if !s.Fallback || s.Since.Before(start.Add(DefaultFallbackAfter)) || !strings.Contains(s.Reason, "unreachable") {
			t.Errorf("state %+v", s)
		}
		time.Sleep(12 * time.Minute)
		w.mustHeader("Basic ")
		w.set(tokens(3600))
		time.Sleep(DefaultReprobe)
		w.mustHeader("Bearer token-1")
		if s := w.a.State(); s.Fallback || s.Reason != "" || s.LastError != "" || s.Method != MethodOAuth2 {
			t.Errorf("state %+v", s)
		}
	})
}

// TestNoFallback: unreachable alone is not enough.
func TestNoFallback(t *testing.T) {
	tests := map[string]func(*Options, *world){
		"the base is away, too": func(o *Options, w *world) {
			w.probe = func(context.Context) error { return errors.New("away") }
		},
		"nobody can ask the base": func(o *Options, w *world) { o.Probe = nil },
		"limited":                 func(o *Options, w *world) { w.token = jsonAnswer(429, `{}`) },
		"the method is oauth2":    func(o *Options, w *world) { o.Method = MethodOAuth2 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(o *Options, w *world) { w.token = down; change(o, w) }, func(w *world) {
				for range 600 {
					if h, _, err := w.header(); err == nil {
						t.Fatalf("header %q", h)
					}
					time.Sleep(7 * time.Second)
				}
				if n := w.requests(); n > 130 {
					t.Errorf("%d token requests in %d min", n, 600*7/60)
				}
			})
		})
	}
}

func TestReject(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		ticket := w.mustHeader("Bearer token-1")
		time.Sleep(40 * time.Minute)
		for range 5 {
			w.a.Reject(ticket) // eight lanes hear of the same 401
		}
		next := w.mustHeader("Bearer token-2")
		w.a.Reject(ticket) // and a late one
		w.mustHeader("Bearer token-2")
		if n := w.requests(); n != 2 {
			t.Errorf("%d token requests", n)
		}
		for range 100 { // the server rejects everything
			w.a.Reject(next)
			if _, ticket, err := w.header(); err == nil {
				next = ticket
			}
			time.Sleep(time.Second)
		}
		if n := w.requests(); n > 15 {
			t.Errorf("%d token requests while every token is rejected", n)
		}
		time.Sleep(time.Hour)
		w.mustHeader("Bearer ")
	})
}

func TestRejectBasicReprobes(t *testing.T) {
	inWorld(t, func(o *Options, w *world) { w.token = answer(404, "", "") }, func(w *world) {
		ticket := w.mustHeader("Basic ")
		w.set(tokens(3600))
		w.a.Reject(ticket)
		time.Sleep(31 * time.Second)
		w.mustHeader("Bearer ")
	})
}

func TestRetryAfterOfTokenEndpoint(t *testing.T) {
	inWorld(t, func(o *Options, w *world) {
		w.token = func(r *http.Request) (*http.Response, error) {
			res, err := jsonAnswer(429, `{}`)(r)
			res.Header.Set("Retry-After", "90")
			return res, err
		}
	}, func(w *world) {
		time.Sleep(89 * time.Second)
		if n := w.requests(); n != 1 {
			t.Errorf("%d token requests within Retry-After", n)
		}
	})
}
