package spool

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// What is packed comes back as it was, whether it is sealed, too, and whichever
// way it is asked for; what would not be shorter is stored as it is.
func TestPackedPayloads(t *testing.T) {
	line := "R|1|^^^WBC|5.9|10*3/uL||N||F||||20261122101530\r"
	for name, c := range map[string]struct {
		payload string
		most    int // stored bytes
	}{
		"empty":                             {"", 0},
		"short":                             {line[:12], 12},
		"a message":                         {strings.Repeat(line, 40), len(line) * 40 / 8},
		"nothing to be packed":              {dense([32]byte{}, 3000), 3000},
		"longer than a buffer that is kept": {strings.Repeat(line, 3*pooledBytes/len(line)), pooledBytes / 4},
	} {
		t.Run(name, func(t *testing.T) {
			stored, packed := new(packer).pack([]byte(c.payload))
			if len(stored) > c.most || packed != (len(stored) < len(c.payload)) {
				t.Errorf("%d bytes are stored as %d, packed: %v", len(c.payload), len(stored), packed)
			}
			if _, size, err := readPayload(stored, packed, false); err != nil || size != len(c.payload) {
				t.Errorf("said to be %d bytes long: %v", size, err)
			}
			if packed {
				if _, _, err := readPayload(stored[:len(stored)-1], true, true); err == nil {
					t.Error("one that is cut short passes")
				}
			}
			for _, keys := range [][][]byte{nil, {key(1)}} {
				path := filepath.Join(scratch(t), "spool.db")
				s := openAt(t, path, Options{Keys: keys})
				q := put(t, s, msg("a", c.payload))
				if again := put(t, s, msg("a", c.payload)); again != q {
					t.Error("the same bytes are not known again")
				}
				s.Close()
				s = openAt(t, path, Options{Keys: keys})
				r, err := s.Get(q)
				if err != nil || !bytes.Equal(r.Payload, []byte(c.payload)) {
					t.Errorf("other bytes came back: %v", err)
				}
				if l, err := s.List(Query{}); err != nil || len(l) != 1 || l[0].Size != len(c.payload) || l[0].Stage != Complete {
					t.Errorf("%+v %v", l, err)
				}
			}
		})
	}
}
