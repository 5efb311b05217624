package spool

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Records that came together are stored together and in their order, or refused.
func TestPutAll(t *testing.T) {
	s := openTemp(t, Options{MaxPayload: 100})
	var records []Record
	for i := range 500 {
		records = append(records, msg("a", fmt.Sprintf("message %03d", i)))
	}
	seqs, err := s.PutAll(t.Context(), records)
	if err != nil || len(seqs) != len(records) {
		t.Fatalf("%d, %v", len(seqs), err)
	}
	for i, r := range records {
		got := next(t, s, "a")
		if got.Seq != seqs[i] || string(got.Payload) != string(r.Payload) {
			t.Fatalf("record %d is %d, %q", i, got.Seq, got.Payload)
		}
		if err := s.Done("a", got.Seq, Receipt{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PutAll(t.Context(), []Record{msg("a", "new"), msg("a", strings.Repeat("x", 200))}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if !empty(s, "a") {
		t.Error("a part of a refused batch was stored")
	}
}
