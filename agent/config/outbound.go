package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"time"
)

// clientCertificate checks the certificate that this client shows.
func (t table) clientCertificate(s *Server) {
	t.oneOf("cert_for", s.CertFor, "all", "token", "fhir")
	if !t.has("cert_file") {
		const hint = "name the client's certificate with cert_file, or remove the key"
		if t.has("cert_key_file") {
			t.fault("cert_key_file", "belongs to cert_file, which is missing", hint)
		}
		if t.has("cert_for") && s.CertFor != "all" {
			t.fault("cert_for", "belongs to cert_file, which is missing", hint)
		}
		return
	}
	s.CertFile, s.CertKeyFile = t.c.abs(s.CertFile), t.c.abs(s.CertKeyFile)
	keyKey := "cert_key_file"
	if !t.has(keyKey) {
		s.CertKeyFile, keyKey = s.CertFile, "cert_file" // both in one file
	}
	t.c.secrets = append(t.c.secrets, SecretUse{Key: t.path.sub(keyKey).key, Where: s.CertKeyFile, Secret: FileSecret(s.CertKeyFile)})
	before := len(t.c.faults)
	t.certificates("cert_file", s.CertFile, "the client's")
	if len(t.c.faults) == before || keyKey != "cert_file" {
		t.secretFile(keyKey, s.CertKeyFile)
	}
	if len(t.c.faults) > before {
		return
	}
	pair, err := s.certificate()
	if err != nil {
		t.fault(keyKey, "holds no private key without a passphrase that belongs to the certificate of cert_file",
			"name the key that was made with the certificate request, in PEM form; take a passphrase off with openssl pkey")
		return
	}
	t.expiry(pair.Leaf, time.Now())
}

func (s *Server) certificate() (tls.Certificate, error) { return keyPair(s.CertFile, s.CertKeyFile) }

// expirySoon is how long before its end a certificate is warned of.
const expirySoon = 30 * 24 * time.Hour

// validity warns of a certificate that is not, or not for long, good.
func (t table) validity(leaf *x509.Certificate, now time.Time) {
	const hint = "have it renewed; new files are picked up without a restart"
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		t.warn("cert_file", "names a certificate that has expired", hint)
	case left < expirySoon:
		t.warn("cert_file", "names a certificate that expires on "+leaf.NotAfter.UTC().Format(time.DateOnly), hint)
	case leaf.NotBefore.After(now):
		t.warn("cert_file", "names a certificate that is not valid yet", "check this computer's clock")
	}
}

// expiry is validity for a client's certificate.
func (t table) expiry(leaf *x509.Certificate, now time.Time) {
	t.validity(leaf, now)
	if len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		t.warn("cert_file", "names a certificate that is not made for clients", "ask the authority for one with the extended key usage clientAuth")
	}
}

// proxy checks how requests leave the site. A proxy's password goes to the proxy
// only, and what it carries is encrypted, so plain http to it is taken.
func (t table) proxy(k *serverKeys) {
	p := &k.Proxy
	if !t.has("proxy") {
		p.Address = "environment"
	}
	defer func() {
		if t.has("proxy_username") || t.hasSecret("proxy_password") {
			t.need("proxy_username", p.Username, "give the name for the proxy, or remove its password")
			p.Password = t.secret("proxy_password", k.ProxyPasswordFile, k.ProxyPasswordEnv, k.ProxyPasswordCredential, k.ProxyPassword)
		}
		k.Server.Proxy = *p
	}()
	if p.Address == "environment" || p.Address == "none" {
		for _, key := range append(secretKeys("proxy_password"), "no_proxy", "proxy_username") {
			if t.has(key) {
				t.fault(key, `belongs to an address under proxy`, `write proxy = "http://proxy.example.org:3128", or remove the key`)
			}
		}
		return
	}
	u, err := url.Parse(p.Address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || !validPort(u.Port()) || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		t.fault("proxy", `must be "environment", "none", or the address of an HTTP proxy`, `write it as "http://host:port"; SOCKS, PAC files and NTLM are not spoken`)
	case u.User != nil:
		t.fault("proxy", "holds a user name or password", "remove them; give proxy_username and proxy_password_file")
	}
}
