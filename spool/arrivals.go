package spool

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// A record that comes to wait is an arrival at first. The entries of each lane lie
// in a page of their own, so that a commit with messages of sixty lanes would write
// sixty pages for them; the arrivals of all lanes lie together, in the order of
// their numbers, under a lane number that no lane has. Most are delivered from
// there. Once there are settleAt of them, all that are left are settled: moved to
// their lanes, many of each at a time.

// arrivals is the lane number they have in their keys.
const arrivals = 0

// settleAt bounds what a look for one lane's first arrival may have to pass by.
const settleAt = 1024

// arrival is an entry of a record that came to wait lately. Its value is the lane,
// and then what a waitingEntry says that was never put back.
type arrival struct {
	seq   Seq
	lane  uint32
	since int64 // UnixNano
}

func arrivalKey(q Seq) []byte { return laneSeqKey(arrivals, uint64(q)) }

func (a arrival) encode() []byte {
	return binary.BigEndian.AppendUint64(laneKey(a.lane), uint64(a.since))
}

func decodeArrival(q Seq, b []byte) (arrival, error) {
	if len(b) != 12 {
		return arrival{}, errCorrupt
	}
	return arrival{seq: q, lane: laneOf(b), since: int64(be64(b[4:]))}, nil
}

// arrivals calls see with each arrival from number from on, in their order, until
// it returns false.
func (v *view) arrivals(from Seq, see func(arrival) bool) error {
	c := v.b[waiting].Cursor()
	for k, sealed := c.Seek(arrivalKey(from)); bytes.HasPrefix(k, laneKey(arrivals)); k, sealed = c.Next() {
		q, err := numberOf(k, sealed)
		if err != nil {
			return err
		}
		a, err := decodeArrival(q, sealed[4:])
		if err != nil {
			return err
		}
		if !see(a) {
			return nil
		}
	}
	return nil
}

// firstWaiting is the first record from number from on that waits in a lane; 0:
// there is none.
func (v *view) firstWaiting(lane uint32, from Seq) (first Seq, err error) {
	if first, _, err = v.firstSettled(lane, from); err != nil {
		return 0, err
	}
	err = v.arrivals(from, func(a arrival) bool {
		switch {
		case first != 0 && a.seq > first:
			return false
		case a.lane == lane:
			first = a.seq
			return false
		}
		return true
	})
	return first, err
}

// firstSettled is the first that is no arrival, and since when it waits.
func (v *view) firstSettled(lane uint32, from Seq) (first Seq, since int64, err error) {
	k, sealed := v.b[waiting].Cursor().Seek(laneSeqKey(lane, uint64(from)))
	if !bytes.HasPrefix(k, laneKey(lane)) {
		return 0, 0, nil
	}
	if first, err = numberOf(k, sealed); err != nil {
		return 0, 0, err
	}
	w, _ := decodeWaiting(sealed[4:])
	return first, w.since, nil
}

// waits finds the entry of a record that waits in a lane.
func (v *view) waits(lane uint32, q Seq) (key []byte, w waitingEntry, ok bool) {
	key = laneSeqKey(lane, uint64(q))
	if v.has(waiting, key) {
		if b, err := v.get(waiting, key); err == nil {
			w, _ = decodeWaiting(b) // an entry that fails its checksum still says: waits
		}
		return key, w, true
	}
	key = arrivalKey(q)
	b, err := v.get(waiting, key)
	if err != nil || b == nil {
		return nil, w, false
	}
	a, err := decodeArrival(q, b)
	return key, waitingEntry{since: a.since}, err == nil && a.lane == lane
}

// arrive makes a new record wait.
func (t *txn) arrive(h *laneHead, q Seq, since int64) error {
	h.waiting++
	t.arrived++
	return t.put(waiting, arrivalKey(q), arrival{lane: h.id, since: since}.encode())
}

// settleIfMany settles the arrivals once there are enough.
func (t *txn) settleIfMany() error {
	if t.s.arrived < t.s.opt.hooks.settleAt {
		return nil
	}
	return t.settle()
}

// settle moves the arrivals to their lanes.
func (t *txn) settle() error {
	var all []arrival
	if err := t.arrivals(0, func(a arrival) bool { all = append(all, a); return true }); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.seq, b.seq))
	})
	for _, a := range all {
		if err := t.put(waiting, laneSeqKey(a.lane, uint64(a.seq)), waitingEntry{since: a.since}.encode()); err != nil {
			return err
		}
	}
	for _, a := range all {
		if err := t.del(waiting, arrivalKey(a.seq)); err != nil {
			return err
		}
	}
	t.arrived = -t.s.arrived
	return nil
}
