package config

import (
	"crypto/x509"
	"net/url"
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
	if leaf := t.keyPair(&s.CertFile, &s.CertKeyFile, "the client's"); leaf != nil {
		t.madeFor(leaf, x509.ExtKeyUsageClientAuth, "clients", "clientAuth")
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
