package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if child := os.Getenv("LABCOURIER_SPOOL_CHILD"); child != "" {
		runChild(child)
		return
	}
	goleak.VerifyTestMain(m)
}

// noReserve lets tests run on a disk that is nearly full.
func noReserve(o Options) Options {
	if o.Reserve == 0 {
		o.Reserve = -1
	}
	return o
}

func openAt(t testing.TB, path string, o Options) *Spool {
	t.Helper()
	s, err := Open(path, noReserve(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openTemp(t testing.TB, o Options) *Spool {
	t.Helper()
	return openAt(t, filepath.Join(scratch(t), "spool.db"), o)
}

func put(t testing.TB, s *Spool, r Record) Seq {
	t.Helper()
	q, err := s.Put(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func msg(lane, text string) Record {
	return Record{Lane: lane, Kind: "astm", Payload: []byte(text)}
}

func next(t testing.TB, s *Spool, lane string) Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r, err := s.Next(ctx, lane)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// empty reports that nothing waits in lane.
func empty(s *Spool, lane string) bool {
	_, found, err := s.first(lane)
	return !found && err == nil
}

func TestPutNextDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "spool.db")
	s := openAt(t, path, Options{})
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	r := Record{Lane: "xn", Kind: "astm", Received: at, Payload: []byte("H|\\^&"), Session: 7}
	q1 := put(t, s, r)
	q2 := put(t, s, msg("xn", "second"))
	other := put(t, s, msg("bc", "other lane"))
	if !(q1 < q2 && q2 < other) {
		t.Fatalf("numbers %d %d %d do not grow", q1, q2, other)
	}
	got := next(t, s, "xn")
	if got.Seq != q1 || got.Lane != "xn" || got.Kind != "astm" || !got.Received.Equal(at) || string(got.Payload) != "H|\\^&" ||
		got.Session != 7 || got.State != Waiting || got.Occurrence != 0 || got.Key != MessageKey("xn", Complete, got.Digest, 0) {
		t.Errorf("got %+v", got)
	}
	got.Payload[0] = 'X'
	if again := next(t, s, "xn"); again.Payload[0] != 'H' {
		t.Error("Next handed out the same memory twice")
	}
	if err := s.Done("xn", q1, Receipt{Note: "n", Resources: []string{"Observation/1"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Park("xn", q2, Reason{Code: "rejected", Text: "why"}); err != nil {
		t.Fatal(err)
	}
	if !empty(s, "xn") {
		t.Error("the lane is not empty")
	}
	s.Close()
	for _, dir := range []string{path, path + lockSuffix, path + markerSuffix} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", dir, info, err)
		}
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v %v", info, err)
	}

	s = openAt(t, path, Options{})
	done, err := s.Get(q1)
	if err != nil || done.State != Delivered || done.Receipt == nil || done.Receipt.Outcome != OutcomeDelivered || done.Receipt.Resources[0] != "Observation/1" {
		t.Errorf("%+v %v", done, err)
	}
	kept, err := s.Get(q2)
	if err != nil || kept.State != Parked || kept.Reason == nil || kept.Reason.Code != "rejected" || string(kept.Payload) != "second" {
		t.Errorf("%+v %v", kept, err)
	}
	st := s.Stats()
	if st.Waiting != 1 || st.Parked != 1 || st.Delivered != 1 || st.History != 1 || !st.Accepting || len(st.Damage) != 0 || st.FileBytes == 0 || st.DiskFree == 0 {
		t.Errorf("%+v", st)
	}
	if l := s.Lanes(); len(l) != 2 || l[0] != "bc" || l[1] != "xn" {
		t.Errorf("lanes %v", l)
	}
}

func TestRetryKeepsOrder(t *testing.T) {
	s := openTemp(t, Options{})
	var q [4]Seq
	for i := range q {
		q[i] = put(t, s, msg("a", fmt.Sprint(i)))
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.Park("a", q[1], Reason{Code: "x"}))
	check(s.Done("a", q[0], Receipt{}))
	check(s.Retry("a", q[1]))
	check(s.Retry("a", q[0]))
	for i := range q {
		r := next(t, s, "a")
		if r.Seq != q[i] {
			t.Fatalf("place %d holds %d, want %d", i, r.Seq, q[i])
		}
		if i < 2 && r.Retries != 1 {
			t.Errorf("retries %d", r.Retries)
		}
		check(s.Done("a", q[i], Receipt{}))
	}
	if st := s.Stats(); st.Delivered != 4 {
		t.Errorf("delivered %d messages, want 4: a retried one counts once", st.Delivered)
	}
}

func TestRefusals(t *testing.T) {
	s := openTemp(t, Options{MaxPayload: 10})
	q := put(t, s, msg("a", "x"))
	put(t, s, msg("b", "y"))
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"unknown seq", s.Done("a", 99, Receipt{}), ErrNotFound},
		{"unknown lane", s.Park("zz", q, Reason{}), ErrWrongLane},
		{"wrong lane", s.Done("b", q, Receipt{}), ErrWrongLane},
		{"retry of waiting", s.Retry("a", q), ErrWrongState},
		{"done twice", errors.Join(s.Done("a", q, Receipt{}), s.Done("a", q, Receipt{})), ErrWrongState},
		{"discard of delivered", s.Discard("a", q, Reason{}), ErrWrongState},
		{"get", func() error { _, err := s.Get(99); return err }(), ErrNotFound},
		{"too large", func() error { _, err := s.Put(context.Background(), msg("a", "12345678901")); return err }(), ErrTooLarge},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	for _, r := range []Record{{}, {Lane: strings.Repeat("l", 256)}, {Lane: "a", Stage: 9}} {
		if _, err := s.Put(context.Background(), r); err == nil {
			t.Errorf("Put took %+v", r)
		}
	}
	s.Close()
	if _, err := s.Put(context.Background(), msg("a", "x")); !errors.Is(err, ErrClosed) {
		t.Errorf("put on a closed spool: %v", err)
	}
	if _, err := s.Next(context.Background(), "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("next on a closed spool: %v", err)
	}
}

func TestResend(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := Options{ResendWindow: time.Hour, ResendWindows: map[string]time.Duration{"never": -1}, Now: func() time.Time { return now }}
	s := openTemp(t, o)
	q := put(t, s, msg("a", "same"))
	now = now.Add(59 * time.Minute)
	if d := put(t, s, msg("a", "same")); d != q {
		t.Fatalf("re-send got %d, want %d", d, q)
	}
	now = now.Add(59 * time.Minute) // the window counts from the last arrival
	if d := put(t, s, msg("a", "same")); d != q {
		t.Fatalf("re-send got %d, want %d", d, q)
	}
	if r, _ := s.Get(q); r.Duplicates != 2 || !r.LastDuplicate.Equal(now) {
		t.Errorf("%+v", r.Status)
	}
	now = now.Add(time.Hour)
	later := put(t, s, msg("a", "same"))
	r, _ := s.Get(later)
	if later == q || r.Occurrence != 1 {
		t.Errorf("later occurrence: seq %d, occurrence %d", later, r.Occurrence)
	}
	if b := put(t, s, msg("b", "same")); b == later {
		t.Error("another lane's bytes are no re-send")
	}
	if a, b := put(t, s, msg("never", "x")), put(t, s, msg("never", "x")); a == b {
		t.Error("a lane without a window has no re-sends")
	}
	if st := s.Stats(); st.Duplicates != 2 {
		t.Errorf("duplicates %d", st.Duplicates)
	}
	if err := s.Discard("a", later, Reason{Code: "test"}); err != nil {
		t.Fatal(err)
	}
	if d := put(t, s, msg("a", "same")); d == later {
		t.Error("discarded bytes that come again are a new message")
	}
}

func TestBrokenAndDrafts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openAt(t, path, Options{})
	broken := put(t, s, Record{Lane: "a", Payload: []byte("p"), Stage: Broken, Fault: "line went dead"})
	if again := put(t, s, Record{Lane: "a", Payload: []byte("p"), Stage: Broken}); again != broken {
		t.Error("a broken re-send is a duplicate of the first")
	}
	whole := put(t, s, msg("a", "p"))
	if whole == broken || next(t, s, "a").Seq != whole {
		t.Error("a whole message is no duplicate of a broken one")
	}
	r, err := s.Get(broken)
	if err != nil || r.State != Parked || r.Reason.Code != CodeBroken || r.Reason.Text != "line went dead" || r.Fault != "line went dead" {
		t.Errorf("%+v %v", r, err)
	}
	if c, _ := s.Get(whole); c.Key == r.Key {
		t.Error("broken and whole share a key")
	}

	draft := func(lane string, session uint64, text string) {
		put(t, s, Record{Lane: lane, Session: session, Stage: Draft, Payload: []byte(text)})
	}
	drafts := func() int {
		l, err := s.List(Query{State: Drafted})
		if err != nil {
			t.Fatal(err)
		}
		return len(l)
	}
	draft("a", 1, "one")
	draft("a", 1, "one two")
	draft("a", 2, "other")
	draft("b", 1, "b")
	if n := drafts(); n != 3 {
		t.Errorf("%d drafts, want 3", n)
	}
	put(t, s, Record{Lane: "a", Session: 1, Payload: []byte("one two three")})
	put(t, s, Record{Lane: "b", Session: 1, Stage: Broken, Payload: []byte("b"), Fault: "f"})
	if n := drafts(); n != 1 {
		t.Errorf("%d drafts, want 1", n)
	}
	s.Close()
	s = openAt(t, path, Options{})
	if n := drafts(); n != 0 {
		t.Errorf("%d drafts after reopening", n)
	}
	parked, err := s.List(Query{Lane: "a", State: Parked})
	if err != nil || len(parked) != 2 {
		t.Fatalf("%+v %v", parked, err)
	}
	if p := parked[1]; p.Size != len("other") || p.Stage != Broken || p.Reason.Code != CodeBroken || !strings.Contains(p.Reason.Text, "may be whole") {
		t.Errorf("%+v", p)
	}
}

func TestNextWaits(t *testing.T) {
	s := openTemp(t, Options{})
	got := make(chan Record)
	go func() {
		r, err := s.Next(context.Background(), "a")
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	put(t, s, msg("b", "not this"))
	q := put(t, s, msg("a", "this"))
	if r := <-got; r.Seq != q {
		t.Errorf("got %d", r.Seq)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Next(ctx, "c"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConcurrentPuts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openAt(t, path, Options{})
	const writers, each = 32, 40
	var wg sync.WaitGroup
	seqs := make([][]Seq, writers)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				q, err := s.Put(context.Background(), msg(fmt.Sprint("lane", w%4), fmt.Sprint(w, "/", i, strings.Repeat("x", 300))))
				if err != nil {
					t.Error(err)
				}
				seqs[w] = append(seqs[w], q)
			}
		})
	}
	wg.Wait()
	if st := s.Stats(); st.Waiting != writers*each || st.Commits >= writers*each {
		t.Errorf("waiting %d, commits %d", st.Waiting, st.Commits)
	}
	for w, all := range seqs {
		for i, q := range all {
			r, err := s.Get(q)
			if err != nil || !bytes.HasPrefix(r.Payload, fmt.Appendf(nil, "%d/%d", w, i)) && !strings.HasPrefix(string(r.Payload), fmt.Sprint(w, "/", i)) {
				t.Fatalf("record %d: %v", q, err)
			}
			if i > 0 && q <= all[i-1] {
				t.Fatal("one writer's numbers do not grow")
			}
		}
	}
}

func TestSecondProcessIsToldWhoHoldsIt(t *testing.T) {
	s := openTemp(t, Options{})
	_, err := Open(s.path, Options{})
	var held *LockedError
	if !errors.As(err, &held) || held.PID != os.Getpid() || held.Since.IsZero() {
		t.Errorf("%v", err)
	}
}

func TestListPages(t *testing.T) {
	s := openTemp(t, Options{})
	for i := range 25 {
		put(t, s, msg(fmt.Sprint("lane", i%3), fmt.Sprint(i)))
	}
	var all []Info
	for q := (Query{Limit: 7}); ; {
		page, err := s.List(q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		q.After = page[len(page)-1].Seq
	}
	if len(all) != 25 {
		t.Fatalf("%d records", len(all))
	}
	for i, in := range all {
		if in.Size != len(fmt.Sprint(i)) || in.State != Waiting || i > 0 && in.Seq <= all[i-1].Seq {
			t.Errorf("%d: %+v", i, in)
		}
	}
}
