package sandbox_test

import (
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

	"github.com/labcourier/labcourier/agent/sandbox"
)

// started is a server on a real connection, and a client of its own.
type started struct {
	*sandbox.Server
	url    string
	client *http.Client
}

func start(t testing.TB, o sandbox.Options) *started {
	t.Helper()
	s := sandbox.New(o)
	base, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return &started{s, base, &http.Client{Transport: tr}}
}

// post sends a bundle over the wire, and returns what came back.
func (s *started) post(ctx context.Context, bundle string) (status int, body string, err error) {
	return s.send(ctx, sandbox.BasePath, bundle, "application/fhir+json")
}

func (s *started) send(ctx context.Context, path, body, contentType string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", contentType)
	r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	res, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestFaults(t *testing.T) {
	four := bundleOf("batch", conditionals(0, 4)...)
	tests := []struct {
		name   string
		fault  sandbox.Fault
		status int // 0: no answer, or not all of it
		want   string
		stored int // by the faulty request
		broken bool
	}{
		{"down", sandbox.Down(), 0, "", 0, true},
		{"lost answer", sandbox.LostAnswer(), 0, "", 4, true},
		{"cut answer", sandbox.CutAnswer(), 200, `"type":"batch-response"`, 4, true},
		{"reply 503", sandbox.Reply(503), 503, "Service Unavailable", 0, false},
		{"reply 409", sandbox.Reply(409), 409, `"code":"conflict"`, 0, false},
		{"reply 429", sandbox.Reply(429), 429, "_msBeforeNext", 0, false},
		{"reply 401", sandbox.Reply(401), 401, `"code":"login"`, 0, false},
		{"reply 403", sandbox.Reply(403), 403, `"id":"forbidden"`, 0, false},
		{"reply 412", sandbox.Reply(412), 412, "multiple-matches", 0, false},
		{"web page that says 200", sandbox.HTMLPage(200), 200, "<!DOCTYPE html>", 0, false},
		{"429 from entry 2", sandbox.ThrottleFrom(2), 200, `"status":"429"`, 2, false},
		{"409 at entry 1", sandbox.RefuseEntry(1, 409), 200, `"status":"409"`, 3, false},
		{"500 at entry 3", sandbox.RefuseEntry(3, 500), 200, `"status":"500"`, 3, false},
		{"429 at entry 1 ends the batch", sandbox.RefuseEntry(1, 429), 200, `"status":"429"`, 1, false},
		{"own header", sandbox.Fault{Status: 503, Header: http.Header{"retry-after": {"7"}}}, 503, "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.SetFault(sandbox.Times(1, tt.fault))
			status, body, err := s.post(t.Context(), four)
			if status != tt.status || (err != nil) != tt.broken || !strings.Contains(body, tt.want) {
				t.Errorf("answer %d, %v, %s", status, err, body)
			}
			if n := s.Len("Observation"); n != tt.stored {
				t.Errorf("%d stored, want %d", n, tt.stored)
			}
			logged := s.Requests()
			if want := map[bool]int{false: tt.status}[tt.broken]; len(logged) != 1 || logged[0].Status != want || logged[0].Kind != sandbox.KindBatch {
				t.Errorf("log %+v", logged)
			}
			if status, _, err := s.post(t.Context(), four); status != 200 || err != nil || s.Len("Observation") != 4 {
				t.Errorf("the repeat: %d, %v, %d stored", status, err, s.Len("Observation"))
			}
			if d := s.Duplicates(); d != nil {
				t.Errorf("duplicates %v", d)
			}
		})
	}
}

func TestTokenFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  sandbox.Fault
		status int
		want   string
	}{
		{"404", sandbox.Reply(404), 404, `"error"`},
		{"500", sandbox.Reply(500), 500, `"error":"server_error"`},
		{"429", sandbox.Reply(429), 429, "throttled"},
		{"HTML", sandbox.HTMLPage(200), 200, "<title>"},
		{"blocked address", sandbox.BlockedAddress(), 400, "IP address not allowed"},
		{"unauthorized client", sandbox.Fault{Status: 400, Body: `{"error":"unauthorized_client"}`}, 400, "unauthorized_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.SetFault(sandbox.OnToken(sandbox.Always(tt.fault)))
			status, body, err := s.send(t.Context(), sandbox.TokenPath, "grant_type=client_credentials", formType)
			if err != nil || status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d, %v, %s", status, err, body)
			}
			if status, _, err := s.post(t.Context(), bundleOf("batch", conditional(1, "a"))); status != 200 || err != nil {
				t.Errorf("FHIR was hit too: %d, %v", status, err)
			}
			if n := s.Counts().Kind[sandbox.KindToken]; n != 1 {
				t.Errorf("%d token requests counted, want 1", n)
			}
		})
	}
}

