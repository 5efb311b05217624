package spool

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestListSelects compares List with the plain filter over everything, for each
// combination of bounds, order and page size.
func TestListSelects(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := noon
	s := openTemp(t, Options{Now: func() time.Time { return now }})
	for i := range 120 {
		m := msg(fmt.Sprint("lane", i%3), fmt.Sprint(i))
		m.Received = noon.Add(time.Duration(i) * 10 * time.Minute)
		if i%7 == 0 { // a clock that is not quite in order
			m.Received = m.Received.Add(-25 * time.Minute)
		}
		q := put(t, s, m)
		switch i % 4 {
		case 0:
			if err := s.Done(m.Lane, q, Receipt{}); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := s.Park(m.Lane, q, Reason{Code: "test"}); err != nil {
				t.Fatal(err)
			}
		case 2:
			if i%8 == 2 {
				if err := s.Discard(m.Lane, q, Reason{Code: "test"}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	all, err := s.List(Query{Limit: 1000})
	if err != nil || len(all) != 120 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	for _, base := range []Query{
		{}, {Lane: "lane1"}, {State: Parked}, {State: Delivered, Lane: "lane2"}, {State: Discarded}, {State: Discarded, Lane: "lane1", Since: at(4)}, {Lane: "none"},
		{After: 30}, {Before: 50}, {After: 30, Before: 50}, {After: 50, Before: 30}, {Before: 1},
		{Since: at(5)}, {Until: at(5)}, {Since: at(5), Until: at(9)}, {Since: at(9), Until: at(5)},
		{Since: at(-5)}, {Until: at(-5)}, {Since: at(100)}, {Until: at(100)},
		{Since: at(3), Until: at(14), State: Waiting, Lane: "lane0", After: 12},
	} {
		for _, newest := range []bool{false, true} {
			q := base
			q.Newest = newest
			var want []Seq
			for _, i := range all {
				if plainly(q, i) && (q.Lane == "" || q.Lane == i.Lane) {
					want = append(want, i.Seq)
				}
			}
			if newest {
				slices.Reverse(want)
			}
			for _, size := range []int{3, 1000} {
				q.Limit = size
				if got := pages(t, s, q); !slices.Equal(got, want) {
					t.Errorf("%+v:\n got %v\nwant %v", q, got, want)
				}
			}
		}
	}
}

// plainly is what a query means, of a record that is looked at as a whole.
func plainly(q Query, i Info) bool {
	return (q.State == Any || i.State == q.State) && i.Seq > q.After && (q.Before == 0 || i.Seq < q.Before) &&
		(q.Since.IsZero() || !i.Received.Before(q.Since)) && (q.Until.IsZero() || !i.Received.After(q.Until))
}

// pages lists page by page.
func pages(t *testing.T, s *Spool, q Query) (seqs []Seq) {
	t.Helper()
	for {
		page, err := s.List(q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return seqs
		}
		for _, i := range page {
			seqs = append(seqs, i.Seq)
		}
		if last := page[len(page)-1].Seq; q.Newest {
			q.Before = last
		} else {
			q.After = last
		}
	}
}
