package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what a spool should hold, kept in plain maps.
type model struct {
	t     *rapid.T
	path  string
	o     Options
	now   time.Time
	s     *Spool
	fault func() error

	recs  map[Seq]*modelRecord
	seen  map[string]*modelDigest // lane, stage and payload -> newest occurrence
	used  map[Key]Seq
	order []Seq
}

type modelRecord struct {
	lane, payload string
	stage         Stage
	state         State
	changed       time.Time
	duplicates    uint64
}

type modelDigest struct {
	seq  Seq
	last time.Time
	open bool
}

var modelLanes = []string{"a", "b", "c"}

func TestModel(t *testing.T) {
	dir := scratch(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &model{
			t: rt, path: filepath.Join(dir, fmt.Sprint("spool", n, ".db")), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			recs: map[Seq]*modelRecord{}, seen: map[string]*modelDigest{}, used: map[Key]Seq{},
		}
		m.o = Options{
			Reserve: -1, ResendWindow: time.Hour, Retain: 10 * time.Hour, Now: func() time.Time { return m.now },
			hooks: hooks{noSync: true, noAutoCompact: true, settleAt: 3, commitFault: func() error {
				if m.fault != nil {
					return m.fault()
				}
				return nil
			}},
		}
		m.open()
		defer func() {
			m.s.Close()
			os.Remove(m.path)
			os.Remove(m.path + markerSuffix)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "put again": m.put, "done": m.done, "park": m.park, "retry": m.retry, "discard": m.discard,
			"prune": m.prune, "time": m.time, "reopen": m.reopen, "crash": m.crash, "failed commit": m.failedCommit,
			"compact": m.compact, "wrong": m.wrong, "": m.check,
		})
	})
}

func (m *model) open() {
	s, err := Open(m.path, m.o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.s = s
}

func (m *model) lane(t *rapid.T) string { return rapid.SampledFrom(modelLanes).Draw(t, "lane") }

func (m *model) put(t *rapid.T) {
	text, times := rapid.StringMatching(`[xyz]{0,2}`).Draw(t, "payload"), rapid.SampledFrom([]int{1, 40}).Draw(t, "times")
	r := &modelRecord{lane: m.lane(t), payload: strings.Repeat(text, times)}
	if rapid.IntRange(0, 4).Draw(t, "broken") == 0 {
		r.stage = Broken
	}
	q, err := m.s.Put(context.Background(), Record{Lane: r.lane, Payload: []byte(r.payload), Stage: r.stage, Received: m.now})
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprint(r.lane, "/", r.stage, "/", r.payload)
	if d := m.seen[key]; d != nil && d.open && m.now.Sub(d.last) < m.o.ResendWindow {
		if q != d.seq {
			t.Fatalf("re-send got %d, want %d", q, d.seq)
		}
		d.last = m.now
		m.recs[q].duplicates++
		return
	}
	if m.recs[q] != nil || len(m.order) > 0 && q <= m.order[len(m.order)-1] {
		t.Fatalf("number %d is not new", q)
	}
	m.seen[key] = &modelDigest{seq: q, last: m.now, open: true}
	m.order = append(m.order, q)
	m.recs[q] = r
	r.state, r.changed = Waiting, m.now
	if r.stage == Broken {
		r.state = Parked
	}
	got, err := m.s.Get(q)
	if err != nil {
		t.Fatal(err)
	}
	if before, ok := m.used[got.Key]; ok {
		t.Fatalf("records %d and %d have one key", before, q)
	}
	m.used[got.Key] = q
}

// pick draws a record in one of the states.
func (m *model) pick(t *rapid.T, states ...State) (Seq, *modelRecord) {
	var qs []Seq
	for q, r := range m.recs {
		if slices.Contains(states, r.state) {
			qs = append(qs, q)
		}
	}
	if len(qs) == 0 {
		t.Skip("none")
	}
	slices.Sort(qs)
	q := rapid.SampledFrom(qs).Draw(t, "seq")
	return q, m.recs[q]
}

func (m *model) moved(t *rapid.T, r *modelRecord, to State, err error) {
	if err != nil {
		t.Fatal(err)
	}
	r.state, r.changed = to, m.now
}

func (m *model) done(t *rapid.T) {
	q, r := m.pick(t, Waiting)
	m.moved(t, r, Delivered, m.s.Done(r.lane, q, Receipt{}))
}

func (m *model) park(t *rapid.T) {
	q, r := m.pick(t, Waiting)
	m.moved(t, r, Parked, m.s.Park(r.lane, q, Reason{Code: "x"}))
}

func (m *model) retry(t *rapid.T) {
	q, r := m.pick(t, Parked, Delivered, Discarded)
	m.moved(t, r, Waiting, m.s.Retry(r.lane, q))
}

func (m *model) discard(t *rapid.T) {
	q, r := m.pick(t, Waiting, Parked)
	m.moved(t, r, Discarded, m.s.Discard(r.lane, q, Reason{Code: "x"}))
	for _, d := range m.seen {
		if d.seq == q {
			d.open = false
		}
	}
}

func (m *model) wrong(t *rapid.T) {
	q, r := m.pick(t, Waiting, Parked, Delivered, Discarded)
	if r.state != Waiting {
		if err := m.s.Done(r.lane, q, Receipt{}); !errors.Is(err, ErrWrongState) {
			t.Fatal(err)
		}
	}
	if err := m.s.Park("c"+r.lane, q, Reason{}); !errors.Is(err, ErrWrongLane) {
		t.Fatal(err)
	}
}

func (m *model) time(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "minutes")) * time.Minute)
}

