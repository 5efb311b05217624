//go:build unix

package sandbox_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// A lost answer is a reset, not a polite end: the client sees what a power cut
// or a firewall leaves.
func TestLostAnswerResets(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.SetFault(sandbox.Always(sandbox.LostAnswer()))
	if _, _, err := s.post(t.Context(), bundleOf("batch", conditional(1, "a"))); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v", err)
	}
}
