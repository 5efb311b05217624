package simulator

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestPTYDeadline: an analyzer on a line where nobody answers gives up.
func TestPTYDeadline(t *testing.T) {
	line, _, err := OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	c, err := line.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that nobody answers ends with %v", err)
	}
}