func (m *model) prune(t *rapid.T) {
	if err := m.s.command(context.Background(), func() error { m.s.prune(); return nil }); err != nil {
		t.Fatal(err)
	}
	for q, r := range m.recs {
		if _, err := m.s.Get(q); err == nil {
			continue
		}
		if r.state != Delivered && r.state != Discarded || m.now.Sub(r.changed) < m.o.Retain {
			t.Fatalf("record %d went in state %v, %v after it came into it", q, r.state, m.now.Sub(r.changed))
		}
		delete(m.recs, q)
		for _, d := range m.seen {
			if d.seq == q {
				d.open = false
			}
		}
	}
}

func (m *model) reopen(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.open()
}

// crash is a process that died: the file stays as the last commit left it.
func (m *model) crash(t *rapid.T) {
	file, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	m.s.Close()
	if err := os.WriteFile(m.path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	m.open()
}

// failedCommit: a refused Put leaves nothing behind, and the next works.
func (m *model) failedCommit(t *rapid.T) {
	m.fault = func() error { m.fault = nil; return errors.New("disk on fire") }
	if _, err := m.s.Put(context.Background(), Record{Lane: "a", Payload: []byte("never stored"), Received: m.now}); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
}

func (m *model) compact(t *rapid.T) {
	if err := m.s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (m *model) check(t *rapid.T) {
	st := m.s.Stats()
	var want Stats
	heads := map[string]Seq{}
	for q, r := range m.recs {
		switch r.state {
		case Waiting:
			want.Waiting++
			if h, ok := heads[r.lane]; !ok || q < h {
				heads[r.lane] = q
			}
		case Parked:
			want.Parked++
		default:
			want.History++
		}
	}
	if st.Waiting != want.Waiting || st.Parked != want.Parked || st.History != want.History {
		t.Fatalf("counted %d/%d/%d, want %d/%d/%d", st.Waiting, st.Parked, st.History, want.Waiting, want.Parked, want.History)
	}
	for _, lane := range modelLanes {
		r, found, err := m.s.first(lane)
		q, waits := heads[lane]
		if err != nil || found != waits || found && (r.Seq != q || string(r.Payload) != m.recs[q].payload) {
			t.Fatalf("lane %s: %d %v %v, want %d %v", lane, r.Seq, found, err, q, waits)
		}
	}
	all, err := m.s.List(Query{Limit: 1 << 20})
	if err != nil || len(all) != len(m.recs) {
		t.Fatalf("%d records, want %d, %v", len(all), len(m.recs), err)
	}
	for _, in := range all {
		r := m.recs[in.Seq]
		if r == nil || in.State != r.state || in.Lane != r.lane || in.Stage != r.stage || in.Digest != sha256.Sum256([]byte(r.payload)) {
			t.Fatalf("record %d is %+v, want %+v", in.Seq, in, r)
		}
	}
	for state := Waiting; state <= Discarded; state++ {
		some, err := m.s.List(Query{State: state, Limit: 1 << 20})
		all := slices.DeleteFunc(slices.Clone(all), func(in Info) bool { return in.State != state })
		if err != nil || !slices.EqualFunc(some, all, func(a, b Info) bool { return a.Seq == b.Seq && a.State == b.State }) {
			t.Fatalf("%v are %d records, want %d, %v", state, len(some), len(all), err)
		}
	}
}
