package spool

import (
	"cmp"
	"slices"
	"time"
)

// Query selects records for List.
type Query struct {
	Lane  string // "": all lanes
	State State  // Any: all states
	After Seq    // only records with a greater number
	Limit int    // 0: DefaultLimit

	// Newest turns the order round: greatest number first. Before bounds it: only
	// records with a smaller number; 0: no bound.
	Newest bool
	Before Seq

	// Since and Until bound when the message was received, both included; zero:
	// no bound. A lane is searched from where Since and Until should be, because
	// numbers and times go together; an imported message, which brings a time from
	// before, may be found by its number only.
	Since, Until time.Time
}

// DefaultLimit is how many records List returns at most when not told.
const DefaultLimit = 100

// List returns what q selects, in the order of the numbers, without payloads.
// With a limit reached, the last Seq is the After of the next call, or with
// Newest its Before.
func (s *Spool) List(q Query) (found []Info, err error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	err = s.read(func(v *view) error {
		var all []listed
		for _, h := range s.headsOf(q) {
			for _, b := range q.State.buckets() {
				all = s.listLane(v, h, b, q, all)
			}
		}
		var err error
		switch q.State {
		case Any, Waiting:
			all, err = s.listArrivals(v, q, all)
		case Discarded:
			all, err = s.listDiscards(v, q, all)
		}
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b listed) int {
			if q.Newest {
				a, b = b, a
			}
			return cmp.Compare(a.seq, b.seq)
		})
		found = nil
		for _, l := range all[:min(len(all), q.Limit)] { // only these are worth a look at the whole record
			if l.draft == nil {
				found = append(found, s.infoOf(v, l.lane, l.seq))
			} else {
				found = append(found, *l.draft)
			}
		}
		return nil
	})
	return found, err
}

// headsOf are the lanes that a query is about.
func (s *Spool) headsOf(q Query) map[uint32]laneHead {
	of := map[uint32]laneHead{}
	for _, h := range s.heads() {
		if q.Lane == "" || q.Lane == h.name {
			of[h.id] = h
		}
	}
	return of
}

// listed is a record that a query selects.
type listed struct {
	lane  laneHead
	seq   Seq
	draft *Info // of a draft
}

// buckets are those whose lanes are walked for records in state st.
func (s State) buckets() []bucket {
	switch s {
	case Any:
		return []bucket{waiting, parked, history, drafts}
	case Waiting:
		return []bucket{waiting}
	case Parked:
		return []bucket{parked}
	case Delivered:
		return []bucket{history}
	case Drafted:
		return []bucket{drafts}
	}
	return nil
}

func (s *Spool) listLane(v *view, h laneHead, b bucket, q Query, found []listed) []listed {
	w := s.walk(v, b, h.id, q)
	n := 0
	for k, value := w.first(); k != nil && n < q.Limit; k, value = w.next() {
		_, num, ok := splitLaneSeq(k)
		if !ok {
			continue
		}
		l := listed{lane: h, seq: Seq(num)}
		if b == drafts {
			info, ok := s.draftInfo(h, value)
			if !ok || info.Seq <= q.After || q.Before > 0 && info.Seq >= q.Before || !q.within(info.Received) {
				continue
			}
			l.seq, l.draft = info.Seq, &info
		} else if !s.selects(v, h, b, q, l.seq, value) {
			continue
		}
		found = append(found, l)
		n++
	}
	return found
}

// walk goes over what a query may select of a lane in a bucket.
func (s *Spool) walk(v *view, b bucket, lane uint32, q Query) laneWalk {
	w := laneWalk{c: v.b[b].Cursor(), lane: laneKey(lane), back: q.Newest}
	if b != drafts { // those are few, and not in the order of their numbers
		w.from, w.to = uint64(q.After)+1, uint64(q.Before)
		w.narrow(q, func(n uint64) time.Time { return s.received(v, Seq(n)) })
	}
	return w
}

// listArrivals goes over all that there are: they are few.
func (s *Spool) listArrivals(v *view, q Query, found []listed) ([]listed, error) {
	of := s.headsOf(q)
	err := v.arrivals(q.After+1, func(a arrival) bool {
		h, ok := of[a.lane]
		if ok && (q.Before == 0 || a.seq < q.Before) && s.timely(v, q, a.seq) {
			found = append(found, listed{lane: h, seq: a.seq})
		}
		return true
	})
	return found, err
}

// selects looks at as little of a record as it can: it is asked about each of a
// million that are in a rare state, or of a time.
func (s *Spool) selects(v *view, h laneHead, b bucket, q Query, n Seq, value []byte) bool {
	if b == history && q.State != Any {
		st := peekState(value)
		if st == Any {
			st = s.status(v, h.id, n, Complete, nil).State
		}
		if st != q.State {
			return false
		}
	}
	return s.timely(v, q, n)
}

// timely tells whether a record came when the query says.
func (s *Spool) timely(v *view, q Query, n Seq) bool {
	return q.Since.IsZero() && q.Until.IsZero() || q.within(s.received(v, n))
}

// within is for the times, which the walk over a lane does not bound exactly.
func (q Query) within(received time.Time) bool {
	return (q.Since.IsZero() || !received.Before(q.Since)) && (q.Until.IsZero() || !received.After(q.Until))
}

// received is when a record came; zero if that cannot be read.
func (s *Spool) received(v *view, q Seq) time.Time {
	r, _, err := decodeRecord(q, v.b[records].Get(seqKey(q)), s.keys, false)
	if err != nil {
		return time.Time{}
	}
	return r.Received
}

func (s *Spool) infoOf(v *view, h laneHead, q Seq) Info {
	r, size, err := decodeRecord(q, v.b[records].Get(seqKey(q)), s.keys, false)
	if err != nil {
		return Info{Lane: h.name, Seq: q, Size: -1, Damaged: true, Status: s.status(v, h.id, q, Complete, nil)}
	}
	r.Lane = h.name
	r.Key = MessageKey(h.name, r.Stage, r.Digest, r.Occurrence)
	r.Status = s.status(v, h.id, q, r.Stage, &r.Digest)
	info := r.info()
	info.Size = size
	return info
}

func (s *Spool) draftInfo(h laneHead, value []byte) (Info, bool) {
	if len(value) < 8 {
		return Info{}, false
	}
	q := Seq(be64(value))
	r, size, err := decodeRecord(q, value[8:], s.keys, false)
	if err != nil {
		return Info{Lane: h.name, Seq: q, Size: -1, Damaged: true, Status: Status{State: Drafted}}, true
	}
	r.Lane = h.name
	r.Status = Status{State: Drafted, Changed: r.Received}
	info := r.info()
	info.Size = size
	return info, true
}
