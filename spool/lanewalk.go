package spool

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// laneWalk goes over the records of one lane in a bucket whose keys are laneSeqKeys.
type laneWalk struct {
	c        *bbolt.Cursor
	lane     []byte // laneKey
	back     bool   // from the greatest number down
	from, to uint64 // numbers that are not below from, and are below to; to 0: no bound
}

// timeSlack is how far the times of neighbours may be out of the order of their
// numbers: a message is dated when its last byte came and numbered when it is
// stored, and a clock may be set.
const timeSlack = time.Hour

// narrow moves the bounds to where the query's times should be. received tells
// when the message of a number came; zero where that cannot be read.
func (w *laneWalk) narrow(q Query, received func(uint64) time.Time) {
	if !q.Since.IsZero() {
		w.from = max(w.from, w.search(q.Since.Add(-timeSlack), received))
	}
	if !q.Until.IsZero() {
		to := w.search(q.Until.Add(timeSlack), received)
		if w.to == 0 || to < w.to {
			w.to = max(to, 1)
		}
	}
}

// search returns the smallest number whose message came at t or later, by
// halving; past the last number if all came before.
func (w *laneWalk) search(t time.Time, received func(uint64) time.Time) uint64 {
	low, high := w.from, w.last()+1
	for low < high {
		mid := low + (high-low)/2
		if n := w.at(mid); n < high && received(n).Before(t) {
			low = n + 1
		} else {
			high = mid
		}
	}
	return low
}

// at is the first number from n on that the lane has; past every number if it
// has none.
func (w *laneWalk) at(n uint64) uint64 {
	if k, _ := w.inLane(w.c.Seek(w.key(n))); k != nil {
		if _, q, ok := splitLaneSeq(k); ok {
			return q
		}
	}
	return math.MaxUint64
}

// last is the lane's greatest number, 0 if it has none.
func (w *laneWalk) last() uint64 {
	back := laneWalk{c: w.c, lane: w.lane, back: true}
	if k, _ := back.first(); k != nil {
		if _, q, ok := splitLaneSeq(k); ok {
			return q
		}
	}
	return 0
}

func (w *laneWalk) first() (key, value []byte) {
	if !w.back {
		return w.bounded(w.c.Seek(w.key(w.from)))
	}
	end := w.key(math.MaxUint64)
	if w.to > 0 {
		end = w.key(w.to)
	}
	k, v := w.c.Seek(end)
	switch {
	case k == nil:
		k, v = w.c.Last()
	case bytes.Compare(k, end) >= 0:
		k, v = w.c.Prev()
	}
	return w.bounded(k, v)
}

func (w *laneWalk) next() (key, value []byte) {
	if w.back {
		return w.bounded(w.c.Prev())
	}
	return w.bounded(w.c.Next())
}

// bounded ends the walk at the lane's end and at its bounds.
func (w *laneWalk) bounded(k, v []byte) (key, value []byte) {
	if k, v = w.inLane(k, v); k == nil {
		return nil, nil
	}
	if _, n, ok := splitLaneSeq(k); ok && (n < w.from || w.to > 0 && n >= w.to) {
		return nil, nil
	}
	return k, v
}

func (w *laneWalk) inLane(k, v []byte) (key, value []byte) {
	if !bytes.HasPrefix(k, w.lane) {
		return nil, nil
	}
	return k, v
}

func (w *laneWalk) key(n uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Clone(w.lane), n)
}
