package spool

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Give adds to lane's parked record q what a person knows and the message does
// not say, by words of the caller's, and puts it back to the queue. The payload
// stays as it came. The note goes to the audit log: it must hold no patient
// data. What was given is not part of a backup of single messages (Export), and
// salvage loses it: the message is then as it came.
func (s *Spool) Give(lane string, q Seq, given map[string]string, note string) error {
	return s.move("give", lane, q, func(t *txn, h *laneHead) error {
		key := laneSeqKey(h.id, uint64(q))
		if !t.has(parked, key) {
			return t.refusal(h.id, q)
		}
		e, err := t.takeResting(h, q)
		if err != nil {
			return err
		}
		all := s.openGiven(e.Given, q, h.id)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, given)
		sealed, err := s.sealGiven(all, q, h.id)
		if err != nil {
			return err
		}
		if err := t.audit(auditGive, h.name, q, note); err != nil {
			return err
		}
		h.waiting++
		w := waitingEntry{since: t.s.opt.Now().UnixNano(), retries: e.Retries + 1, counted: e.Counted, given: sealed}
		return t.put(waiting, key, w.encode())
	})
}

// sealGiven encodes what was given, encrypted where payloads are: the first
// byte says which.
func (s *Spool) sealGiven(given map[string]string, q Seq, lane uint32) ([]byte, error) {
	text, err := json.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("encode what was given: %w", err)
	}
	if s.keys == nil {
		return append([]byte{0}, text...), nil
	}
	return s.keys.seal([]byte{flagSealed}, text, givenAD(q, lane))
}

// openGiven reads what sealGiven made. What cannot be read was not given: the
// message is held again, and a person sees it.
func (s *Spool) openGiven(b []byte, q Seq, lane uint32) (given map[string]string) {
	if len(b) == 0 {
		return nil
	}
	text := b[1:]
	if b[0]&flagSealed != 0 {
		var err error
		if text, err = s.keys.open(text, givenAD(q, lane)); err != nil {
			return nil
		}
	}
	if json.Unmarshal(text, &given) != nil {
		return nil
	}
	return given
}

func givenAD(q Seq, lane uint32) []byte { return append(recordAD(q, lane), "given"...) }

// given is what was given for a record, in whatever state it is.
func (s *Spool) given(v *view, lane uint32, q Seq) map[string]string {
	key := laneSeqKey(lane, uint64(q))
	if b, err := v.get(waiting, key); err == nil && b != nil {
		w, _ := decodeWaiting(b)
		return s.openGiven(w.given, q, lane)
	}
	for _, from := range []bucket{parked, history} {
		if b, err := v.get(from, key); err == nil && b != nil {
			e, _ := decodeState(b)
			return s.openGiven(e.Given, q, lane)
		}
	}
	return nil
}

// rekeyGiven seals what was given for a record with the first key.
func (t *txn) rekeyGiven(q Seq, lane uint32) error {
	key := laneSeqKey(lane, uint64(q))
	again := func(b []byte) ([]byte, error) { return t.s.sealGiven(t.s.openGiven(b, q, lane), q, lane) }
	if b, err := t.get(waiting, key); err == nil && b != nil {
		w, err := decodeWaiting(b)
		if err != nil || len(w.given) == 0 {
			return nil
		}
		if w.given, err = again(w.given); err != nil {
			return err
		}
		return t.put(waiting, key, w.encode())
	}
	for _, from := range []bucket{parked, history} {
		b, err := t.get(from, key)
		if err != nil || b == nil {
			continue
		}
		e, err := decodeState(b)
		if err != nil || len(e.Given) == 0 {
			return nil
		}
		if e.Given, err = again(e.Given); err != nil {
			return err
		}
		return t.put(from, key, e.encode())
	}
	return nil
}
