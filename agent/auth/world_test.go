package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// world is an authorizer with a token endpoint and a FHIR base that are funcs.
// Its clock is synctest's.
type world struct {
	t     *testing.T
	a     *Authorizer
	ctx   context.Context
	log   *bytes.Buffer
	token func(r *http.Request) (*http.Response, error)
	probe func(ctx context.Context) error

	mu      sync.Mutex
	secret  string
	bad     error       // instead of secret
	asked   []time.Time // token requests
	secrets []string    // what they carried
	basics  int         // credentials by Basic that were handed out
}

// RoundTrip is the token endpoint.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	secret := r.FormValue("client_secret")
	if _, s, ok := r.BasicAuth(); ok {
		secret = s
	}
	w.mu.Lock()
	w.asked = append(w.asked, time.Now())
	w.secrets = append(w.secrets, secret)
	answer := w.token
	w.mu.Unlock()
	return answer(r)
}

func (w *world) set(answer func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token = answer
}

func (w *world) setSecret(s string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secret, w.bad = s, err
}

func (w *world) readSecret() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.secret, w.bad
}

func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

// header authorizes one request and returns what it would carry.
func (w *world) header() (string, Ticket, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", "https://fhir.example/fhir/R4", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	ticket, err := w.a.Authorize(ctx, r)
	h := r.Header.Get("Authorization")
	if strings.HasPrefix(h, "Basic ") {
		w.basics++
	}
	return h, ticket, err
}

func (w *world) mustHeader(want string) Ticket {
	w.t.Helper()
	h, ticket, err := w.header()
	if err != nil || !strings.HasPrefix(h, want) {
		w.t.Fatalf("at %s: header %q, %v; want %q", time.Now().Format(time.TimeOnly), h, err, want)
	}
	return ticket
}

// inWorld runs test in a bubble with a running authorizer. It fails if the
// secret shows up in the log.
func inWorld(t *testing.T, change func(*Options, *world), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, log: &bytes.Buffer{}, token: tokens(3600), secret: "s3cr3t-value"}
		w.probe = func(context.Context) error { return nil }
		o := Options{
			Method: MethodAuto, TokenURL: "https://auth.example/token", ClientID: "client-1",
			ClientSecret: w.readSecret,
			Probe:        func(ctx context.Context) error { return w.probe(ctx) },
			BaseURL:      "https://fhir.example/fhir/R4",
			HTTP:         &http.Client{Transport: w}, Log: zerolog.New(w.log),
		}
		if change != nil {
			change(&o, w)
		}
		var err error
		if w.a, err = New(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w.ctx = ctx
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.a.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		defer func() { cancel(); running.Wait() }() // also after a Fatal
		test(w)
		state := fmt.Sprintf("%+v", w.a.State())
		cancel()
		running.Wait()
		if strings.Contains(w.log.String()+state, "s3cr3t") {
			t.Errorf("the secret shows up in the log or the state:\n%s\n%s", w.log, state)
		}
	})
}

func answer(status int, contentType, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {contentType}},
			Body:   io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

func jsonAnswer(status int, body string) func(*http.Request) (*http.Response, error) {
	return answer(status, "application/json", body)
}

// tokens answers token-1, token-2 ... of that many seconds of life.
func tokens(life int) func(*http.Request) (*http.Response, error) {
	n := 0
	return func(r *http.Request) (*http.Response, error) {
		n++
		return jsonAnswer(200, fmt.Sprintf(`{"token_type":"Bearer","expires_in":%d,"access_token":"token-%d"}`, life, n))(r)
	}
}

func down(*http.Request) (*http.Response, error) {
	return nil, errors.New("connect: connection refused")
}

// hang answers nothing until the request's deadline.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