func TestDelays(t *testing.T) {
	for _, f := range []sandbox.Fault{sandbox.Slow(time.Minute), sandbox.SlowAnswer(time.Minute)} {
		synctest.Test(t, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{})
			s.SetFault(sandbox.Always(f))
			begun := time.Now()
			done := make(chan int)
			go func() { done <- ask(t, s, "POST", fhir("Observation"), observation("a")).Code }()
			synctest.Wait()
			want := map[bool]int{true: 1}[f.Hold > 0]
			if n := s.Len("Observation"); n != want {
				t.Errorf("%+v: %d stored meanwhile, want %d", f, n, want)
			}
			if code := <-done; code != 201 || time.Since(begun) != time.Minute || s.Len("Observation") != 1 {
				t.Errorf("%+v: %d after %v", f, code, time.Since(begun))
			}
		})
	}
}

// The client has given up, and the server commits all the same.
func TestLateCommit(t *testing.T) {
	s := start(t, sandbox.Options{})
	arrived := make(chan struct{})
	s.SetFault(func(*http.Request) sandbox.Fault {
		close(arrived)
		return sandbox.Slow(time.Hour)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, _, err := s.post(ctx, bundleOf("batch", conditional(1, "late"))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := s.Wait(t.Context(), "Observation", 1); err != nil {
		t.Error(err)
	}
}

func TestHooks(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	s.SetFault(sandbox.Any(
		sandbox.OnToken(sandbox.Always(sandbox.Reply(500))),
		sandbox.OnBundle(sandbox.Script(sandbox.Reply(501), sandbox.Reply(502))),
		sandbox.OnFHIR(sandbox.Times(1, sandbox.Reply(503))),
	))
	bundle := bundleOf("batch", conditional(1, "a"))
	steps := []struct {
		path string
		want int
	}{
		{sandbox.TokenPath, 500}, {sandbox.BasePath, 501}, {sandbox.BasePath + "/", 502},
		{sandbox.BasePath, 503}, {sandbox.BasePath, 200}, {sandbox.TokenPath, 500}, {"/healthcheck", 200},
	}
	for i, step := range steps {
		if got := ask(t, s, "POST", step.path, bundle).Code; got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
	s.SetFault(nil)
	newToken(t, s)
}

func TestForbidAndPermit(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	s.Forbid("Observation")
	w := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a"), entry(2, "DiagnosticReport", report("r", urn(1)), "")))
	if got := statuses(t, w); got != "403 201" {
		t.Error(got)
	}
	s.Permit("Observation", sandbox.Create, sandbox.Search)
	w = ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a")))
	if got := statuses(t, w); got != "201" {
		t.Error(got)
	}
	wantStatus(t, ask(t, s, "GET", fhir("Observation/1"), ""), 403)
}

func TestRandomIsTheSameForASeed(t *testing.T) {
	draw := func(seed uint64) string {
		h := sandbox.Random(seed, 0.3, sandbox.Reply(500), sandbox.Reply(503))
		var b strings.Builder
		for range 1000 {
			fmt.Fprint(&b, h(nil).Status, " ")
		}
		return b.String()
	}
	one := draw(1)
	if one != draw(1) || one == draw(2) {
		t.Error("the seed does not decide")
	}
	if n := strings.Count(one, "0 ") - strings.Count(one, "500 "); n < 600 || n > 800 {
		t.Errorf("%d of 1000 requests without a fault, want about 700", n)
	}
}

// A client that repeats until it has read a whole answer gets everything in
// once, whatever of the transient faults it meets.
func TestRepeatingThroughChaos(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.SetFault(sandbox.Random(7, 0.6, sandbox.Transient()...))
	var wg sync.WaitGroup
	for lane := range 4 {
		wg.Go(func() {
			for i := range 25 {
				bundle := bundleOf("batch", conditionals(1000*lane+5*i, 5)...)
				for {
					status, body, err := s.post(t.Context(), bundle)
					if err == nil && status == 200 && strings.Count(body, `"status":"20`) == 5 {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	if n, d := s.Len("Observation"), s.Duplicates(); n != 500 || d != nil {
		t.Errorf("%d stored, want 500; duplicates %v", n, d)
	}
	if c := s.Counts(); c.Status[0] == 0 || c.Status[503] == 0 || c.Existing == 0 || c.Refused == 0 {
		t.Errorf("faults did not strike: %+v", c)
	}
}
