package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"time"

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
	s.CertFile, s.CertKeyFile = t.c.abs(s.CertFile), t.c.abs(s.CertKeyFile)
	keyKey := "cert_key_file"
	if !t.has(keyKey) {
		s.CertKeyFile, keyKey = s.CertFile, "cert_file" // both in one file
	}
	t.c.secrets = append(t.c.secrets, SecretUse{Key: t.path.sub(keyKey).key, Where: s.CertKeyFile, Secret: FileSecret(s.CertKeyFile)})
	before := len(t.c.faults)
	t.certificates("cert_file", s.CertFile, "this computer's")
	if len(t.c.faults) == before || keyKey != "cert_file" {
		t.secretFile(keyKey, s.CertKeyFile)
	}
	if len(t.c.faults) > before {
		return
	}
	pair, err := s.Certificate()
	if err != nil {
		t.fault(keyKey, "holds no private key without a passphrase that belongs to the certificate of cert_file",
			"name the key that was made with the certificate request, in PEM form; take a passphrase off with openssl pkey")
		return
	}
	t.validity(pair.Leaf, time.Now())
	if len(pair.Leaf.DNSNames)+len(pair.Leaf.IPAddresses) == 0 {
		t.fault("cert_file", "names a certificate without a name or an address that a browser could ask for", "have one made with this computer's name as a subjectAltName")
	}
	usable := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny}
	if len(pair.Leaf.ExtKeyUsage) > 0 && !slices.ContainsFunc(pair.Leaf.ExtKeyUsage, func(u x509.ExtKeyUsage) bool { return slices.Contains(usable, u) }) {
		t.warn("cert_file", "names a certificate that is not made for servers", "ask the authority for one with the extended key usage serverAuth")
	}
}

// Certificate reads the certificate with its key.
func (s *StatusRemote) Certificate() (tls.Certificate, error) {
	return keyPair(s.CertFile, s.CertKeyFile)
}

func keyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := secretfile.Read(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, []byte(key))
}
