package clientkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func jwk(key any, id, alg, use string) []byte {
	return must(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: alg, Use: use}.MarshalJSON())
}

func set(keys ...[]byte) []byte {
	return fmt.Appendf(nil, `{"keys":[%s]}`, bytes.Join(keys, []byte(",")))
}

// TestParse: every form in which tools write a key, and the forms that look like
// one.
func TestParse(t *testing.T) {
	p384, p256 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsa2048 := must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, pkcs1 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p384))), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048))
	mixed := map[string]any{}
	json.Unmarshal(jwk(p384, "", "", ""), &mixed)
	other := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	mixed["d"] = base64.RawURLEncoding.EncodeToString(other.D.FillBytes(make([]byte, 48))) //nolint:staticcheck // to break a key
	tests := []struct {
		name string
		text []byte
		want string // algorithms
		err  string
	}{
		{"PKCS#8, EC", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p384))), "ES384", ""},
		{"PKCS#8, RSA", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rsa2048))), "RS384", ""},
		{"PKCS#8, Ed25519", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed))), "EdDSA", ""},
		{"PKCS#1", pkcs1, "RS384", ""},
		{"SEC1", sec1, "ES384", ""},
		{"openssl ecparam writes parameters first", append(block("EC PARAMETERS", []byte{6, 5, 43, 129, 4, 0, 34}), sec1...), "ES384", ""},
		{"byte order mark", append([]byte("\xef\xbb\xbf\r\n"), sec1...), "ES384", ""},
		{"JWK", jwk(p256, "a", "", ""), "ES256", ""},
		{"JWK with its algorithm", jwk(rsa2048, "a", "PS256", "sig"), "PS256", ""},
		{"set", set(jwk(rsa2048, "old", "RS384", ""), jwk(p384, "new", "ES384", "")), "RS384 ES384", ""},

		{"nothing", []byte(" \n"), "", "empty"},
		{"text", []byte("hunter2"), "", "neither PEM"},
		{"certificate", block("CERTIFICATE", []byte("hunter2")), "", "no private key"},
		{"public key", block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(p384.Public()))), "", "no private key"},
		{"passphrase", block("ENCRYPTED PRIVATE KEY", []byte("hunter2")), "", "passphrase"},
		{"old passphrase", bytes.Replace(pkcs1, []byte("KEY-----\n"), []byte("KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"), 1), "", "passphrase"},
		{"broken", block("PRIVATE KEY", []byte("hunter2")), "", "cannot be read"},
		{"short RSA", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(shortRSA())), "", "1024 bits"},
		{"P-224", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))))), "", "P-256"},
		{"some JSON", []byte(`{"client_secret":"hunter2"}`), "", "neither a JWK"},
		{"broken JSON", []byte(`{"kty":"hunter2`), "", "neither a JWK"},
		{"empty set", []byte(`{"keys":[]}`), "", "no key"},
		{"public JWK", jwk(p384.Public(), "", "", ""), "", "public half"},
		{"symmetric JWK", jwk([]byte("hunter2"), "", "", ""), "", "no private key"},
		{"for encryption", jwk(p384, "", "", "enc"), "", "not for signing"},
		{"algorithm of another kind", jwk(p384, "", "RS384", ""), "", "cannot sign by"},
		{"two halves of two keys", must(json.Marshal(mixed)), "", "belong"},
	}
	for _, test := range tests {
		keys, err := Parse(test.text)
		var algs []string
		for _, k := range keys {
			algs = append(algs, k.Algorithm())
			if k.ID() == "" {
				t.Errorf("%s: a key without an id", test.name)
			}
		}
		if got := strings.Join(algs, " "); got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
		if (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v; want %q", test.name, err, test.err)
		}
	}
}

// shortRSA is made by hand, since crypto/rsa refuses to.
func shortRSA() *rsa.PrivateKey {
	prime := func() *big.Int {
		for {
			p := must(rand.Prime(rand.Reader, 512))
			if new(big.Int).Mod(new(big.Int).Sub(p, big.NewInt(1)), big.NewInt(65537)).Sign() != 0 {
				return p
			}
		}
	}
	p, q := prime(), prime()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	return &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), phi), Primes: []*big.Int{p, q},
	}
}

