package config

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/labcourier/labcourier/agent/secretfile"
)

// remoteKeys is [status.remote] as it is written.
type remoteKeys struct {
	StatusRemote

	PasswordFile       string `toml:"password_file"`
	PasswordEnv        string `toml:"password_env"`
	PasswordCredential string `toml:"password_credential"`
	Password           sealed `toml:"password"`
}

// minPassword is how long the password for other computers is at least.
const minPassword = 12

// statusRemote checks how other computers come to the status endpoint.
func (t table) statusRemote(s *StatusRemote) {
	var k remoteKeys
	t.read(&k)
	defer func() { *s = k.StatusRemote }()
	if t.gone() {
		return
	}
	if t.need("listen", k.Listen, `give an address and a port other than that of [status]: listen = "0.0.0.0:8687"`) {
		t.address("listen", k.Listen)
	}
	k.Prefixes = t.allow(k.Allow)
	k.StatusRemote.Password = t.secret("password", k.PasswordFile, k.PasswordEnv, k.PasswordCredential, k.Password)
	if k.StatusRemote.Password.Given() {
		if word, err := k.StatusRemote.Password.Read(); err == nil && len(word) < minPassword {
			t.fault(t.given("password")[0], "gives a password that is shorter than 12 characters", "make a longer one, such as with: openssl rand -base64 18")
		}
	}
	t.serverCertificate(&k.StatusRemote)
}

// serverCertificate checks the certificate by which other computers know this one.
func (t table) serverCertificate(s *StatusRemote) {
	if !t.need("cert_file", s.CertFile, "name this computer's certificate in PEM form, with those between it and the authority's; without TLS no other computer is served") {
		return
	}
	leaf := t.keyPair(&s.CertFile, &s.CertKeyFile, "this computer's")
	if leaf == nil {
		return
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		t.fault("cert_file", "names a certificate without a name or an address that a browser could ask for", "have one made with this computer's name as a subjectAltName")
	}
	t.madeFor(leaf, x509.ExtKeyUsageServerAuth, "servers", "serverAuth")
}

// Certificate reads the certificate with its key.
func (s *StatusRemote) Certificate() (tls.Certificate, error) {
	return secretfile.KeyPair(s.CertFile, s.CertKeyFile)
}
