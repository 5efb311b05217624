package status

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSource is a Source of funcs.
type fakeSource struct {
	snapshot func() Snapshot
	ready    func() error
}

var _ Source = fakeSource{}

func (f fakeSource) Snapshot() Snapshot { return f.snapshot() }
func (f fakeSource) Ready() error       { return f.ready() }

func healthySource() fakeSource {
	return fakeSource{healthy, func() error { return nil }}
}

// start runs a server until the test ends and returns its address.
func start(t *testing.T, o Options) string {
	t.Helper()
	o.Listen, o.Log = "127.0.0.1:0", zerolog.Nop()
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s.Addr()
}

// ask sends one request and returns the answer with its body read.
func ask(t *testing.T, method, addr, path string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestNewServerTakesLoopbackOnly(t *testing.T) {
	for listen, ok := range map[string]bool{
		"127.0.0.1:8686": true, "127.0.0.1:0": true, "[::1]:8686": true, "localhost:8686": true, "127.1.2.3:1": true,
		"0.0.0.0:8686": false, ":8686": false, "[::]:8686": false, "10.0.0.1:8686": false, "lab-pc:8686": false,
		"localhost.example.org:1": false, "127.0.0.1": false, "127.0.0.1:http": false, "127.0.0.1:70000": false, "": false, "127.0.0.1.:1": false,
	} {
		if _, err := NewServer(Options{Listen: listen, Source: healthySource()}); (err == nil) != ok {
			t.Errorf("%q: %v", listen, err)
		}
	}
	if _, err := NewServer(Options{Listen: "127.0.0.1:0"}); err == nil {
		t.Error("no source, no error")
	}
}

func TestPortInUse(t *testing.T) {
	addr := start(t, Options{Source: healthySource()})
	s, err := NewServer(Options{Listen: addr, Source: healthySource()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "[status] listen") {
		t.Errorf("error %v does not say what to do", err)
	}
}

func TestEndpoints(t *testing.T) {
	ready := error(nil)
	src := fakeSource{healthy, func() error { return ready }}
	addr := start(t, Options{Source: src})
	for _, tt := range []struct {
		path  string
		ready error
		code  int
		kind  string
		body  string
	}{
		{"/healthz", nil, 200, "text/plain", "ok"},
		{"/healthz", errors.New("spool is full"), 200, "text/plain", "ok"},
		{"/readyz", nil, 200, "text/plain", "ready"},
		{"/readyz", errors.New("bc-5380: port is\n\x1b[2Jin use"), 503, "text/plain", "not ready: bc-5380: port is [2Jin use"},
		{"/", nil, 200, "text/html", "All 4\u00a0analyzers connected"},
		{"/api/status", nil, 200, "application/json", `"name": "core-lab-1"`},
		{"/app.css", nil, 200, "text/css", "prefers-color-scheme"},
		{"/app.js", nil, 200, "text/javascript", "use strict"},
		{"/icon-bad.svg", nil, 200, "image/svg+xml", "<svg"},
		{"/api/demo", nil, 404, "text/plain", ""},
		{"/nothing", nil, 404, "text/plain", ""},
		{"/assets/page.html", nil, 404, "text/plain", ""},
		{"/%2e%2e/doc.go", nil, 404, "text/plain", ""},
	} {
		ready = tt.ready
		resp, body := ask(t, "GET", addr, tt.path, nil)
		if resp.StatusCode != tt.code || !strings.HasPrefix(resp.Header.Get("Content-Type"), tt.kind) || !strings.Contains(body, tt.body) {
			t.Errorf("%s: %s %s\n%s", tt.path, resp.Status, resp.Header.Get("Content-Type"), body)
		}
		for k, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "",
		} {
			if got := resp.Header.Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.path, k, got, want)
			}
		}
	}
	if resp, body := ask(t, "HEAD", addr, "/api/status", nil); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %s %q", resp.Status, body)
	}
}

func TestDemoArrivals(t *testing.T) {
	list := []Arrival(nil)
	addr := start(t, Options{Source: healthySource(), Extra: func() []Arrival { return list }})
	if _, body := ask(t, "GET", addr, "/api/demo", nil); strings.Join(strings.Fields(body), "") != `{"arrivals":[]}` {
		t.Errorf("no arrivals: %s", body)
	}
	list = []Arrival{{At(noon), "xn-550", "WBC", "6.84", "10*9/L", "DEMO-1"}}
	_, body := ask(t, "GET", addr, "/api/demo", nil)
	var got struct{ Arrivals []Arrival }
	if err := json.Unmarshal([]byte(body), &got); err != nil || !reflect.DeepEqual(got.Arrivals, list) {
		t.Errorf("%v, %s", err, body)
	}
	if _, body := ask(t, "GET", addr, "/", nil); !strings.Contains(body, "made-up data") || !strings.Contains(body, "<td>DEMO-1</td>") {
		t.Error("the page does not show what arrived, or not that it is made up")
	}
}

