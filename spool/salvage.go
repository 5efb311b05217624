package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// salvage reads what can be read of a damaged file into a new one, sets the
// old one aside, and puts the new one in its place.
func (s *Spool) salvage(m *marker, cause error) error {
	w, err := s.collect(s.path)
	if err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	defer w.f.Close()
	d := Damage{At: s.opt.Now().UTC(), What: cause.Error()}
	aside, err := s.asideName()
	if err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	d.SetAside = filepath.Base(aside)
	s.opt.step("salvage: collected")
	if err := w.fits(s); err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	fresh := s.path + newSuffix
	if err := removeIfThere(fresh); err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	if err := w.writeTo(fresh, s, d); err != nil {
		_ = removeIfThere(fresh)
		return fmt.Errorf("salvage: %w", err)
	}
	_ = w.f.Close() // Windows renames no open file
	s.opt.step("salvage: written")
	if err := setAside(s.path, aside); err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	s.opt.step("salvage: set aside")
	if err := installFile(fresh, s.path); err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	var generation uint64
	if m != nil {
		generation = m.Generation
	}
	return writeMarker(s.path, newMarker(w.id.id, generation))
}

// fits tells whether there is room for what was found. Otherwise the spool waits
// for it with nothing changed, rather than fill the disk to its last byte first.
func (w *wreck) fits(s *Spool) error {
	need := int64(rebuildBatch)
	for _, r := range w.records {
		need += (r.size/pageSize + 1) * pageSize
	}
	free, _, err := s.space.free(s.space.dir)
	if err != nil || free >= uint64(need) {
		return nil
	}
	return fmt.Errorf("the file is damaged, and the disk has no room for a repaired copy: free %d MiB of it, or move the file to a larger disk: %w",
		(uint64(need)-free)>>20+1, errNoSpace)
}

// asideName finds a name for the damaged file that is not taken.
func (s *Spool) asideName() (string, error) {
	stamp := s.opt.Now().UTC().Format(stampForm)
	for i := range 1000 {
		name := s.path + asideInfix + stamp
		if i > 0 {
			name += fmt.Sprintf("-%d", i)
		}
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return name, nil
		}
	}
	return "", fmt.Errorf("too many files %s%s*: move them away", s.path, asideInfix)
}

// setAside gives the damaged file a second name, so that at no moment there is
// none under the first; where a file system has no links it is renamed.
func setAside(path, aside string) error {
	if os.Link(path, aside) == nil {
		return syncDir(filepath.Dir(path))
	}
	return os.Rename(path, aside)
}

// wreck is what could be read of a damaged file.
type wreck struct {
	f    *os.File
	keys *keyring
	p    *pager

	id        identity
	idErr     error
	heads     map[uint32]laneHead
	states    map[Seq]foundState
	digests   []kv
	drafts    []kv
	audit     []kv
	sequences map[string]uint64
	records   []found

	lost      []Range // where pages of records cannot be read
	badPages  int
	badBucket map[string]bool
	settings  map[string][]byte
}

type kv struct{ key, value []byte }

// foundState is a small entry that says where a record is on its way.
type foundState struct {
	lane  uint32
	in    bucket
	value []byte
	stale bool // from a page that may be out of use
}

// found is where a good record lies in the damaged file.
type found struct {
	seq   Seq
	lane  uint32
	off   int64
	size  int64
	stale bool
}

func (s *Spool) collect(path string) (*wreck, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	w := &wreck{
		f: f, keys: s.keys, heads: map[uint32]laneHead{}, states: map[Seq]foundState{}, sequences: map[string]uint64{},
		badBucket: map[string]bool{}, settings: map[string][]byte{},
		p: &pager{r: f, size: info.Size(), pageSize: pageSize},
	}
	var walked *walker
	for _, m := range readMetas(f, info.Size()) {
		w.p.pageSize = m.pageSize
		if walked, err = newWalker(f, info.Size(), m); err == nil {
			w.walk(walked)
			break
		}
	}
	if walked == nil || len(w.badBucket) > 0 {
		w.scan(walked)
	}
	w.id, w.idErr = readIdentity(func(key []byte) ([]byte, error) {
		v, ok := w.settings[string(key)]
		if !ok {
			return nil, errCorrupt
		}
		return v, nil
	}, s.keys, s.opt.format())
	if errors.Is(w.idErr, ErrKey) || errors.Is(w.idErr, ErrNewer) {
		_ = f.Close()
		return nil, w.idErr
	}
	slices.SortStableFunc(w.records, func(a, b found) int { return cmp.Compare(a.seq, b.seq) })
	w.records = slices.CompactFunc(w.records, func(a, b found) bool { return a.seq == b.seq })
	return w, nil
}

// walk gathers all that the tree leads to, around bad pages.
func (w *wreck) walk(t *walker) {
	t.visit = func(name string, e *elem) error {
		w.take(name, e, false)
		return nil
	}
	t.bad = func(name string, lo, hi []byte, err error) error {
		w.badPages++
		w.badBucket[name] = true
		if name == bucketNames[records] {
			w.lost = append(w.lost, pageRange(lo, hi))
		}
		return nil
	}
	_ = t.walk() // neither visit nor bad return errors
	for _, name := range bucketNames {
		if _, ok := t.sequences[name]; !ok {
			w.badBucket[name] = true
		}
	}
	maps.Copy(w.sequences, t.sequences)
}

