package spool

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// pageSize is that of new files. Larger pages waste less on records of about
// 2 KiB and cost more per lone commit: see the figures in the package's doc.
const pageSize = 4096

// Keys of the settings bucket.
var (
	keyFormat  = []byte("format")
	keySpoolID = []byte("id")
	keySecret  = []byte("secret") // of the digest index; sealed in an encrypted spool
	keyKeys    = []byte("keys")   // ids of the encryption keys in use
	keyDamage  = []byte("damage")
	keyAudited = []byte("audited") // number and hash of the last entry that was removed from the audit log
	keyIndexed = []byte("indexed") // number up to which the digest index has every record
)

// seed is what a new database starts out with.
type seed struct {
	id       [16]byte
	secret   [32]byte
	firstSeq uint64
	damage   []Damage
}

func newSeed(generation uint64) seed {
	s := seed{firstSeq: generation << 40} // past all that the lost file had given out
	rand.Read(s.id[:])
	rand.Read(s.secret[:])
	return s
}

// boltOptions are those of every database opened for writing here.
//
// NoFreelistSync keeps commits small after a long backlog; Close writes the
// free list once, so that only a crash costs a scan. The mapping is made large
// at once where that costs nothing but addresses: otherwise growing it waits
// for every reader, a running backup included.
func (o *Options) boltOptions() *bolt.Options {
	b := &bolt.Options{
		Timeout:         lockTimeout,
		NoFreelistSync:  true,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: initialMap,
		PageSize:        pageSize,
		NoSync:          o.hooks.noSync,
		OpenFile:        o.hooks.openFile,
		NoStatistics:    false, // the free page count decides on compaction
	}
	if o.hooks.initialMap != 0 {
		b.InitialMmapSize = o.hooks.initialMap
	}
	return b
}

// lockTimeout is how long bbolt may wait for its lock. Ours is held already,
// so only a foreign program can have it.
const lockTimeout = 2 * time.Second

// createFile makes the database aside, with all buckets and settings, and
// gives it its name when it is complete and on stable storage.
func (o *Options) createFile(path string, s seed, keys *keyring) error {
	aside := path + newSuffix
	if err := removeIfThere(aside); err != nil {
		return fmt.Errorf("create spool: %w", err)
	}
	o.step("create: begin")
	err := o.initialise(aside, s, keys)
	if err == nil {
		o.step("create: initialised")
		err = installFile(aside, path)
	}
	if err != nil {
		_ = removeIfThere(aside)
		return fmt.Errorf("create spool: %w", err)
	}
	o.step("create: installed")
	return nil
}

func (o *Options) initialise(path string, s seed, keys *keyring) error {
	bo := o.boltOptions()
	bo.InitialMmapSize = 0
	db, err := bolt.Open(path, 0o600, bo)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error { return writeSeed(tx, s, keys) })
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

func writeSeed(tx *bolt.Tx, s seed, keys *keyring) error {
	for _, name := range bucketNames {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	b := tx.Bucket([]byte(bucketNames[settings]))
	secret, ids, err := sealSecret(s.secret, keys)
	if err != nil {
		return err
	}
	values := map[string][]byte{
		string(keyFormat):  binary.BigEndian.AppendUint32(nil, formatVersion),
		string(keySpoolID): s.id[:],
		string(keySecret):  secret,
		string(keyKeys):    ids,
	}
	if len(s.damage) > 0 {
		if values[string(keyDamage)], err = json.Marshal(s.damage); err != nil {
			return err
		}
	}
	values[string(keyIndexed)] = seqKey(Seq(s.firstSeq))
	for k, v := range values {
		if err := b.Put([]byte(k), sealSmall([]byte(k), v)); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(bucketNames[records])).SetSequence(s.firstSeq)
}

// sealSecret returns the index secret as it is stored, and the ids of the keys
// in use.
func sealSecret(secret [32]byte, keys *keyring) (stored, ids []byte, err error) {
	if keys == nil {
		return append([]byte{0}, secret[:]...), nil, nil
	}
	stored, err = keys.seal([]byte{flagSealed}, secret[:], keySecret)
	return stored, keys.first[:], err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
