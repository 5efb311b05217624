package spool

import "bytes"

// Discarded records are few among those that are done with, and are asked for by
// themselves. The history of a million messages is too long to be searched for them
// while somebody waits, so a small index names them, under a lane number that no
// lane has. Its values are the lanes.

// discards is the lane number that its entries have in their keys.
const discards = 0

func discardKey(q Seq) []byte { return laneSeqKey(discards, uint64(q)) }

func (t *txn) noteDiscard(lane uint32, q Seq) error {
	return t.put(history, discardKey(q), laneKey(lane))
}

// dropDiscard forgets that a record was discarded, if it was.
func (t *txn) dropDiscard(q Seq) error {
	if !t.has(history, discardKey(q)) {
		return nil
	}
	return t.del(history, discardKey(q))
}

// indexDiscards makes the index for a file of a format that had none.
func (t *txn) indexDiscards() error {
	var keys [][]byte
	c := t.b[history].Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if st := peekState(v); st == Discarded || st == Any {
			keys = append(keys, bytes.Clone(k))
		}
	}
	for _, k := range keys {
		b, _ := t.get(history, k) // who meets a bad entry has the file repaired, and the index with it
		lane, q, ok := splitLaneSeq(k)
		if e, err := decodeState(b); err != nil || !ok || e.State != Discarded {
			continue
		}
		if err := t.noteDiscard(lane, Seq(q)); err != nil {
			return err
		}
	}
	return nil
}

// listDiscards is listLane for what was discarded, in all lanes at once.
func (s *Spool) listDiscards(v *view, q Query, found []listed) ([]listed, error) {
	of := s.headsOf(q)
	w := s.walk(v, history, discards, q)
	n := 0
	for k, sealed := w.first(); k != nil && n < q.Limit; k, sealed = w.next() {
		num, err := numberOf(k, sealed)
		if err != nil {
			return nil, err
		}
		if len(sealed) != 4+4 {
			return nil, errCorrupt
		}
		h, ok := of[laneOf(sealed[4:])]
		if !ok || !s.timely(v, q, num) {
			continue
		}
		found = append(found, listed{lane: h, seq: num})
		n++
	}
	return found, nil
}
