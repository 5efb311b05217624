package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// pair makes a certificate for clients, or another usage, that ends then, and
// its key.
func pair(t *testing.T, ends time.Time, usage x509.ExtKeyUsage) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestClientCertificate(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	cert, key := pair(t, year, x509.ExtKeyUsageClientAuth)
	_, other := pair(t, year, x509.ExtKeyUsageClientAuth)
	ended, endedKey := pair(t, time.Now().Add(-time.Minute), x509.ExtKeyUsageClientAuth)
	soon, soonKey := pair(t, time.Now().AddDate(0, 0, 7), x509.ExtKeyUsageClientAuth)
	server, serverKey := pair(t, year, x509.ExtKeyUsageServerAuth)
	for _, test := range []struct {
		name      string
		cert, key []byte // no key: it is in the certificate's file
		mode      os.FileMode
		fault     string
		warning   string
	}{
		{"good", cert, key, 0o600, "", ""},
		{"one file", append(key, cert...), nil, 0o600, "", ""},
		{"another's key", cert, other, 0o600, "belongs to the certificate", ""},
		{"no certificate", key, key, 0o600, "without a certificate", ""},
		{"no key", cert, nil, 0o600, "holds no private key", ""},
		{"key that others can read", cert, key, 0o644, "chmod 600 ", ""},
		{"both that others can read", append(key, cert...), nil, 0o644, "chmod 600 ", ""},
		{"expired", ended, endedKey, 0o600, "", "has expired"},
		{"expires soon", soon, soonKey, 0o600, "", "expires on"},
		{"for servers", server, serverKey, 0o600, "", "not made for clients"},
	} {
		if test.mode != 0o600 && runtime.GOOS == "windows" {
			continue // access lists decide there
		}
		dir := t.TempDir()
		keys := "cert_file = '" + filepath.Join(dir, "cert") + "'\n"
		mode := test.mode
		if test.key != nil {
			keys += "cert_key_file = '" + filepath.Join(dir, "key") + "'\n"
			if err := os.WriteFile(filepath.Join(dir, "key"), test.key, mode); err != nil {
				t.Fatal(err)
			}
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, "cert"), test.cert, mode); err != nil {
			t.Fatal(err)
		}
		c, err := parse(t, strings.Replace(good, "[server]\n", "[server]\n"+keys, 1))
		if (err != nil) != (test.fault != "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err == nil && (!strings.Contains(Faults(c.Warnings).Error(), test.warning) || (test.warning == "") != (len(c.Warnings) == 0)) {
			t.Errorf("%s: warnings %v", test.name, Faults(c.Warnings))
		}
		if err == nil && len(c.Secrets) != 2 {
			t.Errorf("%s: secrets %v", test.name, c.Secrets)
		}
	}
}

func TestCAFile(t *testing.T) {
	cert, _ := pair(t, time.Now().AddDate(1, 0, 0), x509.ExtKeyUsageServerAuth)
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := strings.Replace(good, "[server]\n", "[server]\nca_file = '"+path+"'\n", 1)
	for _, test := range []struct {
		content []byte
		fault   string
	}{
		{cert, ""},
		{[]byte("no certificate"), "lab.toml:4: server.ca_file names a file without a certificate in PEM form"},
		{bytes.Repeat([]byte("x"), maxCertificates+1), "larger than 4 MiB"},
	} {
		if err := os.WriteFile(path, test.content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := parse(t, text)
		if (err != nil) != (test.fault != "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("want %q, got %v", test.fault, err)
		}
	}
}

func TestStatusRemote(t *testing.T) {
	cert, key := pair(t, time.Now().AddDate(1, 0, 0), x509.ExtKeyUsageServerAuth)
	dir := t.TempDir()
	for name, content := range map[string]string{"cert": string(cert), "key": string(key), "word": "correct horse battery\n", "short": "12345678901\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(key, name string) string { return key + " = '" + filepath.Join(dir, name) + "'\n" }
	whole := file("cert_file", "cert") + file("cert_key_file", "key") + file("password_file", "word") + "listen = \"0.0.0.0:8687\"\n"
	for _, test := range []struct{ name, keys, fault string }{
		{"no names in the certificate", whole, "subjectAltName"},
		{"no password", file("cert_file", "cert") + file("cert_key_file", "key") + "listen = \"0.0.0.0:8687\"\n", "password_file"},
		{"short password", strings.Replace(whole, "word", "short", 2), "password"},
		{"no certificate", file("password_file", "word") + "listen = \"0.0.0.0:8687\"\n", "without TLS no other computer is served"},
		{"no address", file("cert_file", "cert") + file("cert_key_file", "key") + file("password_file", "word"), "8687"},
		{"nobody allowed", whole + "allow = []\n", "let nobody in"},
		{"no network", whole + "allow = [\"everyone\"]\n", "not an address or a network"},
	} {
		_, err := parse(t, good+"\n[status.remote]\n"+test.keys)
		if err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v, want %q", test.name, err, test.fault)
		}
	}
}
