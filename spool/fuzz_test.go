package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

// FuzzPages changes a real file at places that the input names, and lets the
// walker and the salvage read it.
func FuzzPages(f *testing.F) {
	file, inv := filled(f, Options{}, true)
	f.Add([]byte{})
	f.Add([]byte{0, 0, 16, 255})
	f.Add([]byte{0, 64, 12, 255, 1, 0, 9, 1})
	f.Fuzz(func(t *testing.T, edits []byte) {
		bad := bytes.Clone(file)
		for ; len(edits) >= 4; edits = edits[4:] {
			at := (int(edits[0])<<16 | int(edits[1])<<8 | int(edits[2])) % len(bad)
			bad[at] = edits[3]
		}
		if len(edits) == 2 {
			bad = bad[:len(bad)*int(edits[0])/256]
		}
		path := filepath.Join(t.TempDir(), "spool.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = Verify(path)
		s := &Spool{path: path, opt: Options{}.withDefaults()}
		w, err := s.collect(path)
		if err != nil {
			return
		}
		defer w.f.Close()
		for _, r := range w.records {
			v, err := w.read(r)
			if err != nil {
				continue
			}
			if rec, _, err := decodeRecord(r.seq, v, nil, true); err != nil || inv.payload[r.seq] != string(rec.Payload) {
				t.Fatalf("record %d passes with other bytes", r.seq)
			}
		}
	})
}

// FuzzRecord decodes arbitrary bytes and reads back what was encoded.
func FuzzRecord(f *testing.F) {
	f.Add(uint64(1), []byte("H|\\^&"), "astm", "")
	f.Add(uint64(1<<63), []byte{}, "", "line went dead")
	f.Add(uint64(2), bytes.Repeat([]byte("R|1|^^^WBC|5.9\r"), 99), "astm", "")
	f.Fuzz(func(t *testing.T, q uint64, payload []byte, kind, fault string) {
		if len(payload) > recordHead {
			if r, size, err := decodeRecord(Seq(q), payload, nil, true); err == nil && len(r.Payload) != size {
				t.Fatal("other lengths")
			}
		}
		in := Record{Payload: payload, Kind: clip(kind), Fault: clip(fault), Stage: Broken, Digest: sha256.Sum256(payload)}
		v, err := finishRecord(encodeBody(&in, tag{1}), Seq(q), 7, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		if most := recordHead + bodyHead + 4 + len(in.Kind) + len(in.Fault) + len(payload); len(v) > most {
			t.Fatalf("%d bytes of payload became %d", len(payload), len(v))
		}
		out, size, err := decodeRecord(Seq(q), v, nil, true)
		if err != nil || size != len(payload) || !bytes.Equal(out.Payload, payload) || out.Kind != in.Kind || out.Fault != in.Fault || out.Occurrence != 3 {
			t.Fatalf("%+v %v", out, err)
		}
		v[rand.IntN(len(v))] ^= 1 << rand.IntN(8)
		if _, err := openRecord(Seq(q), v); err == nil {
			t.Fatal("a flipped bit is not noticed")
		}
		in.Digest[q%32]++
		if v, err = finishRecord(encodeBody(&in, tag{1}), Seq(q), 7, 3, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := decodeRecord(Seq(q), v, nil, true); !errors.Is(err, errCorrupt) {
			t.Fatal("other bytes than came are handed out")
		}
	})
}

// FuzzPacked unpacks arbitrary bytes.
func FuzzPacked(f *testing.F) {
	for _, text := range []string{"", "x", strings.Repeat("R|1|^^^WBC|5.9\r", 99)} {
		f.Add(s2.Encode(nil, []byte(text)))
	}
	f.Add([]byte{255, 255, 255, 255, 15, 0}) // claims 4 GiB
	f.Fuzz(func(t *testing.T, stored []byte) {
		_, size, err := readPayload(stored, true, false)
		if err != nil || size > 1<<20 {
			return
		}
		p, n, err := readPayload(stored, true, true)
		if err == nil && (n != size || len(p) != size) {
			t.Fatalf("%d and %d bytes, said to be %d", n, len(p), size)
		}
		again, packed := new(packer).pack(p)
		if back, _, err := readPayload(again, packed, true); err != nil || !bytes.Equal(back, p) {
			t.Fatal(err)
		}
	})
}

// FuzzTorn changes a file whose last commit nobody confirmed, and lets what looks for
// a torn commit at it, and what goes through one while it is made.
func FuzzTorn(f *testing.F) {
	file, _ := filled(f, Options{}, false)
	f.Add([]byte{})
	for page := range byte(2) {
		f.Add([]byte{page, 0, 80, 0})                     // no sum
		f.Add([]byte{page, 0, 120, 255, page, 0, 121, 9}) // a longer list
		f.Add([]byte{page, 0, 122, 255})
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		bad := bytes.Clone(file)
		for ; len(edits) >= 4; edits = edits[4:] { // in the meta pages, and in others
			page := int(edits[0])
			if page < 128 {
				page %= 2
			}
			bad[(page*pageSize+int(edits[1])<<8+int(edits[2]))%len(bad)] = edits[3]
		}
		if m := readMetas(bytes.NewReader(bad), int64(len(bad))); len(m) == 2 {
			_, _ = writtenBy(bytes.NewReader(bad), m[0], m[1])
		}
		path := filepath.Join(t.TempDir(), "spool.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s := &Spool{path: path, opt: Options{}.withDefaults()}
		if err := s.undoTorn(nil, int64(len(bad))); err != nil {
			t.Fatal(err)
		}
		undone := s.undone
		s.undone = false
		if err := s.undoTorn(nil, int64(len(bad))); err != nil || s.undone != undone {
			t.Fatalf("undone: %v, and then %v: %v", undone, s.undone, err)
		}
	})
}

// FuzzImport reads arbitrary streams.
func FuzzImport(f *testing.F) {
	s, err := Open(filepath.Join(f.TempDir(), "spool.db"), Options{Reserve: -1, hooks: hooks{noSync: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	put(f, s, msg("a", "one"))
	var out bytes.Buffer
	if _, err := s.Export(context.Background(), &out, Query{}); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, stream []byte) {
		_, _ = s.Import(context.Background(), bytes.NewReader(stream))
	})
}
