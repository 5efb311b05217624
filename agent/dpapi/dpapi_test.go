package dpapi

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	sealed, err := Seal([]byte("hush"), "a test")
	if runtime.GOOS != "windows" {
		if _, open := Open([]byte("x"), "a test"); !errors.Is(err, ErrUnsupported) || !errors.Is(open, ErrUnsupported) {
			t.Errorf("%v, %v", err, open)
		}
		return
	}
	if err != nil || bytes.Contains(sealed, []byte("hush")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if got, err := Open(sealed, "a test"); err != nil || string(got) != "hush" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Open(sealed, "another purpose"); err == nil {
		t.Error("opened for another purpose")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := Open(sealed, "a test"); err == nil {
		t.Error("opened after damage")
	}
}
