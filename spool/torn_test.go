package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sector is what a disk writes in full or not at all.
const sector = 512

// tear is one commit on its way to the disk: the file before it, and as it was to
// become.
type tear struct {
	before, after []byte
	marker        []byte
	changed       []int // sectors
	half          bool  // its pages are flushed first
}

func newTear(before, after, marker []byte) tear {
	old := make([]byte, len(after)) // bbolt flushes the new size first
	copy(old, before)
	newest := readMetas(bytes.NewReader(after), int64(len(after)))[0]
	k := tear{before: old, after: after, marker: marker, half: !newest.hasSum()}
	for i := 0; i < len(after); i += sector {
		if !bytes.Equal(old[i:i+sector], after[i:i+sector]) {
			k.changed = append(k.changed, i)
		}
	}
	return k
}

// with is the file when only some of the changed sectors came to the disk.
func (k *tear) with(sectors []int) []byte {
	b := bytes.Clone(k.before)
	for _, i := range sectors {
		copy(b[i:i+sector], k.after[i:])
	}
	return b
}

// held is all that a spool says of what it holds.
func held(t *testing.T, s *Spool) string {
	t.Helper()
	var b strings.Builder
	l, err := s.List(Query{Limit: 10000})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range l {
		r, err := s.Get(in.Seq)
		fmt.Fprintln(&b, in.Seq, in.Lane, in.State, in.Retries, in.Duplicates, in.Key, len(r.Payload), err)
	}
	st := s.Stats()
	fmt.Fprintln(&b, st.Waiting, st.Parked, st.Delivered, st.Discarded, st.Damage)
	return b.String()
}

// Whatever part of a commit a power cut lets through: after it the file holds what
// it did before the commit, in full and without a word about damage, or all of it.
func TestCrashTearsCommits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	steps := 4
	if os.Getenv("LABCOURIER_CRASH") != "" {
		steps = 20
	}
	for name, h := range map[string]hooks{"small": {}, "large": {proveAbove: 1}, "too many pages to list": {sumRoom: sumSize + 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tornCommits(t, h, rand.New(rand.NewPCG(seed, 0)), steps)
		})
	}
}

func tornCommits(t *testing.T, h hooks, rng *rand.Rand, steps int) {
	h.noSync, h.crash, h.noScrub, h.noAutoCompact = true, true, true, true
	var mu sync.Mutex // the writer confirms commits, and has chores, in its own time
	var tears []tear
	var last []byte
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	o := Options{Retain: time.Hour, ResendWindow: time.Hour, hooks: h, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}}
	path := filepath.Join(scratch(t), "spool.db")
	writing := o
	writing.hooks.settleAt = 7
	writing.hooks.beforeFlush = func() {
		file := fileBytes(t, path)
		marker, err := os.ReadFile(path + markerSuffix)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if last != nil {
			tears = append(tears, newTear(last, file, marker))
		}
		last = file
	}
	s := openAt(t, path, writing)
	total, undone, halves := 0, 0, 0
	for step := range steps {
		mu.Lock()
		now = now.Add(time.Duration(rng.IntN(20)) * time.Minute)
		mu.Unlock()
		doSomething(t, s, rng, step)
		mu.Lock()
		made := tears
		tears = nil
		mu.Unlock()
		for _, k := range made {
			n, u := k.check(t, o, rng)
			total, undone = total+n, undone+u
			if k.half {
				halves++
			}
		}
		if t.Failed() {
			t.Fatalf("in step %d", step)
		}
	}
	t.Logf("%d files, %d of them with a torn commit, %d commits were flushed by halves", total, undone, halves)
	if undone < total/3 || undone == 0 || (halves > 0) != (h.sumRoom > 0) {
		t.Error("too few commits were torn: the test shows nothing")
	}
}

