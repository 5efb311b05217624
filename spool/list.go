package spool

import (
	"cmp"
	"math"
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
		found = nil
		for _, h := range s.heads() {
			if q.Lane != "" && q.Lane != h.name {
				continue
			}
			for _, b := range q.State.buckets() {
				found = s.listLane(v, h, b, q, found)
			}
		}
		slices.SortFunc(found, func(a, b Info) int {
			if q.Newest {
				a, b = b, a
			}
			return cmp.Compare(a.Seq, b.Seq)
		})
		if len(found) > q.Limit {
			found = found[:q.Limit]
		}
		return nil
	})
	return found, err
}

// buckets are those that hold records in state st.
func (s State) buckets() []bucket {
	switch s {
	case Any:
		return []bucket{waiting, parked, history, drafts}
	case Waiting:
		return []bucket{waiting}
	case Parked:
		return []bucket{parked}
	case Delivered, Discarded:
		return []bucket{history}
	case Drafted:
		return []bucket{drafts}
	}
	return nil
}

func (s *Spool) listLane(v *view, h laneHead, b bucket, q Query, found []Info) []Info {
	w := laneWalk{c: v.b[b].Cursor(), lane: laneKey(h.id), back: q.Newest}
	if b != drafts { // those are few, and not in the order of their numbers
		w.from, w.to = uint64(q.After)+1, uint64(q.Before)
		w.narrow(q, func(n uint64) time.Time { return s.received(v, Seq(n)) })
	}
	n, most := 0, q.Limit
	if q.State == Discarded { // those were counted: no need to look on after the last
		most = min(most, int(min(h.discarded, math.MaxInt32)))
	}
	for k, value := w.first(); k != nil && n < most; k, value = w.next() {
		_, num, ok := splitLaneSeq(k)
		if !ok {
			continue
		}
		var info Info
		switch {
		case b == drafts:
			info, ok = s.draftInfo(h, value)
		case s.passesOver(v, q, b, Seq(num), value):
			continue
		default:
			info = s.infoOf(v, h, Seq(num))
		}
		if ok && q.selects(info) {
			found = append(found, info)
			n++
		}
	}
	return found
}

// selects is for what the walk over a lane does not bound exactly.
func (q Query) selects(i Info) bool {
	return (q.State == Any || i.State == q.State) && i.Seq > q.After && (q.Before == 0 || i.Seq < q.Before) &&
		(q.Since.IsZero() || !i.Received.Before(q.Since)) && (q.Until.IsZero() || !i.Received.After(q.Until))
}

// passesOver reports whether a record is surely not selected, from little of it: a
// rare state or time among a million others costs no look at each whole record.
func (s *Spool) passesOver(v *view, q Query, b bucket, n Seq, value []byte) bool {
	if b == history && q.State != Any {
		if st := peekState(value); st != Any && st != q.State {
			return true
		}
	}
	if q.Since.IsZero() && q.Until.IsZero() {
		return false
	}
	at := s.received(v, n)
	return !at.IsZero() && (!q.Since.IsZero() && at.Before(q.Since) || !q.Until.IsZero() && at.After(q.Until))
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