func TestPick(t *testing.T) {
	one, two := must(New(ES384)), must(New(RS384))
	keys := must(Parse(set(jwk(one.signer, "one", "", ""), jwk(two.signer, "two", "", ""))))
	for _, test := range []struct {
		id, alg, want string
	}{
		{"", "", "[key one ES384]"}, {"two", "", "[key two RS384]"}, {"two", "PS384", "[key two PS384]"},
		{"three", "", ""}, {"one", "RS384", ""},
	} {
		k, err := keys.Pick(test.id, test.alg)
		if (err != nil) != (test.want == "") || err == nil && fmt.Sprint(k) != test.want {
			t.Errorf("%+v: %v, %v", test, k, err)
		}
	}
	alone := must(Parse(must(one.PEM())))
	if k, err := alone.Pick("the server's name for it", ""); err != nil || k.ID() != "the server's name for it" {
		t.Errorf("one key under another name: %v, %v", k, err)
	}
	if k := must(alone.Pick("", "")); k.ID() != one.ID() {
		t.Errorf("the thumbprint changed on the way through PEM: %s, %s", k.ID(), one.ID())
	}
	if _, err := (Set{}).Pick("", ""); err == nil {
		t.Error("a key from nowhere")
	}
}

// TestAssertion verifies with the standard library alone, so that a mistake of
// the JOSE library would show.
func TestAssertion(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for _, alg := range []string{ES384, RS384, ES384} {
		k := must(New(alg))
		parts := strings.Split(must(k.Assertion("client-1", "https://auth.example/token", now)), ".")
		raw := func(i int) []byte { return must(base64.RawURLEncoding.DecodeString(parts[i])) }
		var head struct{ Alg, Kid, Typ string }
		var claims struct {
			Iss, Sub, Aud, Jti string
			Iat, Nbf, Exp      int64
		}
		if err := json.Unmarshal(raw(0), &head); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw(1), &claims); err != nil {
			t.Fatal(err)
		}
		if head.Alg != alg || head.Kid != k.ID() || head.Typ != "JWT" {
			t.Errorf("header %+v", head)
		}
		if claims.Iss != "client-1" || claims.Sub != "client-1" || claims.Aud != "https://auth.example/token" {
			t.Errorf("claims %+v", claims)
		}
		if claims.Exp <= now.Unix() || claims.Exp-claims.Iat > 300 || claims.Nbf > now.Unix() || len(claims.Jti) < 20 || seen[claims.Jti] {
			t.Errorf("claims %+v", claims)
		}
		seen[claims.Jti] = true
		digest := sha512.Sum384([]byte(parts[0] + "." + parts[1]))
		sig := raw(2)
		switch pub := k.signer.Public().(type) {
		case *ecdsa.PublicKey:
			if len(sig) != 96 || !ecdsa.Verify(pub, digest[:], new(big.Int).SetBytes(sig[:48]), new(big.Int).SetBytes(sig[48:])) {
				t.Error("the ES384 signature is wrong")
			}
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(pub, crypto.SHA384, digest[:], sig); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPrivateStaysPrivate: what is published, and what is printed, holds no
// private part.
func TestPrivateStaysPrivate(t *testing.T) {
	k := must(New(ES384))
	published := must(Set{k}.Public())
	var jwks struct{ Keys []map[string]any }
	if err := json.Unmarshal(published, &jwks); err != nil || len(jwks.Keys) != 1 {
		t.Fatalf("%s, %v", published, err)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if _, ok := jwks.Keys[0][private]; ok {
			t.Errorf("the published set has a member %q", private)
		}
	}
	if jwks.Keys[0]["kid"] != k.ID() || jwks.Keys[0]["alg"] != ES384 || jwks.Keys[0]["use"] != "sig" {
		t.Errorf("published %v", jwks.Keys[0])
	}
	if _, err := Parse(published); err == nil {
		t.Error("the public half is taken for a key to sign with")
	}
	d := fmt.Sprintf("%x", must(k.signer.(*ecdsa.PrivateKey).Bytes()))
	shown := fmt.Sprintf("%v %+v %#v %x %d %s", k, k, k, k, k, Set{k})
	if strings.Contains(shown, d) || strings.Count(shown, "[key ") != 6 {
		t.Errorf("printed as %s", shown)
	}
}

// FuzzParse: whatever a file holds, what comes out can sign, and errors do not
// quote it.
func FuzzParse(f *testing.F) {
	k := must(New(ES384))
	f.Add(must(k.PEM()))
	f.Add(jwk(k.signer, "id", "ES384", "sig"))
	f.Add(set(jwk(k.signer, "id", "", ""), jwk(k.signer.Public(), "", "", "")))
	f.Add([]byte(`{"kty":"EC","crv":"P-384","x":"AA","y":"AA","d":"AA"}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := Parse(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys and %v", len(keys), err)
		}
		for _, k := range keys {
			if _, err := k.Assertion("c", "a", time.Now()); err != nil || k.ID() == "" {
				t.Fatalf("%v cannot sign: %v", k, err)
			}
		}
	})
}
