package sandbox_test

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// A server goes away and comes back at the same address with all it had.
func TestStartAgain(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	base, stop, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &started{s, base, &http.Client{Transport: tr}}
	bundle := bundleOf("batch", conditional(1, "a"))
	if status, _, err := c.post(t.Context(), bundle); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.post(t.Context(), bundle); err == nil {
		t.Error("the server answers after stop")
	}
	again, stop, err := s.Start(strings.TrimPrefix(base, "http://"))
	if err != nil || again != base {
		t.Fatal(again, err)
	}
	if status, body, err := c.post(t.Context(), bundle); err != nil || !strings.Contains(body, `"status":"200"`) {
		t.Errorf("%d %v %s", status, err, body)
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// With a ctx that has ended, stop cuts off what is in flight.
func TestStopAtOnce(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	base, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &started{s, base, &http.Client{Transport: tr}}
	arrived := make(chan struct{})
	s.SetFault(func(*http.Request) sandbox.Fault {
		close(arrived)
		return sandbox.SlowAnswer(time.Hour)
	})
	failed := make(chan error)
	go func() {
		_, _, err := c.post(t.Context(), bundleOf("batch", conditional(1, "a")))
		failed <- err
	}()
	<-arrived
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stop(now); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the request in flight was answered")
	}
}

func TestStartRefuses(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for _, addr := range []string{"0.0.0.0:0", ":0", "example.org:80", "127.0.0.1", "192.0.2.1:80"} {
		if _, stop, err := s.Start(addr); err == nil {
			stop(t.Context())
			t.Errorf("%s was taken", addr)
		}
	}
	base, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t.Context())
	if _, _, err := s.Start(strings.TrimPrefix(base, "http://")); err == nil {
		t.Error("the same address was taken twice")
	}
}

// A body that is too large is read to its end, so that its sender gets the
// answer and the connection stays.
func TestTooLargeIsAnswered(t *testing.T) {
	s := start(t, sandbox.Options{})
	for i := range 2 {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
			if c.Reused != (i > 0) {
				t.Errorf("request %d on a connection used before: %v", i, c.Reused)
			}
		}})
		status, body, err := s.post(ctx, strings.Repeat("x", 8<<20))
		if status != 400 || err != nil || !strings.Contains(body, "File too large") {
			t.Errorf("%d %v %.80s", status, err, body)
		}
	}
}

// A handler whose connection cannot be taken over aborts instead.
func TestBreakWithoutConnection(t *testing.T) {
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the handler went on")
		}
	}()
	s := sandbox.New(sandbox.Options{})
	s.SetFault(sandbox.Always(sandbox.Down()))
	ask(t, s, "GET", "/healthcheck", "")
}
