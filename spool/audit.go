package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What the spool itself writes to its audit log.
const (
	auditPark    = "park"
	auditRetry   = "retry"
	auditDiscard = "discard"
	auditGive    = "give"
	auditExport  = "export"
	auditImport  = "import"
	auditSalvage = "salvage"
	auditUndo    = "undo" // of a commit that a crash tore
)

// AuditEntry is one line of the audit log. Each carries the hash of the one
// before it, so that a line cannot be changed or taken out unnoticed.
type AuditEntry struct {
	Number uint64    `json:"n"`
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Lane   string    `json:"lane,omitempty"`
	Seq    Seq       `json:"seq,omitempty"`
	Note   string    `json:"note,omitempty"`
	Before string    `json:"before,omitempty"` // hash of the entry before
	Hash   string    `json:"hash,omitempty"`   // over all the rest
}

func (e AuditEntry) sum() string {
	e.Hash = ""
	text, err := json.Marshal(e)
	if err != nil {
		return "" // a time past the year 9999: Verify will say so
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

func auditKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (t *txn) audit(what, lane string, q Seq, note string) error {
	n, err := t.b[audit].NextSequence()
	if err != nil {
		return err
	}
	e := AuditEntry{Number: n, At: t.s.opt.Now().UTC(), What: what, Lane: lane, Seq: q, Note: clip(note)}
	if b, err := t.get(audit, auditKey(n-1)); err == nil && b != nil {
		var before AuditEntry
		if json.Unmarshal(b, &before) == nil {
			e.Before = before.Hash
		}
	} else if last, hash := auditBegin(&t.view); last == n-1 {
		e.Before = hash // all before it were removed
	}
	e.Hash = e.sum()
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return t.put(audit, auditKey(n), text)
}

// Audit adds an entry of the caller's to the audit log: start, stop, a payload
// that was looked at. It must hold no patient data.
func (s *Spool) Audit(ctx context.Context, what, lane string, q Seq, note string) error {
	err := s.submit(ctx, 0, func(t *txn) error { return t.audit(what, lane, q, note) })
	if err != nil {
		return fmt.Errorf("audit %s: %w", what, err)
	}
	return nil
}

// AuditLog returns up to limit entries with greater numbers than after.
func (s *Spool) AuditLog(after uint64, limit int) (log []AuditEntry, err error) {
	err = s.read(func(v *view) error {
		log = nil
		c := v.b[audit].Cursor()
		for k, _ := c.Seek(auditKey(after + 1)); k != nil && len(log) < limit; k, _ = c.Next() {
			var e AuditEntry
			if b, err := v.get(audit, k); err != nil || json.Unmarshal(b, &e) != nil {
				e = AuditEntry{What: "unreadable"}
			}
			log = append(log, e)
		}
		return nil
	})
	return log, err
}

// ErrAudit: the audit log's chain is broken: an entry was changed, removed or
// damaged.
var ErrAudit = errors.New("the audit log was changed or is damaged")

// pruneAudit removes up to limit entries that are past their time, oldest first,
// and tells whether it stopped because of limit. The last one's hash stays, so that
// the chain can still be followed from its new beginning.
func (t *txn) pruneAudit(limit int) (more bool, err error) {
	if t.s.set().RetainAudit <= 0 {
		return false, nil
	}
	var keys [][]byte
	old, hash := 0, ""
	c := t.b[audit].Cursor()
	for k, _ := c.First(); k != nil && len(keys) < limit; k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
		var e AuditEntry
		if b, err := t.get(audit, k); err != nil || json.Unmarshal(b, &e) != nil {
			continue // as old as the one after it
		}
		if t.s.opt.Now().Sub(e.At) < t.s.set().RetainAudit {
			break
		}
		old, hash = len(keys), e.Hash
	}
	if old == 0 {
		return false, nil
	}
	for _, k := range keys[:old] {
		if err := t.del(audit, k); err != nil {
			return false, err
		}
	}
	last := append(bytes.Clone(keys[old-1]), hash...)
	return old == limit, t.put(settings, keyAudited, last)
}

// auditBegin is the number and hash of the entry before the log's first.
func auditBegin(v *view) (n uint64, hash string) {
	b, err := v.get(settings, keyAudited)
	if err != nil || len(b) < 8 {
		return 0, ""
	}
	return be64(b), string(b[8:])
}

// VerifyAudit follows the chain of hashes from the first entry to the last.
func (s *Spool) VerifyAudit() error {
	return s.read(func(v *view) error {
		n, before := auditBegin(v)
		return v.b[audit].ForEach(func(k, _ []byte) error {
			n++
			b, err := v.get(audit, k)
			var e AuditEntry
			if err != nil || json.Unmarshal(b, &e) != nil || e.Number != n || e.Before != before || e.Hash != e.sum() {
				return fmt.Errorf("entry %d: %w", n, ErrAudit)
			}
			before = e.Hash
			return nil
		})
	})
}
