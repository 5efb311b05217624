package spool

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Damage is one event in which stored bytes could not be read back.
type Damage struct {
	At       time.Time `json:"at"`
	What     string    `json:"what"`                // what was found, in words
	SetAside string    `json:"set_aside,omitempty"` // where the damaged file is kept
	Salvaged uint64    `json:"salvaged,omitempty"`  // records read from it
	Lost     []Range   `json:"lost,omitempty"`
}

// Range is a run of records that are lost, or may be.
type Range struct {
	Lane      string `json:"lane,omitempty"` // "": not known
	From      Seq    `json:"from"`
	To        Seq    `json:"to"`
	Count     uint64 `json:"count"`               // records known to be lost in it
	Uncertain bool   `json:"uncertain,omitempty"` // there may have been records in it
}

// maxDamage bounds the events and the ranges of an event that are kept.
const maxDamage, maxRanges = 16, 1000

func readDamage(v *view) []Damage {
	b, err := v.get(settings, keyDamage)
	if err != nil {
		return nil
	}
	return decodeDamage(b)
}

func decodeDamage(b []byte) (d []Damage) {
	if json.Unmarshal(b, &d) != nil {
		return nil
	}
	return d
}

func encodeDamage(d []Damage) ([]byte, error) {
	if len(d) > maxDamage {
		d = d[len(d)-maxDamage:]
	}
	return json.Marshal(d)
}

// lost adds a range to the damage report, in the transaction that takes the
// record out of the way.
func (t *txn) lost(r Range) error {
	const what = "a stored message fails its checksum"
	d := readDamage(&t.view)
	if n := len(d); n == 0 || d[n-1].What != what || len(d[n-1].Lost) >= maxRanges {
		d = append(d, Damage{At: t.s.opt.Now().UTC(), What: what})
	}
	last := &d[len(d)-1]
	last.Lost = append(last.Lost, r)
	return t.putDamage(d)
}

func (t *txn) putDamage(d []Damage) error {
	b, err := encodeDamage(d)
	if err != nil {
		return err
	}
	t.damage, t.damageSet = d, true
	return t.put(settings, keyDamage, b)
}

// ClearDamage forgets the damage report after a person has seen to it. The
// audit log keeps that it was cleared, and why.
func (s *Spool) ClearDamage(ctx context.Context, note string) error {
	err := s.submit(ctx, 0, func(t *txn) error {
		if err := t.audit("damage cleared", "", 0, note); err != nil {
			return err
		}
		return t.putDamage(nil)
	})
	if err != nil {
		return fmt.Errorf("clear damage report: %w", err)
	}
	return nil
}
