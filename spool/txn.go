package spool

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// fillAppended is how full pages get in buckets that only grow at the end.
const fillAppended = 0.95

// view reads the buckets of one bbolt transaction.
type view struct {
	tx *bolt.Tx
	b  [bucketCount]*bolt.Bucket
}

func newView(tx *bolt.Tx) (view, error) {
	v := view{tx: tx}
	for i, name := range bucketNames {
		if v.b[i] = tx.Bucket([]byte(name)); v.b[i] == nil {
			return v, fmt.Errorf("bucket %s is missing: %w", name, errCorrupt)
		}
	}
	return v, nil
}

// get returns a small value with its checksum verified; nil: there is none.
func (v *view) get(b bucket, key []byte) ([]byte, error) {
	sealed := v.b[b].Get(key)
	if sealed == nil {
		return nil, nil
	}
	value, err := openSmall(key, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s entry: %w", bucketNames[b], err)
	}
	return value, nil
}

func (v *view) has(b bucket, key []byte) bool { return v.b[b].Get(key) != nil }

// txn is one transaction of the writer. Whatever it learns about lanes stays
// its own until it has been committed.
type txn struct {
	view
	s      *Spool
	heads  map[uint32]*laneHead
	byName map[string]*laneHead
	writes int

	arrived   int // by how many there are more arrivals
	fresh     freshChanges
	damage    []Damage
	damageSet bool
}

func (t *txn) put(b bucket, key, value []byte) error {
	return t.putRaw(b, key, sealSmall(key, value))
}

func (t *txn) putRaw(b bucket, key, value []byte) error {
	t.writes++
	t.s.changes.note(b, key)
	if err := t.b[b].Put(key, value); err != nil {
		return fmt.Errorf("write %s: %w", bucketNames[b], err)
	}
	return nil
}

func (t *txn) del(b bucket, key []byte) error {
	t.writes++
	t.s.changes.note(b, key)
	if err := t.b[b].Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", bucketNames[b], err)
	}
	return nil
}

func (t *txn) nextSeq() (Seq, error) {
	n, err := t.b[records].NextSequence()
	return Seq(n), err
}

// lane returns the head of the lane with that name, as this transaction has
// it so far; with create it makes one.
func (t *txn) lane(name string, create bool) (*laneHead, error) {
	if h, ok := t.byName[name]; ok {
		return h, nil
	}
	h, ok := t.s.committedHead(name)
	if !ok {
		if !create {
			return nil, nil
		}
		id, err := t.b[lanes].NextSequence()
		if err != nil {
			return nil, err
		}
		h = laneHead{id: uint32(id), name: name}
	}
	t.byName[name], t.heads[h.id] = &h, &h
	return &h, nil
}

func (t *txn) laneByID(id uint32) (*laneHead, error) {
	if h, ok := t.heads[id]; ok {
		return h, nil
	}
	name, ok := t.s.laneName(id)
	if !ok {
		return nil, fmt.Errorf("lane %d: %w", id, errCorrupt)
	}
	return t.lane(name, false)
}

// tidy writes what is written late, when there is enough of it. It comes first in a
// transaction, where there is time for it: the group is still gathering.
func (t *txn) tidy() error {
	if err := t.indexIfMany(); err != nil {
		return err
	}
	return t.settleIfMany()
}

// finish writes what the group changed besides the records. The settings
// bucket's sequence numbers the commits: after one that failed it tells
// whether this one is in the file.
func (t *txn) finish(number uint64) error {
	for id, h := range t.heads {
		if err := t.put(lanes, laneKey(id), h.encode()); err != nil {
			return err
		}
	}
	return t.b[settings].SetSequence(number)
}

func beginTxn(s *Spool, db *bolt.DB) (*txn, error) {
	tx, err := db.Begin(true)
	if err != nil {
		return nil, err
	}
	v, err := newView(tx)
	if err != nil {
		tx.Rollback()
		return nil, err
	}
	for b := range bucketCount {
		if b.appended() {
			v.b[b].FillPercent = fillAppended
		}
	}
	return &txn{view: v, s: s, heads: map[uint32]*laneHead{}, byName: map[string]*laneHead{}}, nil
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