func TestGuard(t *testing.T) {
	addr := start(t, Options{Source: healthySource()})
	_, port, _ := net.SplitHostPort(addr)
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	header := func(kv ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(kv); i += 2 {
				r.Header.Add(kv[i], kv[i+1])
			}
		}
	}
	for _, tt := range []struct {
		name         string
		method, path string
		change       func(*http.Request)
		code         int
	}{
		{"by address", "GET", "/", nil, 200},
		{"by name", "GET", "/", host("localhost:" + port), 200},
		{"by name in capitals", "GET", "/", host("LOCALHOST:" + port), 200},
		{"by IPv6", "GET", "/", host("[::1]:" + port), 200},
		{"another loopback address", "GET", "/", host("127.9.9.9:" + port), 200},
		{"rebound name", "GET", "/api/status", host("evil.example:" + port), 421},
		{"rebound name, no port", "GET", "/healthz", host("evil.example"), 421},
		{"a name that begins well", "GET", "/", host("localhost.evil.example:" + port), 421},
		{"an address as a name's part", "GET", "/", host("127.0.0.1.nip.io:" + port), 421},
		{"another port", "GET", "/", host("localhost:1"), 421},
		{"no port", "GET", "/", host("localhost"), 421},
		{"far address", "GET", "/", host("10.0.0.1:" + port), 421},
		{"unspecified address", "GET", "/", host("0.0.0.0:" + port), 421},

		{"own origin", "GET", "/api/status", header("Origin", "http://"+addr), 200},
		{"foreign origin", "GET", "/api/status", header("Origin", "http://evil.example"), 403},
		{"opaque origin", "GET", "/api/status", header("Origin", "null"), 403},
		{"own host by https", "GET", "/api/status", header("Origin", "https://"+addr), 403},
		{"another port's origin", "GET", "/api/status", header("Origin", "http://127.0.0.1:1"), 403},
		{"two origins", "GET", "/api/status", header("Origin", "http://"+addr, "Origin", "http://evil.example"), 403},
		{"empty origin", "GET", "/api/status", header("Origin", ""), 403},
		{"own fetch", "GET", "/api/status", header("Sec-Fetch-Site", "same-origin"), 200},
		{"typed in", "GET", "/", header("Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"), 200},
		{"foreign fetch", "GET", "/api/status", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"), 403},
		{"other port's fetch", "GET", "/api/status", header("Sec-Fetch-Site", "same-site"), 403},
		{"foreign picture", "GET", "/icon-ok.svg", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "image"), 403},
		{"foreign frame", "GET", "/", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), 403},
		{"link from another site", "GET", "/", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 200},
		{"link from another site to the API", "GET", "/api/status", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 403},

		{"post", "POST", "/api/status", nil, 405},
		{"put", "PUT", "/", nil, 405},
		{"delete", "DELETE", "/nothing", nil, 405},
		{"preflight", "OPTIONS", "/api/status", header("Origin", "http://evil.example"), 403},
		{"options", "OPTIONS", "/api/status", nil, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := ask(t, tt.method, addr, tt.path, tt.change)
			if resp.StatusCode != tt.code {
				t.Errorf("got %s, want %d\n%.200s", resp.Status, tt.code, body)
			}
			if tt.code != 200 && strings.Contains(body, "xn-550") {
				t.Error("a refusal tells what it refuses to tell")
			}
		})
	}
}

// HTTP/1.0 knows no Host, and so cannot show that it is no rebound page.
func TestNoHost(t *testing.T) {
	addr := start(t, Options{Source: healthySource()})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /api/status HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %s", resp.Status)
	}
}

func TestHugeHeader(t *testing.T) {
	addr := start(t, Options{Source: healthySource()})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nX-Big: %s\r\n\r\n", addr, strings.Repeat("x", 64<<10))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return // the server hung up with the rest unread, and the answer went with it
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s", resp.Status)
	}
}

func TestCappedListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	capped := newCappedListener(ln, 1)
	for range 2 { // the second only fits once the first is closed
		far, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
	}
	first, err := capped.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan net.Conn, 1)
	go func() {
		c, _ := capped.Accept()
		second <- c
	}()
	select {
	case <-second:
		t.Fatal("a second connection came although the cap is one")
	default:
	}
	first.Close()
	first.Close() // gives its slot back only once
	c := <-second
	if c == nil {
		t.Fatal("no second connection after the first was closed")
	}
	refused := make(chan error, 1)
	go func() {
		_, err := capped.Accept()
		refused <- err
	}()
	capped.Close()
	if err := <-refused; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	c.Close()
}

func TestStopsWithOpenConnections(t *testing.T) {
	s, err := NewServer(Options{Listen: porttest.Reserve(t, 1)[0], Source: healthySource(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c, err := net.Dial("tcp", addr) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask(t, "GET", addr, "/healthz", nil)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the port is still open")
	}
}

func TestClient(t *testing.T) {
	addr := start(t, Options{Source: healthySource()})
	for _, base := range []string{addr, "http://" + addr, "http://" + addr + "/"} {
		got, err := NewClient(base).Status(t.Context())
		if err != nil || !reflect.DeepEqual(got.Analyzers[3], healthy().Analyzers[3]) {
			t.Errorf("%s: %+v, %v", base, got, err)
		}
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/html") {
			fmt.Fprint(w, "<html>")
			return
		}
		http.NotFound(w, r)
	})}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(other) }()
	defer func() { srv.Close(); <-served }()
	for base, want := range map[string]string{
		other.Addr().String():           "something else may listen",
		other.Addr().String() + "/html": "something else may listen",
		"127.0.0.1:1":                   "is labcourier running",
		"http://127.0.0.1:1/\x7f":       "ask for status",
	} {
		if _, err := NewClient(base).Status(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", base, err, want)
		}
	}
}
