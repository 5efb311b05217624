package status

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

const farWord = "correct horse battery"

// certificateFor is a self-signed one for 127.0.0.1 and a name.
func certificateFor(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// far is a server with a way for other computers.
type far struct {
	t    *testing.T
	addr string
	cert atomic.Pointer[tls.Certificate]
	now  atomic.Int64
}

func startFar(t *testing.T, allow ...netip.Prefix) *far {
	t.Helper()
	f := &far{t: t}
	cert := certificateFor(t, "lab-pc.example")
	f.cert.Store(&cert)
	f.now.Store(noon.Unix())
	s, err := NewServer(Options{
		Listen: "127.0.0.1:0", Source: healthySource(), Log: zerolog.Nop(), Now: func() time.Time { return time.Unix(f.now.Load(), 0) },
		Admin: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "steered") }),
		Remote: &Remote{
			Listen: "127.0.0.1:0", Allow: allow, Password: func() (string, error) { return farWord, nil },
			Certificate: func() (tls.Certificate, error) { return *f.cert.Load(), nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	f.addr = s.RemoteAddr()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

// ask sends one request over TLS, verified.
func (f *far) ask(path, word string, change func(*http.Request)) (int, string, error) {
	roots := x509.NewCertPool()
	roots.AddCert(f.cert.Load().Leaf)
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "https://"+f.addr+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if word != "" {
		req.SetBasicAuth("monitor", word)
	}
	if change != nil {
		change(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestRemote(t *testing.T) {
	f := startFar(t)
	_, port, _ := net.SplitHostPort(f.addr)
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for _, tt := range []struct {
		name, path, word string
		change           func(*http.Request)
		code             int
	}{
		{"no password", "/", "", nil, 401},
		{"no password for a monitor", "/metrics", "", nil, 401},
		{"no password for health", "/healthz", "", nil, 401},
		{"no password for the style", "/app.css", "", nil, 401},
		{"the password", "/", farWord, nil, 200},
		{"the API", "/api/status", farWord, nil, 200},
		{"by name", "/api/status", farWord, host("lab-pc.example:" + port), 200},
		{"own origin", "/api/status", farWord, header("Origin", "https://"+f.addr), 200},
		{"steering", "/api/admin/messages", farWord, nil, 404},
		{"steering without the password", "/api/admin/messages", "", header("Authorization", "Bearer token"), 401},
		{"a rebound name", "/api/status", farWord, host("evil.example:" + port), 421},
		{"loopback's name", "/api/status", farWord, host("localhost:" + port), 421},
		{"another port", "/api/status", farWord, host("lab-pc.example:1"), 421},
		{"no port", "/api/status", farWord, host("lab-pc.example"), 421},
		{"foreign origin", "/api/status", farWord, header("Origin", "https://evil.example"), 403},
		{"own origin in the clear", "/api/status", farWord, header("Origin", "http://"+f.addr), 403},
		{"foreign fetch", "/api/status", farWord, header("Sec-Fetch-Site", "cross-site"), 403},
	} {
		code, body, err := f.ask(tt.path, tt.word, tt.change)
		if err != nil || code != tt.code || code != 200 && strings.Contains(body, "xn-550") {
			t.Errorf("%s: %d, %v, want %d\n%.200s", tt.name, code, err, tt.code, body)
		}
	}
	resp, err := http.Get("http://" + f.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("in the clear: %s", resp.Status)
	}
}

// TestRemoteTries guesses until nothing is answered any more, the right word
// neither, and is let in after a while.
func TestRemoteTries(t *testing.T) {
	f := startFar(t)
	for i, want := range []int{401, 401, 401, 401, 401, 429, 429} {
		if code, _, err := f.ask("/", "a password that is wrong", nil); err != nil || code != want {
			t.Errorf("try %d: %d, %v, want %d", i+1, code, err, want)
		}
	}
	if code, _, err := f.ask("/", farWord, nil); err != nil || code != 429 {
		t.Errorf("the right word went through the limit: %d, %v", code, err)
	}
	f.now.Add(11)
	if code, _, err := f.ask("/", farWord, nil); err != nil || code != 200 {
		t.Errorf("after ten seconds: %d, %v", code, err)
	}
}

// TestRemoteAllow hangs up on computers that are not named.
func TestRemoteAllow(t *testing.T) {
	if _, _, err := startFar(t, netip.MustParsePrefix("10.0.5.0/24")).ask("/", farWord, nil); err == nil {
		t.Error("a computer that is not named is served")
	}
	if code, _, err := startFar(t, netip.MustParsePrefix("127.0.0.0/8")).ask("/", farWord, nil); err != nil || code != 200 {
		t.Errorf("one that is named: %d, %v", code, err)
	}
}

// TestRemoteCertificateChanges renews the certificate while the server runs.
func TestRemoteCertificateChanges(t *testing.T) {
	f := startFar(t)
	if code, _, err := f.ask("/healthz", farWord, nil); err != nil || code != 200 {
		t.Fatalf("%d, %v", code, err)
	}
	next := certificateFor(t, "lab-pc-2.example")
	f.cert.Store(&next)
	f.now.Add(int64(lookAgain / time.Second))
	if code, _, err := f.ask("/healthz", farWord, nil); err != nil || code != 200 {
		t.Errorf("with the new one: %d, %v", code, err)
	}
}

func TestRemoteNeedsBoth(t *testing.T) {
	good := certificateFor(t, "lab-pc.example")
	for name, r := range map[string]*Remote{
		"short password": {Password: func() (string, error) { return "12345678901", nil }, Certificate: func() (tls.Certificate, error) { return good, nil }},
		"no password":    {Password: func() (string, error) { return "", io.EOF }, Certificate: func() (tls.Certificate, error) { return good, nil }},
		"no certificate": {Password: func() (string, error) { return farWord, nil }, Certificate: func() (tls.Certificate, error) { return tls.Certificate{}, io.EOF }},
	} {
		r.Listen = "127.0.0.1:0"
		if _, err := NewServer(Options{Listen: "127.0.0.1:0", Source: healthySource(), Remote: r}); err == nil || !strings.Contains(err.Error(), "[status.remote]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
