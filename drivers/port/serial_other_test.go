//go:build !linux

package port

import "testing"

// addSerialBench adds nothing: there are no pseudo terminals to stand in for a
// line.
func addSerialBench(map[string]func(t *testing.T) bench) {}
