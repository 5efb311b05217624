package clientkey

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Parse reads the private keys of a file. Its errors hold nothing of it.
func Parse(text []byte) (Set, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0:
		return nil, errors.New("it is empty")
	case text[0] == '{':
		return parseJSON(text)
	}
	return parsePEM(text)
}

func parseJSON(text []byte) (Set, error) {
	var shape struct {
		Keys []json.RawMessage `json:"keys"`
		Kty  string            `json:"kty"`
	}
	if json.Unmarshal(text, &shape) != nil || shape.Keys == nil && shape.Kty == "" {
		return nil, errors.New("it is neither a JWK nor a JWK set")
	}
	if shape.Keys == nil {
		shape.Keys = []json.RawMessage{text}
	}
	var found Set
	for i, raw := range shape.Keys {
		k, err := parseJWK(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d of the JWK set: %w", i+1, err)
		}
		found = append(found, k)
	}
	if len(found) == 0 {
		return nil, errors.New("the JWK set holds no key")
	}
	return found, nil
}

func parseJWK(raw []byte) (Key, error) {
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil { // its words may quote the key
		return Key{}, errors.New("it is not a JWK that can be read, or its parts do not fit together")
	}
	signer, ok := jwk.Key.(crypto.Signer)
	switch {
	case !ok && jwk.IsPublic():
		return Key{}, errors.New(`it holds the public half only: the private one has a member "d"`)
	case !ok || !jwk.Valid():
		return Key{}, errors.New("it is no private key to sign with")
	case jwk.Use != "" && jwk.Use != "sig":
		return Key{}, errors.New(`it is not for signing: its "use" is not "sig"`)
	}
	k, err := newKey(signer, jwk.KeyID, jwk.Algorithm)
	if err != nil {
		return Key{}, err
	}
	return k, k.try()
}

// try signs and verifies: in a JWK the private half may belong to another
// public one.
func (k Key) try() error {
	const odd = "its private half does not belong to its public half"
	signed, err := k.Assertion("client", "audience", time.Now())
	if err != nil {
		return errors.New(odd)
	}
	parsed, err := jose.ParseSignedCompact(signed, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)})
	if err != nil {
		return errors.New(odd)
	}
	if _, err := parsed.Verify(k.signer.Public()); err != nil {
		return errors.New(odd)
	}
	return nil
}

func parsePEM(text []byte) (Set, error) {
	var seen []string
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		switch block.Type {
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errors.New(encrypted)
			}
			return parseDER(block)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New(encrypted)
		}
		seen = append(seen, block.Type)
	}
	if len(seen) > 0 {
		return nil, errors.New("it holds no private key, but other things in PEM form (" + plain(strings.Join(seen, ", ")) + ")")
	}
	return nil, errors.New("it is neither PEM (-----BEGIN PRIVATE KEY-----) nor a JWK")
}

// A service has nobody to ask for a passphrase.
const encrypted = "the key has a passphrase, which a service cannot type: take it off (openssl pkey -in KEY -out NEW) and protect the file instead"

func parseDER(block *pem.Block) (Set, error) {
	var (
		key any
		err error
	)
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	switch {
	case err != nil: // its words may describe the key
		return nil, fmt.Errorf("its %s cannot be read", block.Type)
	case !ok:
		return nil, errors.New("it is no key to sign with")
	}
	k, err := newKey(signer, "", "")
	if err != nil {
		return nil, err
	}
	return Set{k}, nil
}

// plain is text of a file that is fit for a message.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 80)]
}
