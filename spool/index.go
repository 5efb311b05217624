package spool

import (
	"fmt"
	"maps"
	"slices"
)

// The digest index is written late. Its keys are as good as random, so that each
// new message would have a page of it written, and with a million of them a page
// above that too. All that an entry says at first stands in the record as well,
// so the newest entries are kept in memory, and written many at a time. The
// setting keyIndexed is the number up to which every record's entry has been
// written; from the records after it Open makes the others anew.

// The commit that finds as much in memory writes it all. Open reads it, and what one
// group more may hold. A small index has few pages for so many entries, so that it
// pays to wait for more; in a large one they would hold everybody up.
const (
	maxFresh      = 2048
	maxFreshSmall = 8192
	smallIndex    = 100_000 // entries
	maxFreshBytes = 16 << 20
)

// fresh are index entries that stand in memory only, by key.
type fresh struct {
	entries map[string]digestEntry
	bytes   int // of their records
}

func newFresh() fresh { return fresh{entries: map[string]digestEntry{}} }

// freshChanges are those of one transaction.
type freshChanges struct {
	added   map[string]digestEntry
	dropped map[string]bool
	bytes   int
	written bool // all that there was before it went into the file
}

// digest looks an entry up. A nil entry: there is none.
func (t *txn) digest(key []byte) (*digestEntry, error) {
	if e, ok := t.fresh.added[string(key)]; ok {
		return &e, nil
	}
	if e, ok := t.s.fresh.entries[string(key)]; ok && !t.fresh.dropped[string(key)] {
		return &e, nil
	}
	b, err := t.get(digests, key)
	if err != nil || b == nil {
		return nil, err
	}
	e, err := decodeDigest(b)
	return &e, err
}

// addDigest enters a new record, whose value is size bytes long.
func (t *txn) addDigest(key []byte, e digestEntry, size int) {
	if t.fresh.added == nil {
		t.fresh.added = map[string]digestEntry{}
	}
	t.fresh.added[string(key)] = e
	t.fresh.bytes += size
}

// setDigest changes an entry to what its record does not say.
func (t *txn) setDigest(key []byte, e digestEntry) error {
	t.dropFresh(key)
	return t.put(digests, key, e.encode())
}

func (t *txn) delDigest(key []byte) error {
	t.dropFresh(key)
	if !t.has(digests, key) {
		return nil
	}
	return t.del(digests, key)
}

func (t *txn) dropFresh(key []byte) {
	delete(t.fresh.added, string(key))
	if t.fresh.dropped == nil {
		t.fresh.dropped = map[string]bool{}
	}
	t.fresh.dropped[string(key)] = true
}

// indexIfMany writes the entries that are kept in memory once there are enough.
func (t *txn) indexIfMany() error {
	f := &t.s.fresh
	many := len(f.entries) >= maxFreshSmall || len(f.entries) >= maxFresh && t.s.stored() > smallIndex
	if !many && f.bytes < maxFreshBytes {
		return nil
	}
	return t.index()
}

// index writes them, in the order of their keys. It comes first in its transaction.
func (t *txn) index() error {
	for _, k := range slices.Sorted(maps.Keys(t.s.fresh.entries)) {
		e := t.s.fresh.entries[k]
		if err := t.put(digests, []byte(k), e.encode()); err != nil {
			return err
		}
	}
	t.fresh.written = true
	return t.putIndexed()
}

// indexRest writes them if there are any.
func (t *txn) indexRest() error {
	if len(t.s.fresh.entries) == 0 {
		return nil
	}
	return t.index()
}

// putIndexed notes that the index has every record there is.
func (t *txn) putIndexed() error {
	return t.put(settings, keyIndexed, seqKey(Seq(t.b[records].Sequence())))
}

// take follows a commit.
func (f *fresh) take(c *freshChanges) {
	if c.written {
		*f = newFresh()
	}
	for k := range c.dropped {
		delete(f.entries, k)
	}
	maps.Copy(f.entries, c.added)
	f.bytes += c.bytes
}

// loadFresh makes the entries anew that the index in the file lacks. An entry
// that it has of a record, or of a later one with the same bytes, knows more. A
// record that cannot be read has none: the same bytes will be a new message.
func (s *Spool) loadFresh(v *view) (fresh, error) {
	f := newFresh()
	b, err := v.get(settings, keyIndexed)
	if err != nil || b == nil {
		return f, err // before format 2 every entry was written at once
	}
	if len(b) != 8 {
		return f, fmt.Errorf("indexed: %w", errCorrupt)
	}
	c := v.b[records].Cursor()
	for k, value := c.Seek(seqKey(Seq(be64(b)) + 1)); k != nil; k, value = c.Next() {
		if len(k) != 8 {
			continue
		}
		q := Seq(be64(k))
		raw, err := openRecord(q, value)
		if err != nil {
			continue
		}
		r, _, err := decodeRecord(q, value, s.keys, false)
		if err != nil {
			continue
		}
		key := tagKey(raw.lane, raw.tag)
		if known, err := v.get(digests, key); err == nil && known != nil {
			if e, err := decodeDigest(known); err == nil && e.seq >= q {
				continue
			}
		}
		f.entries[string(key)] = digestEntry{seq: q, occurrence: r.Occurrence, last: r.Received.UnixNano()}
		f.bytes += len(value)
	}
	return f, nil
}