func pageRange(lo, hi []byte) Range {
	r := Range{To: ^Seq(0), Uncertain: true}
	if len(lo) == 8 {
		r.From = Seq(be64(lo))
	}
	if len(hi) == 8 {
		r.To = Seq(be64(hi)) - 1
	}
	return r
}

// scan goes through all pages that the walk did not reach. A free page may
// hold what was once true, so what is found here counts less.
func (w *wreck) scan(walked *walker) {
	high := uint64(w.p.size)/uint64(w.p.pageSize) + 1
	for id := uint64(2); id < high; id++ {
		if walked != nil && id < walked.meta.high && walked.marked(id) {
			continue
		}
		pg, err := w.p.page(id, high)
		if err != nil || pg.flags != flagLeaf {
			continue
		}
		for i := range pg.count {
			e, err := pg.elem(i)
			if err != nil {
				continue
			}
			if e.bucket {
				w.scanInline(&e)
				continue
			}
			if name, ok := w.guess(&e); ok {
				w.take(name, &e, true)
			}
		}
	}
}

// scanInline takes what a small bucket holds that lies in its parent's page.
func (w *wreck) scanInline(e *elem) {
	head, err := e.value()
	if err != nil || len(head) < bucketHeader || order.Uint64(head) != 0 {
		return
	}
	pg, err := inline(head, e.pg.id, e.pg.off+e.off)
	if err != nil {
		return
	}
	for i := range pg.count {
		if in, err := pg.elem(i); err == nil && !in.bucket {
			w.take(string(e.key), &in, true)
		}
	}
}

// take keeps an entry whose checksum is right.
func (w *wreck) take(name string, e *elem, stale bool) {
	if !slices.Contains(bucketNames[:], name) {
		var ok bool
		if name, ok = w.guess(e); !ok {
			return
		}
	}
	if stale && len(w.badBucket) > 0 && !w.badBucket[name] && !w.badBucket[""] {
		return // its bucket could be read in full: this is an old copy
	}
	v, err := e.value()
	if err != nil {
		return
	}
	if name == bucketNames[records] {
		w.takeRecord(e, v, stale)
		return
	}
	if name == bucketNames[drafts] {
		if len(v) > 8 && !stale {
			if _, err := openRecord(Seq(be64(v)), v[8:]); err == nil {
				w.drafts = append(w.drafts, kv{bytes.Clone(e.key), bytes.Clone(v)})
			}
		}
		return
	}
	small, err := openSmall(e.key, v)
	if err != nil {
		w.badPages++
		return
	}
	w.takeSmall(name, bytes.Clone(e.key), bytes.Clone(small), stale)
}

func (w *wreck) takeRecord(e *elem, v []byte, stale bool) {
	if len(e.key) != 8 {
		return
	}
	q := Seq(be64(e.key))
	raw, err := openRecord(q, v)
	if err != nil {
		w.lost = append(w.lost, Range{From: q, To: q, Count: 1})
		return
	}
	w.records = append(w.records, found{seq: q, lane: raw.lane, off: e.pg.off + e.off, size: e.size, stale: stale})
}

func (w *wreck) takeSmall(name string, key, value []byte, stale bool) {
	switch name {
	case bucketNames[settings]:
		if _, ok := w.settings[string(key)]; !ok || !stale {
			w.settings[string(key)] = value
		}
	case bucketNames[lanes]:
		if h, err := decodeLaneHead(laneOf(key), value); err == nil && len(key) == 4 && h.name != "" {
			if old, ok := w.heads[h.id]; !ok || !stale || h.lastArrival > old.lastArrival {
				w.heads[h.id] = h
			}
		}
	case bucketNames[digests]:
		w.digests = append(w.digests, kv{key, value})
	case bucketNames[audit]:
		w.audit = append(w.audit, kv{key, value})
	case bucketNames[waiting], bucketNames[parked], bucketNames[history]:
		in := bucket(slices.Index(bucketNames[:], name))
		id, n, ok := splitLaneSeq(key)
		if !ok {
			return
		}
		if in == history && id == discards {
			return // rebuild makes that index anew
		}
		if in == waiting && id == arrivals {
			a, err := decodeArrival(Seq(n), value)
			if err != nil {
				return
			}
			id, value = a.lane, waitingEntry{since: a.since}.encode()
		}
		// Of several the one that is sure counts, then the one further on its way.
		old, ok := w.states[Seq(n)]
		if !ok || old.stale && (!stale || in > old.in) {
			w.states[Seq(n)] = foundState{lane: id, in: in, value: value, stale: stale}
		}
	}
}

func laneOf(key []byte) uint32 {
	if len(key) < 4 {
		return 0
	}
	return uint32(key[0])<<24 | uint32(key[1])<<16 | uint32(key[2])<<8 | uint32(key[3])
}

// read returns the value of a good record from the damaged file.
func (w *wreck) read(r found) ([]byte, error) {
	v := make([]byte, r.size)
	if _, err := w.f.ReadAt(v, r.off); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	_, err := openRecord(r.seq, v)
	return v, err
}
