package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// KeySize is the length of an encryption key: AES-256.
const KeySize = 32

// keyID names a key without telling it.
type keyID [8]byte

// keyring seals with its first key and opens with any. A nil keyring can open
// nothing that is sealed.
type keyring struct {
	first keyID
	aeads map[keyID]cipher.AEAD
}

func newKeyring(keys [][]byte) (*keyring, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	k := &keyring{aeads: map[keyID]cipher.AEAD{}}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("encryption key %d has %d bytes, want %d", i+1, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("encryption key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("encryption key %d: %w", i+1, err)
		}
		id := idOfKey(key)
		if i == 0 {
			k.first = id
		}
		k.aeads[id] = aead
	}
	return k, nil
}

// idOfKey is a one-way name of a key, apart from anything else that is ever
// hashed with it.
func idOfKey(key []byte) keyID {
	sum := sha256.Sum256(append([]byte("labcourier spool key id\x00"), key...))
	return keyID(sum[:8])
}

var errNoKey = errors.New("no key for it")

// seal appends key id, nonce and sealed text to dst, which is copied.
func (k *keyring) seal(dst, plain, ad []byte) ([]byte, error) {
	aead := k.aeads[k.first]
	out := make([]byte, 0, len(dst)+len(k.first)+aead.NonceSize()+len(plain)+aead.Overhead())
	out = append(append(out, dst...), k.first[:]...)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails: crypto/rand ends the process instead
	out = append(out, nonce...)
	return aead.Seal(out, nonce, plain, ad), nil
}

func (k *keyring) open(sealed, ad []byte) ([]byte, error) {
	var id keyID
	if k == nil || len(sealed) < len(id) {
		return nil, errNoKey
	}
	copy(id[:], sealed)
	aead, ok := k.aeads[id]
	if !ok {
		return nil, errNoKey
	}
	sealed = sealed[len(id):]
	n := aead.NonceSize()
	if len(sealed) < n {
		return nil, errCorrupt
	}
	plain, err := aead.Open(nil, sealed[:n], sealed[n:], ad)
	if err != nil {
		return nil, errCorrupt
	}
	return plain, nil
}
