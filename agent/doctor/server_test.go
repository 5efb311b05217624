package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/doctor"
	"github.com/labcourier/labcourier/agent/outbound"
	"github.com/labcourier/labcourier/agent/sandbox"
)

// findings are a run's, in lines of "state check: text".
type findings []doctor.Finding

func (fs findings) String() string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(string(f.State) + " " + f.Check + ": " + f.Text + "\n")
	}
	return b.String()
}

// expect checks that each line of want begins or is in one that was said, and
// that whatever is not fine says what to do.
func (fs findings) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if no, found := strings.CutPrefix(w, "! "); found {
			if strings.Contains(fs.String(), no) {
				t.Errorf("said, and should not be: %q in\n%s", no, fs)
			}
		} else if !strings.Contains(fs.String(), w) {
			t.Errorf("not said: %q in\n%s", w, fs)
		}
	}
	for _, f := range fs {
		if (f.Hint == "") != (f.State == doctor.Fine) {
			t.Errorf("hint of %+v", f)
		}
	}
}

// patient is a server and how the doctor comes to it.
type patient struct {
	base, token string
	secret      string
	method      string
	out         outbound.Options
	bots        []string
	heartbeat   bool
	shadow      bool // it is the second server
}

func examine(t *testing.T, p patient) (said findings) {
	t.Helper()
	p.out.Timeout = time.Minute
	c, err := outbound.New(p.out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	o := auth.Options{Method: p.method, ClientID: sandbox.DefaultClientID, BaseURL: p.base, HTTP: c, TokenURL: p.token,
		ClientSecret: func() (string, error) { return p.secret, nil }}
	a, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := doctor.Server{URL: p.base, TokenURL: p.token, Timeout: time.Minute, HTTP: c, Tokens: c, Auth: a, Resources: len(p.bots) == 0, Bots: p.bots, Heartbeat: p.heartbeat}
	var r doctor.Report = func(f doctor.Finding) { said = append(said, f) }
	if p.shadow {
		r = r.Shadow()
	}
	s.Examine(t.Context(), r)
	return said
}

func TestServer(t *testing.T) {
	const allowed = "fine rights: the client may search Device, Specimen, Observation, DiagnosticReport; create is not tried"
	for name, c := range map[string]struct {
		o      sandbox.Options
		set    func(*sandbox.Server)
		change func(*patient)
		want   []string
	}{
		"all well": {want: []string{"fine connection: 127.0.0.1:", "fine fhir: FHIR 4.0.1 of labcourier sandbox", "fine clock",
			"fine sign-in: by OAuth2: a token was given, good for 60 min", allowed, "fine rights: the client may not search Patient", "! wrong", "! warning"}},
		"more rights than needed": {set: func(s *sandbox.Server) { s.Permit("Patient", sandbox.Search) },
			want: []string{allowed, "warning rights: the client may do more than it needs: it can search Patient", "! wrong"}},
		"a right is missing": {set: func(s *sandbox.Server) { s.Permit("Specimen", sandbox.Create) },
			want: []string{"wrong rights: the client may not read or search Specimen (403)", "fine rights: the client may search Device, Observation, DiagnosticReport"}},
		"basic": {change: func(p *patient) { p.method, p.token = "basic", "" },
			want: []string{"fine sign-in: by basic", allowed, "! wrong"}},
		"basic, wrong": {change: func(p *patient) { p.method, p.token, p.secret = "basic", "", "wrong" },
			want: []string{"wrong rights: the server rejects the credentials (401)", "! client may"}},
		"secret": {change: func(p *patient) { p.secret = "hunter2" }, want: []string{"wrong sign-in: get access token: refused", "! hunter2", "! rights:"}},
		"no token endpoint": {set: func(s *sandbox.Server) { s.SetFault(sandbox.OnToken(sandbox.Always(sandbox.Reply(404)))) },
			want: []string{"warning sign-in: basic is used in the place of OAuth2", allowed}},
		"no token endpoint, and no basic": {set: func(s *sandbox.Server) { s.SetFault(sandbox.OnToken(sandbox.Always(sandbox.Reply(404)))) },
			change: func(p *patient) { p.method = "oauth2" }, want: []string{"wrong sign-in: get access token: unavailable", "! rights"}},
		"token endpoint is ill": {set: func(s *sandbox.Server) { s.SetFault(sandbox.OnToken(sandbox.Always(sandbox.HTMLPage(502)))) },
			want: []string{"wrong sign-in: get access token: unreachable", "! rights"}},
		"portal":     {set: func(s *sandbox.Server) { s.SetFault(sandbox.Always(sandbox.HTMLPage(200))) }, want: []string{"wrong fhir: a web page answers", "! sign-in"}},
		"down":       {set: func(s *sandbox.Server) { s.SetFault(sandbox.Always(sandbox.Down())) }, want: []string{"wrong answer: the server does not answer", "! sign-in"}},
		"ill":        {set: func(s *sandbox.Server) { s.SetFault(sandbox.Always(sandbox.Reply(503))) }, want: []string{"wrong fhir: the server answers 503"}},
		"wrong path": {change: func(p *patient) { p.base = strings.TrimSuffix(p.base, "R4") }, want: []string{"wrong fhir: there is no FHIR server at this address (404)"}},
		"cut answer": {set: func(s *sandbox.Server) { s.SetFault(sandbox.OnFHIR(sandbox.Always(sandbox.CutAnswer()))) }, want: []string{"wrong answer: the server does not answer"}},
		"name":       {change: func(p *patient) { p.base, p.token = "https://nothing.invalid/fhir/R4", "https://nothing.invalid/token" }, want: []string{"wrong name: no address is found for nothing.invalid", "! sign-in"}},
		"refused":    {change: func(p *patient) { p.base = "http://127.0.0.1:1/fhir/R4" }, want: []string{"wrong connection: no connection to 127.0.0.1:1, the server: "}},
		"proxy": {change: func(p *patient) {
			p.base, p.token, p.out.Proxy = "https://fhir.example/fhir/R4", "https://fhir.example/token", "http://127.0.0.1:1"
		}, want: []string{"fine proxy: fhir.example is reached through 127.0.0.1:1", "wrong connection: no connection to 127.0.0.1:1, the proxy"}},
		"heartbeat": {change: func(p *patient) { p.heartbeat = true },
			want: []string{"fine rights: the client may search Device, Specimen, Observation, DiagnosticReport; create, and the update of Device that heartbeat needs, are not tried"}},
		"heartbeat beside bots": {change: func(p *patient) { p.heartbeat, p.bots = true, []string{"b1"} },
			want: []string{"fine rights: the client may search Device; create, and the update", "! Specimen"}},
		"shadow": {change: func(p *patient) { p.shadow = true }, want: []string{"fine shadow: fhir: FHIR 4.0.1", "fine shadow: sign-in: by OAuth2",
			"fine shadow: rights: the client may search Device, Specimen, Observation, DiagnosticReport", "! warning"}},
		"shadow, wrong": {change: func(p *patient) { p.shadow, p.method, p.token, p.secret = true, "basic", "", "wrong" },
			want: []string{"warning shadow: rights: the server rejects the credentials (401)", "! wrong"}},
		"shadow, down": {change: func(p *patient) { p.shadow, p.base = true, "http://127.0.0.1:1/fhir/R4" },
			want: []string{"warning shadow: connection: no connection to 127.0.0.1:1, the server: ", "! wrong"}},
		"bot": {change: func(p *patient) { p.bots = []string{"b1"} }, want: []string{"wrong rights", "Bot", "! Specimen"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(c.o)
			base, stop, err := s.Start("")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stop(context.Background()) })
			if c.set != nil {
				c.set(s)
			}
			p := patient{base: base + sandbox.BasePath, token: base + sandbox.TokenPath, secret: sandbox.DefaultClientSecret, method: "auto",
				out: outbound.Options{Proxy: outbound.NoProxy}}
			if c.change != nil {
				c.change(&p)
			}
			examine(t, p).expect(t, c.want...)
			for _, r := range s.Requests() {
				if r.Method != http.MethodGet && r.Path != sandbox.TokenPath {
					t.Errorf("the doctor writes: %s %s", r.Method, r.Path)
				}
			}
		})
	}
}

