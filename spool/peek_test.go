package spool

import "testing"

func TestPeekState(t *testing.T) {
	for st := Any; st <= Drafted; st++ {
		e := stateEntry{State: st, At: 1, Reason: &Reason{Code: `"s":9`}}
		if got := peekState(sealSmall([]byte("key"), e.encode())); got != st {
			t.Errorf("%v is stored as %v", st, got)
		}
	}
	for _, bad := range []string{"", "....", `....{"s":`, `....{"t":3}`, `....{"s":x}`, `....{"s":0}`} {
		if got := peekState([]byte(bad)); got != Any {
			t.Errorf("%q tells of %v", bad, got)
		}
	}
}
