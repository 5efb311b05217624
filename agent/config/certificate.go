package config

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/labcourier/labcourier/agent/secretfile"
)

// keyPair checks cert_file with its cert_key_file, makes their paths whole, and
// returns the certificate, nil if there is a fault. Whose is for what is said of it.
func (t table) keyPair(certFile, keyFile *string, whose string) *x509.Certificate {
	*certFile, *keyFile = t.c.abs(*certFile), t.c.abs(*keyFile)
	keyKey := "cert_key_file"
	if !t.has(keyKey) {
		*keyFile, keyKey = *certFile, "cert_file" // both in one file
	}
	t.c.secrets = append(t.c.secrets, SecretUse{Key: t.path.sub(keyKey).key, Where: *keyFile, Secret: FileSecret(*keyFile)})
	before := len(t.c.faults)
	t.certificates("cert_file", *certFile, whose)
	if len(t.c.faults) == before || keyKey != "cert_file" {
		t.secretFile(keyKey, *keyFile)
	}
	if len(t.c.faults) > before {
		return nil
	}
	pair, err := secretfile.KeyPair(*certFile, *keyFile)
	if err != nil {
		t.fault(keyKey, "holds no private key without a passphrase that belongs to the certificate of cert_file",
			"name the key that was made with the certificate request, in PEM form; take a passphrase off with openssl pkey")
		return nil
	}
	t.validity(pair.Leaf, time.Now())
	return pair.Leaf
}

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

// madeFor warns of a certificate whose extended key usage excludes this one. One
// without any is for everything.
func (t table) madeFor(leaf *x509.Certificate, usage x509.ExtKeyUsage, whom, name string) {
	has := func(u x509.ExtKeyUsage) bool { return slices.Contains(leaf.ExtKeyUsage, u) }
	if len(leaf.ExtKeyUsage) > 0 && !has(usage) && !has(x509.ExtKeyUsageAny) {
		t.warn("cert_file", "names a certificate that is not made for "+whom, "ask the authority for one with the extended key usage "+name)
	}
}
