package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// endpoint is the whole agent's endpoint with one delivered message, as an
// attacker on this computer, or a page in its browser, can reach it.
type endpoint struct {
	*world
	token, specimen string
}

func startEndpoint(t *testing.T) *endpoint {
	t.Helper()
	w := newWorld(t, 1)
	w.startServer()
	t.Cleanup(w.startInProcess(t))
	w.send(t, 1)
	token, err := os.ReadFile(filepath.Join(w.dir, "data", "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	return &endpoint{w, strings.TrimSpace(string(token)), w.benchs[0].acknowledged()[0]}
}

// say sends bytes as they are and returns the answers: a status for each, 0 for
// a connection that was closed without one. {host} stands for the endpoint.
func (e *endpoint) say(t *testing.T, text string) (codes []int, all string) {
	t.Helper()
	c, err := net.Dial("tcp", e.status)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, port, _ := net.SplitHostPort(e.status)
	text = strings.NewReplacer("{host}", e.status, "{port}", port, "{token}", e.token).Replace(text)
	go func() { _, _ = io.WriteString(c, text) }() // the server may hang up before all of it is written
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return append(codes, 0), all
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		codes, all = append(codes, resp.StatusCode), all+string(body)
		if resp.StatusCode/100 == 2 || resp.StatusCode/100 == 3 {
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("an answer is for other origins")
			}
		}
	}
}

