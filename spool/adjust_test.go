package spool

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestAdjust: what an open spool is told counts from then on, for each lane.
func TestAdjust(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(path, Options{Reserve: -1, ResendWindow: time.Hour, hooks: hooks{noScrub: true}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		put := func(lane string) Seq {
			t.Helper()
			q, err := s.Put(t.Context(), Record{Lane: lane, Kind: "astm", Payload: []byte("the same bytes")})
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		own, other := put("own"), put("other")
		time.Sleep(time.Minute)
		s.Adjust(Options{Reserve: -1, ResendWindow: time.Hour, ResendWindows: map[string]time.Duration{"own": time.Second}, MaxPayload: 20})
		if q := put("own"); q == own {
			t.Error("the new window of the lane does not count")
		}
		if q := put("other"); q != other {
			t.Error("another lane lost its window")
		}
		if _, err := s.Put(t.Context(), Record{Lane: "own", Kind: "astm", Payload: make([]byte, 21)}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("the new size does not count: %v", err)
		}
		s.Adjust(Options{Reserve: 1 << 62})
		if err := s.Accepting(); !errors.Is(err, ErrFull) {
			t.Errorf("the new reserve does not count: %v", err)
		}
	})
}
