package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// rekeyBatch is how many records one transaction seals anew.
const rekeyBatch = 64

// Rekey seals every record with the first of Options.Keys: after it, older
// keys are not needed any more. It may be interrupted and repeated. What was
// written before may still lie in free pages of the file; Compact afterwards
// leaves them behind. It returns how many records it sealed.
func (s *Spool) Rekey(ctx context.Context) (n int, err error) {
	if s.keys == nil {
		return 0, errors.New("rekey spool: no encryption key is given")
	}
	for after, more := Seq(0), true; more; {
		err := s.submit(ctx, 0, func(t *txn) (err error) {
			var done int
			after, done, more, err = t.rekey(after)
			n += done
			return err
		})
		if err != nil {
			return n, fmt.Errorf("rekey spool: %w", err)
		}
	}
	err = s.submit(ctx, 0, func(t *txn) error {
		if k, _ := t.b[drafts].Cursor().First(); k != nil {
			return nil // sealed with an older key, perhaps; it goes soon
		}
		return t.putKeys([]keyID{s.keys.first})
	})
	if err != nil {
		return n, fmt.Errorf("rekey spool: %w", err)
	}
	return n, nil
}

// rekey seals the records after the given one, up to a batch.
func (t *txn) rekey(after Seq) (last Seq, n int, more bool, err error) {
	type item struct {
		q Seq
		v []byte
	}
	var batch []item
	size := 0
	c := t.b[records].Cursor()
	for k, v := c.Seek(seqKey(after + 1)); k != nil; k, v = c.Next() {
		if len(k) != 8 {
			continue
		}
		if len(batch) == rekeyBatch || size > maxGroupBytes/4 {
			more = true
			break
		}
		last = Seq(be64(k))
		batch = append(batch, item{last, bytes.Clone(v)})
		size += len(v)
	}
	for _, it := range batch {
		done, err := t.rekeyOne(it.q, it.v)
		if err != nil {
			return last, n, false, fmt.Errorf("record %d: %w", it.q, err)
		}
		if done {
			n++
		}
	}
	return last, n, more, nil
}

func (t *txn) rekeyOne(q Seq, v []byte) (bool, error) {
	raw, err := openRecord(q, v)
	if err != nil {
		return false, nil // damaged: no key will ever open it
	}
	body := raw.body
	if raw.flag&flagSealed != 0 {
		if bytes.HasPrefix(body, t.s.keys.first[:]) {
			return false, nil
		}
		if body, err = t.s.keys.open(body, recordAD(q, raw.lane)); err != nil {
			return false, err
		}
	}
	plain := append(bytes.Clone(v[:recordHead]), body...)
	plain[1] &^= flagSealed
	occurrence := uint32(body[0])<<24 | uint32(body[1])<<16 | uint32(body[2])<<8 | uint32(body[3])
	sealed, err := finishRecord(plain, q, raw.lane, occurrence, t.s.keys)
	if err != nil {
		return false, err
	}
	if err := t.rekeyGiven(q, raw.lane); err != nil {
		return false, err
	}
	return true, t.putRaw(records, seqKey(q), sealed)
}