// doSomething makes a commit or two.
func doSomething(t *testing.T, s *Spool, rng *rand.Rand, step int) {
	t.Helper()
	lane := fmt.Sprint("lane", rng.IntN(3))
	text := func(n int) string { return fmt.Sprint(step, ":") + dense([32]byte{byte(step)}, n) }
	parked, err := s.List(Query{State: Parked, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, waits, err := s.first(lane)
	if err != nil {
		t.Fatal(err)
	}
	switch what := rng.IntN(10); {
	case step < 2: // so that there is a commit to tear, and one that writes more than a page or two
		put(t, s, msg(lane, text(10_000)))
	case what == 0:
		put(t, s, msg(lane, text(200_000)))
	case what == 1:
		var all []Record
		for i := range 40 {
			all = append(all, msg(fmt.Sprint("lane", i%3), text(i*50)))
		}
		_, err = s.PutAll(t.Context(), all)
	case what == 2 && waits:
		err = s.Done(lane, r.Seq, Receipt{})
	case what == 3 && waits:
		err = s.Park(lane, r.Seq, Reason{Code: "x"})
	case what == 4 && waits:
		err = s.Discard(lane, r.Seq, Reason{Code: "x"})
	case what == 5 && len(parked) > 0:
		err = s.Retry(parked[0].Lane, parked[0].Seq)
	case what == 6:
		err = s.submit(t.Context(), 0, (*txn).indexRest)
	case what == 7:
		err = s.command(t.Context(), func() error { s.prune(); return nil })
	default:
		put(t, s, msg(lane, text(rng.IntN(3000))))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// check tears a commit in many ways.
func (k *tear) check(t *testing.T, o Options, rng *rand.Rand) (total, undone int) {
	t.Helper()
	before, _, _ := k.opens(t, o, k.before, false)
	after, _, newest := k.opens(t, o, k.after, false)
	ways := [][]int{k.changed}
	for i := range k.changed { // but for one, or up to it, or from it on
		if len(k.changed) < 100 || rng.IntN(len(k.changed)) < 50 {
			ways = append(ways, slices.Concat(k.changed[:i], k.changed[i+1:]), k.changed[:i], k.changed[i:])
		}
	}
	k.checkList(t)
	k.checkHead(t, o, before)
	for range 20 {
		ways = append(ways, slices.DeleteFunc(slices.Clone(k.changed), func(int) bool { return rng.IntN(3) == 0 }))
	}
	for _, sectors := range ways {
		got, torn, number := k.opens(t, o, k.with(sectors), rng.IntN(2) == 0)
		want, whole := before, len(sectors) == len(k.changed) && !k.half
		if whole {
			want = after
		}
		switch {
		case got != want, torn && whole:
			t.Fatalf("with %d of %d sectors it holds\n%s\nand not\n%s", len(sectors), len(k.changed), got, want)
		case torn && number < newest:
			t.Fatalf("number %d, when %d may have been read already", number, newest)
		}
		total++
		if torn {
			undone++
		}
	}
	return total, undone
}

// checkList: what the commit says it wrote is what changed in the file, but for a page
// or two that can by chance be what stood there before, as the free list.
func (k *tear) checkList(t *testing.T) {
	t.Helper()
	m := readMetas(bytes.NewReader(k.after), int64(len(k.after)))[0]
	if !m.marked(markSum) {
		return
	}
	same := 0
	for id, err := range pageList(k.after[m.sumAt()+sumSize:]) {
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(k.changed, func(i int) bool { return uint64(i/pageSize) == id }) {
			same++
		}
	}
	if same > 2 {
		t.Errorf("%d pages that did not change are said to have been written", same)
	}
}

// checkHead tears the one sector that the meta page's own fields share with the sum.
func (k *tear) checkHead(t *testing.T, o Options, before string) {
	t.Helper()
	m := readMetas(bytes.NewReader(k.after), int64(len(k.after)))[0]
	file := bytes.Clone(k.before)
	copy(file[m.at:m.sumAt()], k.after[m.at:])
	if got, torn, _ := k.opens(t, o, file, false); got != before || !torn {
		t.Errorf("with the head of the meta page alone it holds\n%s\nand not\n%s", got, before)
	}
}

// opens tells what a spool holds that is opened with this file, whether its last
// commit was undone, and which number the next message gets. With twice, a process
// had undone it already, and died before it did anything else.
func (k *tear) opens(t *testing.T, o Options, file []byte, twice bool) (holds string, torn bool, number Seq) {
	t.Helper()
	path := plant(t, file, k.marker)
	defer os.RemoveAll(filepath.Dir(path))
	if twice {
		if err := (&Spool{path: path, opt: o}).undoTorn(nil, int64(len(file))); err != nil {
			t.Fatal(err)
		}
	}
	s := openAt(t, path, o)
	holds = held(t, s)
	number = put(t, s, msg("new", "after the cut"))
	log, err := s.AuditLog(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	torn = slices.ContainsFunc(log, func(e AuditEntry) bool { return e.What == auditUndo })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if v, err := Verify(path); err != nil {
		t.Errorf("%+v %v", v, err)
	}
	return holds, torn, number
}

// A commit is flushed once, and once more when it is the first in its file, or wrote
// more pages than can be listed.
func TestFlushes(t *testing.T) { synctest.Test(t, countFlushes) }

func countFlushes(t *testing.T) {
	flushes := 0
	h := hooks{crash: true, beforeFlush: func() { flushes++ }}
	path := filepath.Join(scratch(t), "spool.db")
	for round := range 2 {
		s := openAt(t, path, Options{hooks: h})
		for i := range 3 {
			flushes = 0
			put(t, s, msg("a", fmt.Sprint(round, i)))
			if own := round == 0 && i == 0; flushes != 1 || s.db.NoSync == own {
				t.Errorf("round %d, put %d: %d flushes, and bbolt's own: %v", round, i, flushes, !s.db.NoSync)
			}
		}
		s.Close()
	}
	h.sumRoom = sumSize
	s := openAt(t, path, Options{hooks: h})
	flushes = 0
	if put(t, s, msg("a", "more")); flushes != 2 || !s.db.NoSync {
		t.Errorf("%d flushes of a commit that wrote too many pages", flushes)
	}
}

// After a commit that failed Close makes no other, which would write over what the
// last good one uses, and does not call the file clean.
func TestCloseAfterFailure(t *testing.T) { synctest.Test(t, closeAfterFailure) }

func closeAfterFailure(t *testing.T) {
	flushes, fault := 0, error(nil)
	path := filepath.Join(scratch(t), "spool.db")
	s := openAt(t, path, Options{hooks: hooks{
		beforeFlush: func() { flushes++ },
		afterCommit: func() error { return fault },
	}})
	put(t, s, msg("a", "one"))
	flushes, fault = 0, errors.New("not now")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err := readMarker(path); err != nil || m.Clean != 0 || flushes != 1 {
		t.Errorf("%+v %v, %d flushes", m, err, flushes)
	}
}

// Whoever has no key, or is too old, changes nothing of a file, not even a torn commit.
func TestTornCommitOfOthers(t *testing.T) {
	path := filepath.Join(scratch(t), "spool.db")
	o := Options{Keys: [][]byte{key(1)}, hooks: hooks{crash: true, migrations: []migration{rewriteLanes}}}
	s := openAt(t, path, o)
	put(t, s, msg("a", "the one before"))
	q := put(t, s, msg("a", "what is torn"))
	s.Close()
	file := fileBytes(t, path)
	m := readMetas(bytes.NewReader(file), int64(len(file)))[0]
	file[m.sumAt()+sumSize/2] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[error]Options{
		ErrKey:   {Keys: [][]byte{key(2)}, hooks: o.hooks},
		ErrNewer: {Keys: o.Keys},
	} {
		if _, err := Open(path, noReserve(o)); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if after := fileBytes(t, path); !bytes.Equal(after, file) {
			t.Errorf("with %v the file was changed", want)
		}
	}
	s = openAt(t, path, o)
	if _, err := s.Get(q); !errors.Is(err, ErrNotFound) || len(s.Stats().Damage) != 0 {
		t.Errorf("%v, %+v", err, s.Stats().Damage)
	}
}

// What the disk loses of a commit later must not make it look torn: after a second
// in which nothing came another commit stands after it.
func TestLastCommitIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, wait := range []time.Duration{confirmAfter / 2, 2 * confirmAfter} {
			path := filepath.Join(scratch(t), "spool.db")
			s := openAt(t, path, Options{hooks: hooks{crash: true, noScrub: true}})
			put(t, s, msg("a", "the one before"))
			q := put(t, s, msg("a", "what is lost"))
			time.Sleep(wait)
			synctest.Wait()
			s.Close()
			file := fileBytes(t, path)
			file[bytes.Index(file, []byte("what is lost"))] ^= 1
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, path, Options{})
			_, err := s.Get(q)
			if d := s.Stats().Damage; (len(d) == 1) != (wait > confirmAfter) || err == nil {
				t.Errorf("after %v: %+v, %v", wait, d, err)
			}
		}
	})
}

// What is listed is what bbolt wrote, page for page, in trees of up to three levels,
// while they grow and shrink.
func TestListOfPages(t *testing.T) {
	s := openTemp(t, Options{ResendWindow: -1, Retain: time.Nanosecond, hooks: hooks{noSync: true, noAutoCompact: true, noScrub: true}})
	writer := func(do func()) {
		t.Helper()
		if err := s.command(t.Context(), func() error { do(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	writes := func() int64 { st := s.db.Stats(); return st.TxStats.GetWrite() }
	var before int64
	commits := 0
	compare := func() {
		m := readMetas(s.handle, math.MaxInt64)
		written, err := writtenBy(s.handle, m[0], m[1])
		if pages := writes() - before - 1; err != nil || int64(len(written)) != pages {
			t.Errorf("%d pages are listed, %d and the meta page were written: %v", len(written), pages, err)
		}
		before, commits = writes(), commits+1
	}
	put(t, s, msg("lane0", "the first")) // flushed by bbolt itself
	writer(func() { before, s.opt.hooks.beforeFlush = writes(), compare })
	for i := range 60 {
		var all []Record
		for k := range 50 {
			all = append(all, msg(fmt.Sprint("lane", k%3), fmt.Sprint(i, ":", k, dense([32]byte{byte(i), byte(k)}, 900))))
		}
		if _, err := s.PutAll(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		put(t, s, msg("lane0", fmt.Sprint("alone ", i)))
	}
	for lane := range 3 {
		for name := fmt.Sprint("lane", lane); !empty(s, name); {
			if err := s.Done(name, next(t, s, name).Seq, Receipt{}); err != nil {
				t.Fatal(err)
			}
			if rand.IntN(20) == 0 {
				writer(s.prune)
			}
		}
	}
	writer(s.prune)
	writer(func() {
		if commits < 3000 {
			t.Errorf("%d commits", commits)
		}
	})
}

// The sum is of every byte of every page, a page of more than a megabyte too.
func TestSum(t *testing.T) {
	path := filepath.Join(scratch(t), "spool.db")
	s := openAt(t, path, Options{hooks: hooks{crash: true}})
	put(t, s, msg("a", "the one before"))
	put(t, s, msg("a", dense([32]byte{}, 5*wholePage/2)))
	s.Close()
	file := fileBytes(t, path)
	r := bytes.NewReader(file)
	m := readMetas(r, r.Size())[0]
	if !sumFits(r, r.Size(), &m) {
		t.Fatal("the sum does not fit")
	}
	for id := range pageList(file[m.sumAt()+sumSize:]) {
		pg, err := (&pager{r: r, size: r.Size(), pageSize: pageSize}).page(id, m.high)
		if err != nil {
			t.Fatal(err)
		}
		for at := pg.off; at < pg.off+pg.size; at += max(pg.size/64, 1) {
			file[at] ^= 0x80
			if sumFits(r, r.Size(), &m) {
				t.Errorf("byte %d of page %d is not in the sum", at-pg.off, id)
			}
			file[at] ^= 0x80
		}
	}
	for at := m.sumAt(); at < m.sumAt()+sumSize+2; at++ {
		file[at] ^= 1
		if m := readMetas(r, r.Size())[0]; m.marked(markSum) && sumFits(r, r.Size(), &m) {
			t.Errorf("byte %d of the sum may be wrong", at-m.sumAt())
		}
		file[at] ^= 1
	}
}
