package secretfile

import (
	"crypto/tls"
	"os"
)

// KeyPair reads a certificate with its key, both in PEM form. The key is a secret;
// it may be in the certificate's file, which then is one too.
func KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := Read(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, []byte(key))
}
