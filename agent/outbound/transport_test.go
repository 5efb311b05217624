package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRenewedCertificate: the server sees the new one without a restart, and a
// pair of which only half is replaced stops nothing.
func TestRenewedCertificate(t *testing.T) {
	a := newAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	s := newServer(a, "127.0.0.1", time.Hour, func(s *httptest.Server) {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients
	})
	f := newFiles(t, a)
	cert, key := a.issue("agent-1", time.Hour)
	put(t, f.cert, cert)
	put(t, f.key, key)
	c, made, said := client(t, Options{CAFile: f.ca, CertFile: f.cert, CertKeyFile: f.key, Proxy: NoProxy}, defaultLimits())
	expect := func(want string) {
		t.Helper()
		if got, err := get(c, s.URL); err != nil || got != "HTTP/2.0 "+want {
			t.Errorf("%q, %v; want %s", got, err, want)
		}
	}
	expect("agent-1")
	made.lookNow()
	expect("agent-1")

	cert, key = a.issue("agent-2", time.Hour)
	put(t, f.cert, cert)
	made.lookNow()
	expect("agent-1")
	if !strings.Contains(said.String(), "cannot be used") {
		t.Errorf("nothing is said of half a pair: %s", said)
	}
	put(t, f.key, key)
	expect("agent-1") // not looked at again so soon
	made.lookNow()
	expect("agent-2")
	if err := os.Remove(f.key); err != nil {
		t.Fatal(err)
	}
	made.lookNow()
	expect("agent-2")

	without, _, _ := client(t, Options{CAFile: f.ca, Proxy: NoProxy}, defaultLimits())
	// With TLS 1.3 the refusal comes after the handshake, and the connection may be
	// gone before it is read, or written to.
	refusals := []string{"certificate required", "could not be established", syscall.EPIPE.Error(), syscall.ECONNRESET.Error()}
	if _, err := get(without, s.URL); err == nil || !slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(err.Error(), r) }) {
		t.Errorf("without a certificate: %v", err)
	}
}

// TestRenewedAuthority: a hospital that changes its authority needs no restart.
func TestRenewedAuthority(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	f := newFiles(t, old)
	c, made, _ := client(t, Options{CAFile: f.ca, Proxy: NoProxy}, defaultLimits())
	before, after := newServer(old, "127.0.0.1", time.Hour, nil), newServer(next, "127.0.0.1", time.Hour, nil)
	if _, err := get(c, before.URL); err != nil {
		t.Fatal(err)
	}
	if _, err := get(c, after.URL); err == nil {
		t.Fatal("an unknown authority is trusted")
	}
	put(t, f.ca, append(old.pem(), next.pem()...))
	made.lookNow()
	for _, s := range []*server{before, after} {
		if _, err := get(c, s.URL); err != nil {
			t.Errorf("with both authorities: %v", err)
		}
	}
	put(t, f.ca, next.pem())
	made.lookNow()
	if _, err := get(c, before.URL); err == nil {
		t.Error("a connection of the withdrawn authority is still used")
	}
}

// TestFilesAtTheStart: what cannot be read then is an error with its path.
func TestFilesAtTheStart(t *testing.T) {
	a := newAuthority(t)
	f := newFiles(t, a)
	put(t, f.key, []byte("no certificate"))
	for want, o := range map[string]Options{
		"none in PEM form":     {CAFile: f.key},
		"cert.pem":             {CertFile: f.cert, CertKeyFile: f.key},
		"proxy is not":         {Proxy: "proxy"},
		"authorities' certif":  {CAFile: f.cert},
		"set up the HTTP clie": {CAFile: f.cert},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

func TestProxy(t *testing.T) {
	a := newAuthority(t)
	s := newServer(a, "fhir.example", time.Hour, nil)
	ca := newFiles(t, a).ca
	near := strings.TrimPrefix(s.URL, "https://")
	const basic = "Basic bGFiOmh1c2g=" // lab:hush

	t.Run("address", func(t *testing.T) {
		p := newProxy(t, near)
		p.want(basic)
		password := "wrong"
		c, _, _ := client(t, Options{
			CAFile: ca, Proxy: p.url, Direct: []string{".local.example", "10.0.0.0/8"}, ProxyUser: "lab",
			ProxyPassword: func() (string, error) { return password, nil },
		}, defaultLimits())
		if _, err := get(c, "https://fhir.example/"); err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("with a wrong password: %v", err)
		}
		password = "hush" // read anew, without a restart
		if got, err := get(c, "https://fhir.example/"); err != nil || got != "HTTP/2.0 nobody" {
			t.Errorf("%q, %v", got, err)
		}
		asked := fmt.Sprint(p.requests())
		if asked != "[CONNECT fhir.example:443 CONNECT fhir.example:443]" {
			t.Errorf("the proxy was asked for %s", asked)
		}
		c.Timeout = 5 * time.Second
		get(c, "https://fhir.local.example/") // there is none
		get(c, s.URL)                         // this computer
		if now := fmt.Sprint(p.requests()); now != asked {
			t.Errorf("the proxy was asked for what is reached without it: %s", now)
		}
	})
	t.Run("environment", func(t *testing.T) {
		p := newProxy(t, near)
		t.Setenv("HTTPS_PROXY", p.url)
		t.Setenv("NO_PROXY", "fhir.local.example")
		c, _, _ := client(t, Options{CAFile: ca}, defaultLimits())
		if _, err := get(c, "https://fhir.example/"); err != nil {
			t.Error(err)
		}
		c.Timeout = 5 * time.Second
		get(c, "https://fhir.local.example/")
		if asked := fmt.Sprint(p.requests()); asked != "[CONNECT fhir.example:443]" {
			t.Errorf("the proxy was asked for %s", asked)
		}
		c, made, _ := client(t, Options{CAFile: ca, Proxy: NoProxy}, defaultLimits())
		c.Timeout = 5 * time.Second
		get(c, "https://fhir.example/")
		if made.http.Proxy != nil || len(p.requests()) != 1 {
			t.Errorf(`"none" goes through a proxy: %v`, p.requests())
		}
	})
}