// TestShadowWords: what is said of the second server names its own table.
func TestShadowWords(t *testing.T) {
	var got doctor.Finding
	var r doctor.Report = func(f doctor.Finding) { got = f }
	r.Shadow()(doctor.Finding{Check: "server", State: doctor.Wrong, Text: "url of [server] is odd", Hint: "see [server.auth]"})
	if want := (doctor.Finding{Check: "shadow", State: doctor.Warning, Text: "server: url of [shadow] is odd", Hint: "see [shadow.auth]"}); got != want {
		t.Errorf("%+v", got)
	}
}

// TestAnswers: what servers say of themselves.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		header map[string]string
		want   []string
	}{
		"R5":          {body: `{"resourceType":"CapabilityStatement","fhirVersion":"5.0.0"}`, want: []string{`wrong fhir: the server speaks FHIR "5.0.0"`}},
		"no FHIR":     {body: `{"hello":1}`, want: []string{"wrong fhir: what answers is no FHIR server"}},
		"elsewhere":   {status: 302, header: map[string]string{"Location": "/x"}, want: []string{"wrong fhir: the server sends to another address (302)"}},
		"clock":       {body: "{}", header: map[string]string{"Date": time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}, want: []string{"wrong clock: this computer's is 1h0m", "ahead of the server's"}},
		"clock, late": {body: "{}", header: map[string]string{"Date": time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)}, want: []string{"warning clock: this computer's is ", "behind the server's"}},
		"no condition": {body: `{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"resource":[{"type":"Observation","conditionalCreate":false},{"type":"Patient","conditionalCreate":false}]}]}`,
			want: []string{"warning fhir: the server says that it does not create Observation conditionally", "! Patient conditionally"}},
		"signed in only": {status: 401, want: []string{"fine fhir: the server tells what it is only to those who sign in"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				io.WriteString(w, c.body)
			}))
			t.Cleanup(s.Close)
			examine(t, patient{base: s.URL, method: "basic", secret: "x", out: outbound.Options{Proxy: outbound.NoProxy}}).expect(t, c.want...)
		})
	}
}

func TestCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		from, to time.Duration
		name     string
		trusted  bool
		plain    bool
		want     string
	}{
		"good":      {-time.Hour, 90 * 24 * time.Hour, "127.0.0.1", true, false, "fine tls: TLS 1.3, the server's certificate is good until 2"},
		"soon":      {-time.Hour, 24 * time.Hour, "127.0.0.1", true, false, "warning tls: TLS 1.3, the server's certificate is good until"},
		"expired":   {-2 * time.Hour, -time.Hour, "127.0.0.1", true, false, "wrong tls: the server's certificate has expired"},
		"name":      {-time.Hour, time.Hour, "192.0.2.1", true, false, "wrong tls: the server's certificate is for another name"},
		"authority": {-time.Hour, time.Hour, "127.0.0.1", false, false, "wrong tls: the server's certificate comes from an authority that this computer does not know"},
		"no TLS":    {-time.Hour, time.Hour, "127.0.0.1", true, true, "wrong "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair, ca := selfSigned(t, c.name, c.from, c.to)
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
			o := outbound.Options{Proxy: outbound.NoProxy}
			if c.trusted {
				o.CAFile = ca
			}
			if c.plain {
				s.Start()
			} else {
				s.StartTLS()
			}
			t.Cleanup(s.Close)
			address := "https://" + s.Listener.Addr().String()
			examine(t, patient{base: address, method: "basic", secret: "x", out: o}).expect(t, c.want)
		})
	}
}

func selfSigned(t *testing.T, address string, from, to time.Duration) (pair tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
