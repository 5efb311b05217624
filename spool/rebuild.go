package spool

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// rebuildBatch is how many bytes one transaction of a rebuild takes.
const rebuildBatch = 16 << 20

// rebuild writes what was found in a wreck into a new file.
type rebuild struct {
	*wreck
	db   *bolt.DB
	tx   *bolt.Tx
	b    [bucketCount]*bolt.Bucket
	size int
	now  time.Time

	newSecret bool
	heads     map[uint32]*laneHead
	unsure    map[uint32]bool // lanes whose head was lost
	have      map[Seq]bool
	last      Seq
}

func (w *wreck) writeTo(path string, s *Spool, d Damage) error {
	bo := s.opt.boltOptions()
	bo.InitialMmapSize, bo.NoSync = 0, true // installFile flushes it before anybody relies on it
	db, err := bolt.Open(path, 0o600, bo)
	if err != nil {
		return err
	}
	r := &rebuild{wreck: w, db: db, now: s.opt.Now(), heads: map[uint32]*laneHead{}, unsure: map[uint32]bool{}, have: map[Seq]bool{}}
	err = r.run(s.keys, d)
	if r.tx != nil {
		r.tx.Rollback()
	}
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

func (r *rebuild) run(keys *keyring, d Damage) error {
	sd := seed{id: r.id.id, secret: r.id.secret}
	if r.idErr != nil {
		sd, r.newSecret = newSeed(0), true
		if len(r.settings[string(keySpoolID)]) == len(sd.id) {
			copy(sd.id[:], r.settings[string(keySpoolID)])
		}
		r.id.id, r.id.secret = sd.id, sd.secret
	}
	if err := r.db.Update(func(tx *bolt.Tx) error { return writeSeed(tx, sd, keys) }); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	for id, h := range r.wreck.heads {
		fresh := h
		fresh.waiting, fresh.parked, fresh.history, fresh.historyBytes = 0, 0, 0, 0
		r.heads[id] = &fresh
	}
	for _, f := range r.records {
		if err := r.record(f); err != nil {
			return err
		}
	}
	if err := r.rest(); err != nil {
		return err
	}
	if err := r.final(d, keys); err != nil {
		return err
	}
	err := r.tx.Commit()
	r.tx = nil
	return err
}

func (r *rebuild) begin() (err error) {
	if r.tx, err = r.db.Begin(true); err != nil {
		return err
	}
	v, err := newView(r.tx)
	r.b, r.size = v.b, 0
	for b := range bucketCount {
		if b.appended() {
			r.b[b].FillPercent = fillAppended
		}
	}
	return err
}

func (r *rebuild) put(b bucket, key, value []byte) error {
	if r.size += len(key) + len(value); r.size > rebuildBatch {
		if err := r.tx.Commit(); err != nil {
			return err
		}
		if err := r.begin(); err != nil {
			return err
		}
	}
	return r.b[b].Put(key, value)
}

func (r *rebuild) putSmall(b bucket, key, value []byte) error {
	return r.put(b, key, sealSmall(key, value))
}

// head returns a lane's head; a lane whose name is lost gets one that says so.
func (r *rebuild) head(id uint32) *laneHead {
	h, ok := r.heads[id]
	if !ok {
		h = &laneHead{id: id, name: fmt.Sprintf("lost-name-%d", id)}
		r.heads[id], r.unsure[id] = h, true
	}
	return h
}

func (r *rebuild) record(f found) error {
	v, err := r.read(f)
	if err != nil {
		r.lost = append(r.lost, Range{From: f.seq, To: f.seq, Count: 1})
		return nil
	}
	h := r.head(f.lane)
	rec, _, err := decodeRecord(f.seq, v, r.keys, false)
	readable := err == nil
	if readable && r.newSecret {
		t := tagWith(r.id.secret, rec.Stage, rec.Digest)
		copy(v[12:], t[:])
		binary.BigEndian.PutUint32(v[4:], recordCRC(f.seq, v))
	}
	if err := r.put(records, seqKey(f.seq), v); err != nil {
		return err
	}
	r.have[f.seq], r.last = true, max(r.last, f.seq)
	if readable {
		e := digestEntry{seq: f.seq, occurrence: rec.Occurrence, last: rec.Received.UnixNano()}
		if err := r.putSmall(digests, tagKey(f.lane, tag(v[12:recordHead])), e.encode()); err != nil {
			return err
		}
		if r.unsure[f.lane] {
			h.floor = max(h.floor, rec.Occurrence)
		}
	}
	return r.state(h, f, uint64(len(v)))
}

// state puts a record where it was on its way. One whose entry is lost waits:
// delivering it again at worst repeats what the server knows by its key. One
// from a page out of use is left to a person, and so is one whose lane has lost
// its name: nobody would ask for it.
func (r *rebuild) state(h *laneHead, f found, size uint64) error {
	st, ok := r.states[f.seq]
	if ok && st.lane != f.lane {
		ok = false
	}
	key := laneSeqKey(f.lane, uint64(f.seq))
	switch {
	case !ok && f.stale, r.unsure[f.lane] && (!ok || st.in == waiting):
		h.parked++
		e := stateEntry{State: Parked, At: r.now.UnixNano(), Reason: &Reason{At: r.now, Code: CodeSalvaged, Text: "found in a damaged file: it may have been delivered already"}}
		return r.putSmall(parked, key, e.encode())
	case !ok:
		h.waiting++
		return r.putSmall(waiting, key, waitingEntry{since: r.now.UnixNano()}.encode())
	case st.in == waiting:
		h.waiting++
	case st.in == parked:
		h.parked++
	default:
		return r.history(h, f, size, st.value)
	}
	return r.putSmall(st.in, key, st.value)
}

func (r *rebuild) history(h *laneHead, f found, size uint64, value []byte) error {
	h.history++
	h.historyBytes += size
	e, err := decodeState(value)
	if err != nil {
		e = stateEntry{State: Delivered, At: r.now.UnixNano(), Counted: true}
	}
	if e.Expiry == 0 {
		e.Expiry = r.now.UnixNano()
	}
	e.Size = size
	switch {
	case !r.unsure[h.id]:
	case e.State == Discarded:
		h.discarded++
	default:
		h.delivered++
	}
	if e.State == Discarded {
		if err := r.putSmall(history, discardKey(f.seq), laneKey(h.id)); err != nil {
			return err
		}
	}
	if err := r.putSmall(history, laneSeqKey(h.id, uint64(f.seq)), e.encode()); err != nil {
		return err
	}
	return r.putSmall(expiry, expiryKey(time.Unix(0, e.Expiry), f.seq), expiryEntry{lane: h.id, size: size}.encode())
}

// rest writes what does not hang on a single good record.
func (r *rebuild) rest() error {
	if !r.newSecret {
		for _, d := range r.wreck.digests {
			if err := r.digest(d); err != nil {
				return err
			}
		}
	}
	for _, d := range r.drafts {
		if id, _, ok := splitLaneSeq(d.key); ok && r.heads[id] != nil {
			if err := r.put(drafts, d.key, d.value); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(r.wreck.audit, func(a, b kv) int { return cmp.Compare(string(a.key), string(b.key)) })
	for _, a := range r.wreck.audit {
		if err := r.putSmall(audit, a.key, a.value); err != nil {
			return err
		}
	}
	for id, h := range r.heads {
		if err := r.putSmall(lanes, laneKey(id), h.encode()); err != nil {
			return err
		}
	}
	return nil
}

// digest keeps an entry of the index. Where its record is lost, the next
// arrival of the same bytes takes over its identity: had it been delivered,
// the server will know it, and if not, it now is.
func (r *rebuild) digest(d kv) error {
	e, err := decodeDigest(d.value)
	if err != nil || len(d.key) != 4+len(tag{}) {
		return nil
	}
	if old := r.b[digests].Get(d.key); old != nil {
		b, err := openSmall(d.key, old)
		if err != nil {
			return err
		}
		rebuilt, err := decodeDigest(b)
		if err != nil || rebuilt.seq > e.seq {
			return err
		}
	}
	if !r.have[e.seq] {
		if e.occurrence == 0 {
			return nil
		}
		e.occurrence, e.last = e.occurrence-1, 0
	}
	return r.putSmall(digests, d.key, e.encode())
}

func (r *rebuild) final(d Damage, keys *keyring) error {
	high := r.last
	var gone []Range
	delivered := 0
	for q, st := range r.states {
		high = max(high, q)
		if r.have[q] {
			continue
		}
		if st.in == history {
			delivered++
			continue
		}
		gone = append(gone, Range{Lane: r.head(st.lane).name, From: q, To: q, Count: 1})
	}
	high = max(high, Seq(r.sequences[bucketNames[records]]))
	d.Salvaged = uint64(len(r.have))
	d.Lost = mergeRanges(gone)
	for _, l := range r.lost {
		if l.Count > 0 && slices.ContainsFunc(gone, func(g Range) bool { return g.From == l.From }) {
			continue // told already, with its lane
		}
		l.To = min(l.To, high)
		d.Lost = append(d.Lost, l)
	}
	if len(d.Lost) > maxRanges {
		d.Lost = d.Lost[:maxRanges]
	}
	if delivered > 0 {
		d.What += fmt.Sprintf("; of %d delivered messages only the state is left", delivered)
	}
	const gap = 1 << 20 // numbers of records that nothing is left of
	var lane uint32
	for id := range r.heads {
		lane = max(lane, id)
	}
	var entries uint64
	for _, a := range r.wreck.audit {
		if len(a.key) == 8 {
			entries = max(entries, be64(a.key))
		}
	}
	sequences := map[bucket]uint64{records: uint64(high) + gap, lanes: uint64(lane), audit: entries, settings: r.sequences[bucketNames[settings]] + 1}
	for b, n := range sequences {
		if err := r.b[b].SetSequence(max(n, r.sequences[bucketNames[b]])); err != nil {
			return err
		}
	}
	return r.finalSettings(d, keys)
}

func (r *rebuild) finalSettings(d Damage, keys *keyring) error {
	var before []Damage
	if b, ok := r.settings[string(keyDamage)]; ok {
		before = decodeDamage(b)
	}
	b, err := encodeDamage(append(before, d))
	if err != nil {
		return err
	}
	if err := r.putSmall(settings, keyDamage, b); err != nil {
		return err
	}
	ids := r.settings[string(keyKeys)]
	if keys != nil && r.newSecret {
		ids = nil
		for id := range keys.aeads {
			ids = append(ids, id[:]...)
		}
	}
	if err := r.putSmall(settings, keyKeys, ids); err != nil {
		return err
	}
	if last, ok := r.settings[string(keyAudited)]; ok {
		if err := r.putSmall(settings, keyAudited, last); err != nil {
			return err
		}
	}
	// Every record's entry was written with it.
	return r.putSmall(settings, keyIndexed, seqKey(Seq(r.b[records].Sequence())))
}

// mergeRanges joins neighbours of one lane.
func mergeRanges(all []Range) []Range {
	slices.SortFunc(all, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.From, b.From))
	})
	var out []Range
	for _, r := range all {
		if n := len(out); n > 0 && out[n-1].Lane == r.Lane && out[n-1].To+1 == r.From {
			out[n-1].To, out[n-1].Count = r.To, out[n-1].Count+r.Count
			continue
		}
		out = append(out, r)
	}
	return out
}
