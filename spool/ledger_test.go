package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLedger: the crash suite must not take a torn line for a doubled message,
// and must see one that is.
func TestLedger(t *testing.T) {
	ack, dlv, other := noted("ack", "lane3/92/32", 7), noted("dlv", "lane3/92/32", "0123abcd"), noted("dlv", "lane3/92/32", "0123")
	for n := range dlv {
		torn := dlv[:n] + ack + dlv
		if got := checkText(t, torn); got.acknowledged != 1 || len(got.trouble) != 0 {
			t.Errorf("torn after %q: %+v", dlv[:n], got)
		}
	}
	if got := checkText(t, ack+other+dlv); len(got.trouble) != 1 {
		t.Errorf("delivered under two keys: %+v", got)
	}
	if got := checkText(t, noted("ack", "lane3/92/32", 8)); len(got.trouble) != 1 {
		t.Errorf("another number: %+v", got)
	}
	if got := checkText(t, ack+noted("ack", "lane3/92/33", 8)); got.acknowledged != 2 || got.missing != 1 {
		t.Errorf("a message that is not there: %+v", got)
	}
}

func noted(verb, id string, what any) string {
	var b strings.Builder
	note(&b, verb, id, what)
	return b.String()
}

func checkText(t *testing.T, ledger string) (got tally) {
	p := plan{Ledger: filepath.Join(t.TempDir(), "ledger")}
	if err := os.WriteFile(p.Ledger, []byte(ledger), 0o600); err != nil {
		t.Fatal(err)
	}
	p.checkLedger(&got, map[string][]Info{"lane3/92/32": {{Seq: 7, Lane: "lane3"}}})
	return got
}
