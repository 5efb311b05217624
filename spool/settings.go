package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// identity is what a file says of itself.
type identity struct {
	format uint32
	id     [16]byte
	secret [32]byte
	keys   []keyID // in use
	sealed bool    // the secret is
	stale  bool    // keys or secret have to be written anew
}

// readIdentity reads the settings through get, which returns verified values.
// It refuses a newer file, and one whose keys are not all there.
func readIdentity(get func(key []byte) ([]byte, error), k *keyring, known uint32) (id identity, err error) {
	format, err := get(keyFormat)
	if err != nil {
		return id, fmt.Errorf("format: %w", err)
	}
	if len(format) != 4 {
		return id, fmt.Errorf("format: %w", errCorrupt)
	}
	if id.format = binary.BigEndian.Uint32(format); id.format > known {
		return id, fmt.Errorf("format %d, this one knows %d: %w", id.format, known, ErrNewer)
	}
	name, err := get(keySpoolID)
	if err != nil || len(name) != len(id.id) {
		return id, fmt.Errorf("spool id: %w", errCorrupt)
	}
	copy(id.id[:], name)
	ids, err := get(keyKeys)
	if err != nil || len(ids)%len(keyID{}) != 0 {
		return id, fmt.Errorf("key ids: %w", errCorrupt)
	}
	for c := range slices.Chunk(ids, len(keyID{})) {
		id.keys = append(id.keys, keyID(c))
	}
	return id, id.readSecret(get, k)
}

func (id *identity) readSecret(get func(key []byte) ([]byte, error), k *keyring) error {
	for _, used := range id.keys {
		if !k.knows(used) {
			return fmt.Errorf("encryption key %x: %w", used, ErrKey)
		}
	}
	stored, err := get(keySecret)
	if err != nil || len(stored) < 1 {
		return fmt.Errorf("index secret: %w", errCorrupt)
	}
	plain := stored[1:]
	if id.sealed = stored[0]&flagSealed != 0; id.sealed {
		if len(plain) < len(keyID{}) || !k.knows(keyID(plain[:len(keyID{})])) {
			return ErrKey
		}
		if plain, err = k.open(plain, keySecret); err != nil {
			return fmt.Errorf("index secret: %w", err)
		}
	}
	if len(plain) != len(id.secret) {
		return fmt.Errorf("index secret: %w", errCorrupt)
	}
	copy(id.secret[:], plain)
	if k != nil {
		id.stale = !id.sealed || !bytes.HasPrefix(stored[1:], k.first[:]) || !slices.Contains(id.keys, k.first)
	}
	return nil
}

func (k *keyring) knows(id keyID) bool {
	if k == nil {
		return false
	}
	_, ok := k.aeads[id]
	return ok
}

// keepKeys notes the keys in use before the first record is sealed with them.
func (s *Spool) keepKeys(t *txn) error {
	id, err := readIdentity(func(key []byte) ([]byte, error) { return t.get(settings, key) }, s.keys, s.opt.format())
	if err != nil || !id.stale {
		return err
	}
	secret, _, err := sealSecret(id.secret, s.keys)
	if err != nil {
		return err
	}
	if err := t.put(settings, keySecret, secret); err != nil {
		return err
	}
	if !slices.Contains(id.keys, s.keys.first) {
		id.keys = append(id.keys, s.keys.first)
	}
	return t.putKeys(id.keys)
}

func (t *txn) putKeys(keys []keyID) error {
	var ids []byte
	for _, k := range keys {
		ids = append(ids, k[:]...)
	}
	return t.put(settings, keyKeys, ids)
}