// TestEndpointRefuses sends what no person and no tool of labcourier's would: each
// is refused with a plain answer, none says a word of a patient, and none
// changes anything.
func TestEndpointRefuses(t *testing.T) {
	t.Parallel() // its time goes by waiting
	e := startEndpoint(t)
	const rest = "Host: {host}\r\nConnection: close\r\n"
	get := func(path string, more ...string) string {
		return "GET " + path + " HTTP/1.1\r\n" + rest + strings.Join(append(more, ""), "\r\n") + "\r\n"
	}
	post := func(path, body string, more ...string) string {
		return "POST " + path + " HTTP/1.1\r\n" + rest + "Content-Type: application/x-www-form-urlencoded\r\n" +
			fmt.Sprintf("Content-Length: %d\r\n", len(body)) + strings.Join(append(more, ""), "\r\n") + "\r\n" + body
	}
	admin := "Authorization: Bearer {token}"
	type attack struct {
		name, text string
		want       []int // any of them; 0: hung up without a word
	}
	attacks := []attack{
		{"wrong token", get("/api/admin/messages", "Authorization: Bearer wrong"), []int{401}},
		{"no token", get("/api/admin/messages/1"), []int{401}},
		{"half a token", get("/api/admin/export", "Authorization: Bearer {token}x"), []int{401}},
		{"token as basic", get("/api/admin/export", "Authorization: Basic {token}"), []int{401}},
		{"token in the query", get("/api/admin/export?token={token}"), []int{401}},
		{"a link with the wrong token", post("/api/admin/login", "", "Authorization: Bearer wrong"), []int{401}},
		{"wrong token at the page", post("/login", "token=wrong"), []int{403, 429}},
		{"a made-up session", get("/messages/1", "Cookie: labcourier_session=AAAAAAAAAAAAAAAAAAAAAAAAAA"), []int{303}},
		{"a made-up session at a link", get("/links/bench-00/events", "Cookie: labcourier_session=x"), []int{401}},
		{"an open redirect", get("/login?code=x&to=//evil.example/"), []int{200}},

		{"rebound, admin, token and all", "GET /api/admin/export HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n" + "Authorization: Bearer {token}\r\n\r\n", []int{421}},
		{"absolute form, foreign", "GET http://evil.example:{port}/api/status HTTP/1.1\r\n" + rest + "\r\n", []int{421}},
		{"two hosts", "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n", []int{400}},
		{"no host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", []int{400}},
		{"HTTP/1.0 without a host", "GET /messages HTTP/1.0\r\n\r\n", []int{421}},
		{"a host with a user", "GET / HTTP/1.1\r\nHost: localhost@evil.example:{port}\r\nConnection: close\r\n\r\n", []int{400, 421}},
		{"HTTP/2 in the clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{0, 400, 421, 505}},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", []int{0, 400}},
		{"connect", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", []int{421}},

		{"length twice", "POST /login HTTP/1.1\r\n" + rest + "Content-Length: 5\r\nContent-Length: 6\r\n\r\ntoken=", []int{400}},
		{"length and chunks", "POST /login HTTP/1.1\r\n" + rest + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/admin/export HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n", []int{400, 403, 429}},
		{"chunks by another name", "POST /login HTTP/1.1\r\n" + rest + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{400, 501}},
		{"a length that is none", "POST /login HTTP/1.1\r\n" + rest + "Content-Length: +5\r\n\r\ntoken", []int{400}},
		{"a folded header", "GET / HTTP/1.1\r\nHost: {host}\r\nX-A: b\r\n c\r\nConnection: close\r\nBad Header: x\r\n\r\n", []int{400}},
		{"a header with NUL", get("/", "X-A: a\x00b"), []int{400}},

		{"a huge header", get("/", "X-Big: "+strings.Repeat("x", 64<<10)), []int{431, 0}},
		{"a thousand headers", get("/", strings.TrimSuffix(strings.Repeat("X-Many: 0123456789\r\n", 3000), "\r\n")), []int{431, 0}},
		{"a long line", get("/" + strings.Repeat("a", 64<<10)), []int{431, 414, 0}},
		{"a huge form", post("/login", "token="+strings.Repeat("x", 1<<20)), []int{403, 429, 413, 0}},
		{"a huge reason", post("/api/admin/messages/1/discard", `{"reason":"`+strings.Repeat("x", 1<<20)+`"}`, admin), []int{400, 413, 0}},
	}
	for _, p := range []string{
		"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/messages/..%2f..%2fapi%2fadmin%2fexport", "/messages/%2e%2e/api/admin/export",
		"/messages/../api/admin/export", "//api/admin/export", "/links/..%2f..%2fapi%2fadmin%2fexport/events", "/messages/style.css/../1", "/messages/1%00", "/messages/1;x",
		"/app.css/..%5c..%5cspool.db", "/assets/page.html", "/data/spool.db", "/messages/-1", "/messages/99999999999999999999/raw", "/./messages/1/raw",
	} {
		attacks = append(attacks, attack{"path " + p, get(p), []int{301, 303, 307, 308, 400, 401, 404}})
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "PROPFIND", "POST"} {
		for _, p := range []string{"/", "/api/status", "/metrics", "/events", "/messages/1"} {
			attacks = append(attacks, attack{method + " " + p, method + " " + p + " HTTP/1.1\r\n" + rest + "Content-Length: 0\r\n\r\n", []int{303, 405}})
		}
	}
	for _, p := range []string{"/login", "/logout", "/messages/retry", "/messages/1/retry", "/messages/1/discard", "/api/admin/messages/1/retry", "/api/admin/messages/1/discard", "/api/admin/compact", "/api/admin/login"} {
		for _, from := range []string{
			"Origin: http://evil.example", "Origin: null", "Origin: http://127.0.0.1:1", "Origin: https://{host}",
			"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
			"Origin: http://{host}\r\nOrigin: http://evil.example",
		} {
			attacks = append(attacks, attack{"POST " + p + " by " + from, post(p, "reason=x&token={token}", admin, from), []int{403}})
		}
		if strings.HasPrefix(p, "/m") {
			attacks = append(attacks, attack{"POST " + p + " without a session", post(p, "reason=x"), []int{303}})
		}
	}
	for _, a := range attacks {
		codes, body := e.say(t, a.text)
		if !slices.Contains(a.want, codes[0]) || len(codes) > 2 {
			t.Errorf("%s: answered %v, want one of %v\n%.300s", a.name, codes, a.want, body)
		}
		if strings.Contains(body, e.specimen) || strings.Contains(body, e.token) || strings.Contains(body, "root:") {
			t.Errorf("%s: the answer tells what it must not:\n%.300s", a.name, body)
		}
	}
	e.unchanged(t)
}

// unchanged is for after an attack: the endpoint answers, nothing is in the audit
// log, and the message is where it was.
func (e *endpoint) unchanged(t *testing.T) {
	t.Helper()
	s, err := status.NewClient(e.status).Status(t.Context())
	if err != nil || s.Spool.Parked != 0 || s.Spool.Queued+s.Spool.Delivered != 1 {
		t.Errorf("%+v, %v", s.Spool, err)
	}
	if codes, body := e.say(t, "GET /api/admin/audit HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"); codes[0] != 200 || strings.TrimSpace(body) != "null" && strings.TrimSpace(body) != "[]" {
		t.Errorf("audit: %v %s", codes, body)
	}
}

// TestEndpointOutlivesSlowCallers holds every connection that the endpoint takes
// with requests that do not end, headers, bodies, and answers that nobody
// reads; a person is served all the same once their time is over.
func TestEndpointOutlivesSlowCallers(t *testing.T) {
	t.Parallel() // its time goes by waiting
	e := startEndpoint(t)
	for i := range 60 { // more than it takes at once
		c, err := net.Dial("tcp", e.status)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		switch i % 4 {
		case 0: // silence
		case 1:
			_, _ = fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nX-Slow: ", e.status)
		case 2:
			_, _ = fmt.Fprintf(c, "POST /login HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ntoken=", e.status)
		case 3:
			_, _ = fmt.Fprintf(c, "GET /api/admin/export HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", e.status, e.token)
		}
	}
	began := time.Now()
	if codes, _ := e.say(t, "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"); codes[0] != 200 {
		t.Errorf("%v after %v", codes, time.Since(began))
	}
	e.unchanged(t)
}
