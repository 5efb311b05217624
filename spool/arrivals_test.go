package spool

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// waitingKeys counts the entries of records that wait: arrivals, and settled ones.
func waitingKeys(t *testing.T, s *Spool) (arrived, settled int) {
	t.Helper()
	err := s.read(func(v *view) error {
		return v.b[waiting].ForEach(func(k, _ []byte) error {
			if laneOf(k) == arrivals {
				arrived++
			} else {
				settled++
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return arrived, settled
}

// Wherever its entry is, a record is found, in its place, and by its own lane only.
func TestArrivals(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	o := Options{Now: func() time.Time { return now }, hooks: hooks{noSync: true, crash: true, settleAt: 7}}
	path := scratch(t) + "/spool.db"
	s := openAt(t, path, o)
	rng := rand.New(rand.NewPCG(1, 2))
	lanes := []string{"a", "b", "c"}
	want := map[string][]Seq{} // that wait, in their order
	newest := map[string]Seq{}
	var parked []Seq
	both := false
	for i := range 600 {
		now = now.Add(time.Second)
		lane := lanes[rng.IntN(3)]
		switch rng.IntN(6) {
		case 0, 1:
			newest[lane] = put(t, s, msg(lane, fmt.Sprint(i)))
			want[lane] = append(want[lane], newest[lane])
		case 2, 5:
			if len(want[lane]) == 0 {
				continue
			}
			if err := s.Done(lane, want[lane][0], Receipt{}); err != nil {
				t.Fatal(err)
			}
			want[lane] = want[lane][1:]
		case 3: // one from the middle, and back later
			if lane != "a" || len(want["a"]) == 0 {
				continue
			}
			n := len(want["a"]) - 1 - rng.IntN(min(3, len(want["a"])))
			q := want["a"][n]
			if err := s.Park("a", q, Reason{Code: "test"}); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(2) == 0 { // at once: it is settled then, and may be behind arrivals
				if err := s.Retry("a", q); err != nil {
					t.Fatal(err)
				}
				waits(t, s, want)
				continue
			}
			want["a"] = slices.Delete(want["a"], n, n+1)
			parked = append(parked, q)
		case 4:
			if len(parked) == 0 {
				continue
			}
			last := len(parked) - 1
			if err := s.Retry("a", parked[last]); err != nil {
				t.Fatal(err)
			}
			want["a"] = append(want["a"], parked[last])
			slices.Sort(want["a"])
			parked = parked[:last]
		}
		if rng.IntN(20) == 0 {
			s.Close()
			s = openAt(t, path, o)
		}
		arrived, settled := waitingKeys(t, s)
		if arrived > 7 || arrived != s.arrived {
			t.Fatalf("%d arrivals, counted %d", arrived, s.arrived)
		}
		both = both || arrived > 0 && settled > 0
		waits(t, s, want)
		for lane, q := range newest {
			if got, err := s.Newest(lane); err != nil || got != q {
				t.Fatalf("newest of %s is %d, want %d: %v", lane, got, q, err)
			}
		}
	}
	if !both {
		t.Error("never were some settled and others not: the test shows little")
	}
	for lane, all := range want {
		for _, q := range all {
			if r := next(t, s, lane); r.Seq != q {
				t.Fatalf("next of %s is %d, want %d", lane, r.Seq, q)
			}
			if err := s.Done(lane, q, Receipt{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if arrived, settled := waitingKeys(t, s); arrived+settled+s.arrived != 0 {
		t.Errorf("left are %d and %d", arrived, settled)
	}
}

// waits compares what waits with what all who can be asked say of it.
func waits(t *testing.T, s *Spool, want map[string][]Seq) {
	t.Helper()
	st := s.Stats()
	for i, lane := range s.Lanes() {
		all, err := s.List(Query{Lane: lane, State: Waiting, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var got []Seq
		for _, in := range all {
			if in.State != Waiting || in.Lane != lane {
				t.Fatalf("%+v", in)
			}
			got = append(got, in.Seq)
		}
		if !slices.Equal(got, want[lane]) || st.Lanes[i].Waiting != uint64(len(got)) {
			t.Fatalf("in %s wait %v, counted %d, want %v", lane, got, st.Lanes[i].Waiting, want[lane])
		}
		if len(got) == 0 {
			if !st.Lanes[i].OldestWaiting.IsZero() {
				t.Fatalf("nothing waits in %s since %v", lane, st.Lanes[i].OldestWaiting)
			}
			continue
		}
		r := next(t, s, lane)
		if r.Seq != got[0] || !r.Changed.Equal(st.Lanes[i].OldestWaiting) {
			t.Fatalf("next of %s is %d, since %v; want %d, since %v", lane, r.Seq, r.Changed, got[0], st.Lanes[i].OldestWaiting)
		}
		if err := s.Done("none", r.Seq, Receipt{}); err == nil {
			t.Fatal("another lane's")
		}
		for _, other := range s.Lanes() {
			if other != lane && s.Done(other, r.Seq, Receipt{}) == nil {
				t.Fatalf("%s took what is in %s", other, lane)
			}
		}
		f, err := s.Follow(t.Context(), lane, got[0]-1)
		if err != nil || f.Seq != got[0] {
			t.Fatalf("%d follows %d: %v", f.Seq, got[0]-1, err)
		}
	}
}

// What the arrivals are for: a commit with messages of many lanes writes few
// pages beside those of its records.
func TestArrivalsLieTogether(t *testing.T) {
	s := openTemp(t, Options{hooks: hooks{noSync: true}})
	pages := func(text string) int64 {
		before := s.db.Stats()
		var records []Record
		for i := range 64 {
			records = append(records, msg(fmt.Sprint("lane", i), text))
		}
		putGroup(t, s, records...)
		after := s.db.Stats()
		diff := after.Sub(&before)
		return diff.TxStats.GetWrite()
	}
	for i := range 3 * settleAt / 64 { // each lane has a page of its own by now
		pages(fmt.Sprint(i))
	}
	if err := s.command(t.Context(), func() error { return s.commit(one(&op{apply: (*txn).settle})) }); err != nil {
		t.Fatal(err)
	}
	if n := pages("now"); n > 24 {
		t.Errorf("64 short messages wrote %d pages", n)
	}
}
