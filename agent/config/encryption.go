package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// spoolKeys is [spool] as it is written.
type spoolKeys struct {
	Spool

	KeyFile       string `toml:"key_file"`
	KeyEnv        string `toml:"key_env"`
	KeyCredential string `toml:"key_credential"`

	OldKeyFiles       []string `toml:"old_key_files"`
	OldKeyCredentials []string `toml:"old_key_credentials"`
}

// keyBytes is the length of a spool's key: AES-256.
const keyBytes = 32

// encryption finds the keys of [spool] and looks whether they are keys. A key
// is not given by its own text: the file is read by more people than a key may be.
func (t table) encryption(s *Spool, k spoolKeys) {
	if t.n == nil || t.gone() {
		return
	}
	if t.hasSecret("key") {
		s.Key = t.secret("key", k.KeyFile, k.KeyEnv, k.KeyCredential, sealed{})
		for _, key := range secretKeys("key") {
			if t.has(key) {
				t.isKey(key, s.Key)
			}
		}
	}
	for _, name := range k.OldKeyFiles {
		name = t.c.abs(name)
		t.secretFile("old_key_files", name)
		s.OldKeys = append(s.OldKeys, FileSecret(name))
	}
	for _, name := range k.OldKeyCredentials {
		t.credential("old_key_credentials", name)
		s.OldKeys = append(s.OldKeys, CredentialSecret(name))
	}
	for i, old := range s.OldKeys {
		key := "old_key_files"
		if i >= len(k.OldKeyFiles) {
			key = "old_key_credentials"
		}
		if !s.Key.Given() {
			t.fault(key, "gives an old key, and there is no new one", "name the key to go on with in key_file or key_credential")
			return
		}
		t.isKey(key, old)
	}
}

// isKey finds fault with a secret that can be read and is no key.
func (t table) isKey(name string, s Secret) {
	text, err := s.Read()
	if err != nil {
		return // told already
	}
	if _, err := decodeKey(text); err != nil {
		t.fault(name, "names what is no key: "+err.Error(), "make a key with `labcourier messages newkey FILE`")
	}
}

// Keys reads the spool's keys: the one that seals first. None means that
// nothing is sealed.
func (s Spool) Keys() (keys [][]byte, err error) {
	if !s.Key.Given() {
		return nil, nil
	}
	for _, secret := range append([]Secret{s.Key}, s.OldKeys...) {
		text, err := secret.Read()
		if err != nil {
			return nil, fmt.Errorf("read the spool's encryption key: %w", err)
		}
		key, err := decodeKey(text)
		if err != nil {
			return nil, fmt.Errorf("read the spool's encryption key from %s: %w", secret, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// EncodeKey writes a key as Keys reads it.
func EncodeKey(key []byte) string { return base64.StdEncoding.EncodeToString(key) }

var errNotKey = errors.New("a key is 32 bytes, written as 44 characters of base64 or 64 hexadecimal digits")

func decodeKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if len(text) == 2*keyBytes {
		if key, err := hex.DecodeString(text); err == nil {
			return key, nil
		}
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keyBytes {
		return nil, errNotKey
	}
	return key, nil
}
