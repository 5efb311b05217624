package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// followPause is how late Follow may notice a record that was done with at
// once: nothing came to wait then.
const followPause = 2 * time.Second

// Follow returns a copy of lane's first whole record with a greater number than
// after, whatever has become of it, and waits for one. It is for a second
// reader, who keeps his own place: it changes nothing. Records that were
// broken off, given up, removed or damaged are passed over.
func (s *Spool) Follow(ctx context.Context, lane string, after Seq) (Record, error) {
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return Record{}, err
		}
		ready, repaired, err := s.signals(lane)
		if err != nil {
			return Record{}, fmt.Errorf("follow %s: %w", lane, err)
		}
		r, found, err := s.nextAfter(lane, after)
		switch {
		case errors.Is(err, ErrDamaged), err == nil && found && (r.Stage != Complete || r.State == Discarded):
			after = r.Seq
			continue
		case err != nil && !errors.Is(err, ErrFailed):
			return Record{}, fmt.Errorf("follow %s: %w", lane, err)
		case err == nil && found:
			return r, nil
		}
		select {
		case <-ready:
		case <-repaired:
		case <-tick.C:
		case <-s.closing:
		case <-ctx.Done():
		}
	}
}

// nextAfter reads the record that follows. With ErrDamaged, only its Seq is set.
func (s *Spool) nextAfter(lane string, after Seq) (r Record, found bool, err error) {
	h, ok := s.committedHead(lane)
	if !ok {
		return r, false, s.healthyOrClosed()
	}
	err = s.read(func(v *view) error {
		next := uint64(math.MaxUint64)
		q, err := v.firstWaiting(h.id, after+1)
		if err != nil {
			return fmt.Errorf("waiting entry of %s: %w", lane, err)
		}
		if q != 0 {
			next = uint64(q)
		}
		for _, b := range []bucket{parked, history} {
			k, entry := v.b[b].Cursor().Seek(laneSeqKey(h.id, uint64(after)+1))
			if !bytes.HasPrefix(k, laneKey(h.id)) {
				continue
			}
			q, err := numberOf(k, entry)
			if err != nil {
				return fmt.Errorf("%s entry of %s: %w", bucketNames[b], lane, err)
			}
			next = min(next, uint64(q))
		}
		if next == math.MaxUint64 {
			return nil
		}
		found = true
		r, err = s.load(v, h, Seq(next))
		return err
	})
	return r, found, err
}

// Newest returns the greatest number that a record of lane has, 0 if there is
// none.
func (s *Spool) Newest(lane string) (newest Seq, err error) {
	h, ok := s.committedHead(lane)
	if !ok {
		return 0, s.healthyOrClosed()
	}
	err = s.read(func(v *view) error {
		newest = 0
		for _, b := range []bucket{waiting, parked, history} {
			c := v.b[b].Cursor()
			k, _ := c.Seek(laneKey(h.id + 1))
			if k == nil {
				k, _ = c.Last()
			} else {
				k, _ = c.Prev()
			}
			if id, n, ok := splitLaneSeq(k); ok && id == h.id {
				newest = max(newest, Seq(n))
			}
		}
		return v.arrivals(newest, func(a arrival) bool {
			if a.lane == h.id {
				newest = max(newest, a.seq)
			}
			return true
		})
	})
	return newest, err
}
