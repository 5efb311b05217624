package clientkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// The algorithms of keys that [New] makes. SMART Backend Services name these
// two; a server takes one of them at least.
const (
	ES384 = "ES384"
	RS384 = "RS384"
)

// fewestBits of an RSA key: RFC 7518, 3.3.
const fewestBits = 2048

// Key is one private key with its name and its algorithm.
type Key struct {
	signer crypto.Signer
	id     string
	alg    string
}

var _ fmt.Formatter = Key{}

// ID is the name under which the server knows the public half.
func (k Key) ID() string { return k.id }

// Algorithm is how the key signs: "ES384", "RS384" and the like.
func (k Key) Algorithm() string { return k.alg }

// Format writes id and algorithm for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key "+k.id+" "+k.alg+"]") }

// Set is the keys of one file, in its order; it is never empty.
type Set []Key

// New makes a key for an algorithm of the constants above.
func New(alg string) (Key, error) {
	var (
		signer crypto.Signer
		err    error
	)
	switch alg {
	case ES384:
		signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RS384:
		signer, err = rsa.GenerateKey(rand.Reader, 3072)
	default:
		return Key{}, fmt.Errorf("make key: algorithm %q is not known: use %q or %q", alg, ES384, RS384)
	}
	if err != nil {
		return Key{}, fmt.Errorf("make key: %w", err)
	}
	return newKey(signer, "", alg)
}

// PEM is the private key in PKCS#8 form: a secret.
func (k Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Pick returns the key of that id, or the first if id is "". With one key an id
// that it does not carry is the name to use for it: a PEM file has no place for
// one. With an alg, the key signs by that.
func (s Set) Pick(id, alg string) (Key, error) {
	if len(s) == 0 {
		return Key{}, errors.New("there is no key")
	}
	k := s[0]
	if id != "" {
		i := slices.IndexFunc(s, func(k Key) bool { return k.id == id })
		switch {
		case i >= 0:
			k = s[i]
		case len(s) == 1:
			k.id = id
		default:
			return Key{}, errors.New("none of the keys has the id that is asked for")
		}
	}
	if alg == "" || alg == k.alg {
		return k, nil
	}
	return newKey(k.signer, k.id, alg)
}

// Public is the JWK set to publish, or to give to the server.
func (s Set) Public() ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range s {
		set.Keys = append(set.Keys, k.public())
	}
	return json.MarshalIndent(set, "", "  ")
}

func (k Key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.signer.Public(), KeyID: k.id, Algorithm: k.alg, Use: "sig"}
}

// newKey gives signer a name and an algorithm, where it has none, and checks
// that they fit.
func newKey(signer crypto.Signer, id, alg string) (Key, error) {
	fitting, err := algorithms(signer)
	switch {
	case err != nil:
		return Key{}, err
	case alg == "":
		alg = fitting[0]
	case !slices.Contains(fitting, alg):
		return Key{}, fmt.Errorf("a key of this kind cannot sign by that algorithm: it can by %q", fitting)
	}
	if id == "" {
		jwk := jose.JSONWebKey{Key: signer.Public()}
		sum, err := jwk.Thumbprint(crypto.SHA256)
		if err != nil {
			return Key{}, fmt.Errorf("name the key: %w", err)
		}
		id = base64.RawURLEncoding.EncodeToString(sum)
	}
	return Key{signer, id, alg}, nil
}

// algorithms lists what a key can sign by, the best for a client first (RFC
// 7518, 3.1; RFC 8037).
func algorithms(signer crypto.Signer) ([]string, error) {
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < fewestBits {
			return nil, fmt.Errorf("the RSA key has %d bits; %d are the least that is safe: make a new one", k.N.BitLen(), fewestBits)
		}
		return []string{RS384, "RS256", "RS512", "PS384", "PS256", "PS512"}, nil
	case *ecdsa.PrivateKey:
		if alg, ok := map[string]string{"P-256": "ES256", "P-384": ES384, "P-521": "ES512"}[k.Curve.Params().Name]; ok {
			return []string{alg}, nil
		}
	case ed25519.PrivateKey:
		return []string{"EdDSA"}, nil
	}
	return nil, errors.New("keys of this kind cannot sign an assertion: use RSA, or an elliptic curve P-256, P-384 or P-521")
}
