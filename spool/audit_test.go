package spool

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestAuditChain(t *testing.T) {
	s := openTemp(t, Options{})
	for i := range 5 {
		if err := s.Audit(context.Background(), "payload viewed", "a", Seq(i), "by admin"); err != nil {
			t.Fatal(err)
		}
	}
	log, err := s.AuditLog(0, 100)
	if err != nil || len(log) != 5 || s.VerifyAudit() != nil {
		t.Fatal(log, err)
	}
	err = s.submit(context.Background(), 0, func(tx *txn) error { return tx.del(audit, auditKey(3)) })
	if err != nil || !errors.Is(s.VerifyAudit(), ErrAudit) {
		t.Error("a removed entry is not noticed")
	}
}

func TestAuditLogIsPruned(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openTemp(t, Options{RetainAudit: 24 * time.Hour, Now: func() time.Time { return now }, hooks: hooks{noSync: true}})
	note := func(n int) {
		for i := range n {
			if err := s.Audit(context.Background(), "payload viewed", "a", Seq(i), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	prune := func(left int) {
		t.Helper()
		if err := s.command(context.Background(), func() error { s.prune(); return nil }); err != nil {
			t.Fatal(err)
		}
		if log, err := s.AuditLog(0, 1000); err != nil || len(log) != left {
			t.Errorf("%d entries are left, want %d, %v", len(log), left, err)
		}
		if err := s.VerifyAudit(); err != nil {
			t.Error(err)
		}
	}
	note(pruneBatch + 5)
	prune(pruneBatch + 5)
	now = now.Add(20 * time.Hour)
	note(3)
	now = now.Add(10 * time.Hour)
	prune(3)
	note(1)
	now = now.Add(100 * time.Hour)
	prune(0)
	note(2)
	prune(2)
	err := s.submit(context.Background(), 0, func(tx *txn) error {
		n, _ := auditBegin(&tx.view)
		return tx.del(audit, auditKey(n+1))
	})
	if err != nil || !errors.Is(s.VerifyAudit(), ErrAudit) {
		t.Error("the first entry can be removed unnoticed")
	}
}
