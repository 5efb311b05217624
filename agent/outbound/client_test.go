package outbound

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestVerification: TLS 1.2 or newer, and no certificate that is not in order,
// with a private authority or without.
func TestVerification(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	version := func(v uint16) func(*httptest.Server) {
		return func(s *httptest.Server) { s.TLS.MaxVersion = v }
	}
	for _, test := range []struct {
		name   string
		server *server
		ca     bool
		want   string // an error's words
	}{
		{"private authority", newServer(ours, "127.0.0.1", time.Hour, nil), true, ""},
		{"TLS 1.2", newServer(ours, "127.0.0.1", time.Hour, version(tls.VersionTLS12)), true, ""},
		{"TLS 1.1", newServer(ours, "127.0.0.1", time.Hour, version(tls.VersionTLS11)), true, "protocol version"},
		{"private authority that is not given", newServer(ours, "127.0.0.1", time.Hour, nil), false, "unknown authority"},
		{"another authority", newServer(theirs, "127.0.0.1", time.Hour, nil), true, "certificate"},
		{"another name", newServer(ours, "fhir.example", time.Hour, nil), true, "127.0.0.1"},
		{"expired", newServer(ours, "127.0.0.1", -time.Minute, nil), true, "expired"},
	} {
		o := Options{Proxy: NoProxy}
		if test.ca {
			o.CAFile = newFiles(t, ours).ca
		}
		c, _, _ := client(t, o, defaultLimits())
		_, err := get(c, test.server.URL)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
}

// TestConnectionsAreKept: one connection for many requests, by HTTP/2 where the
// server has it.
func TestConnectionsAreKept(t *testing.T) {
	a := newAuthority(t)
	for want, change := range map[string]func(*httptest.Server){
		"HTTP/2.0": nil, "HTTP/1.1": func(s *httptest.Server) { s.EnableHTTP2 = false },
	} {
		s := newServer(a, "127.0.0.1", time.Hour, change)
		c, _, _ := client(t, Options{CAFile: newFiles(t, a).ca, Proxy: NoProxy}, defaultLimits())
		for range 20 {
			if got, err := get(c, s.URL); err != nil || got != want+" nobody" {
				t.Fatalf("%q, %v; want %s", got, err, want)
			}
		}
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%s: %d connections for 20 requests", want, n)
		}
	}
}

// TestDeadlines: no stage of a connection waits for ever.
func TestDeadlines(t *testing.T) {
	a := newAuthority(t)
	short := limits{dial: time.Minute, handshake: 50 * time.Millisecond, ping: 50 * time.Millisecond, idle: time.Minute}
	release := make(chan struct{})
	slow := newServer(a, "127.0.0.1", time.Hour, func(s *httptest.Server) {
		s.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
	})
	defer close(release)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()

	ca := newFiles(t, a).ca
	c, _, _ := client(t, Options{CAFile: ca, Proxy: NoProxy, Timeout: time.Minute}, short)
	if _, err := get(c, "https://"+mute.Addr().String()); err == nil || !strings.Contains(err.Error(), "TLS handshake timeout") {
		t.Errorf("no handshake: %v", err)
	}
	c, _, _ = client(t, Options{CAFile: ca, Proxy: NoProxy, Timeout: 50 * time.Millisecond}, short)
	if _, err := get(c, slow.URL); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("no answer: %v", err)
	}
}

// TestHalfOpen: a connection whose other end is gone without a word is noticed
// by HTTP/2's ping, long before the answer's deadline.
func TestHalfOpen(t *testing.T) {
	a := newAuthority(t)
	asked, release := make(chan struct{}), make(chan struct{})
	s := newServer(a, "127.0.0.1", time.Hour, func(s *httptest.Server) {
		s.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(asked)
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
	})
	defer close(release)
	relay := newRelay(t, strings.TrimPrefix(s.URL, "https://"))
	short := limits{dial: time.Minute, handshake: time.Minute, ping: 50 * time.Millisecond, idle: time.Minute}
	c, _, _ := client(t, Options{CAFile: newFiles(t, a).ca, Proxy: NoProxy, Timeout: time.Hour}, short)
	go func() {
		<-asked
		relay.freeze()
	}()
	if _, err := get(c, "https://"+relay.addr); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("half-open: %v", err)
	}
}
