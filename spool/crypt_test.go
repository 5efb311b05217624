package spool

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEncryption(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openAt(t, path, Options{})
	plain := put(t, s, msg("a", "PLAINTEXT-MARKER one"))
	s.Close()

	s = openAt(t, path, Options{Keys: [][]byte{key(1)}}) // switched on
	sealed := put(t, s, msg("a", "SEALED-MARKER two"))
	if d := put(t, s, msg("a", "PLAINTEXT-MARKER one")); d != plain {
		t.Error("a re-send is not recognised after encryption was switched on")
	}
	s.Close()
	b, _ := os.ReadFile(path)
	if bytes.Contains(b, []byte("SEALED-MARKER")) {
		t.Error("a sealed payload is in the file in the clear")
	}

	before, _ := os.ReadFile(path)
	for name, keys := range map[string][][]byte{"no key": nil, "wrong key": {key(9)}} {
		if _, err := Open(path, Options{Keys: keys}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(path, Options{Keys: [][]byte{[]byte("short")}}); err == nil {
		t.Error("a short key was taken")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refused key changed the file")
	}

	s = openAt(t, path, Options{Keys: [][]byte{key(2), key(1)}}) // rotation
	if r, err := s.Get(sealed); err != nil || string(r.Payload) != "SEALED-MARKER two" {
		t.Errorf("%v", err)
	}
	if n, err := s.Rekey(context.Background()); err != nil || n != 2 {
		t.Errorf("%d %v", n, err)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	b, _ = os.ReadFile(path)
	if bytes.Contains(b, []byte("PLAINTEXT-MARKER")) {
		t.Error("rekeyed and compacted, but still in the clear")
	}
	s = openAt(t, path, Options{Keys: [][]byte{key(2)}})
	for _, q := range []Seq{plain, sealed} {
		if r, err := s.Get(q); err != nil || !strings.Contains(string(r.Payload), "MARKER") {
			t.Errorf("%d: %v", q, err)
		}
	}
	if d := put(t, s, msg("a", "SEALED-MARKER two")); d != sealed {
		t.Error("a re-send is not recognised after the rotation")
	}
}

func TestSealedRecordOpensOnlyInItsPlace(t *testing.T) {
	k, err := newKeyring([][]byte{key(1)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := finishRecord(encodeBody(&Record{Payload: []byte("p")}, tag{}), 5, 1, 0, k)
	if err != nil {
		t.Fatal(err)
	}
	body := v[recordHead:]
	if _, err := k.open(body, recordAD(5, 1)); err != nil {
		t.Error(err)
	}
	for _, ad := range [][]byte{recordAD(6, 1), recordAD(5, 2), nil} {
		if _, err := k.open(body, ad); err == nil {
			t.Error("a sealed record opens elsewhere")
		}
	}
}
