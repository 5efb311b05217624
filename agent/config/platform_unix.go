//go:build !windows

package config

// DefaultDataDir is where the agent keeps its data if the file does not say.
func DefaultDataDir() string { return "/var/lib/labcourier" }

// oneAndAHalf: Linux cannot set 1.5 stop bits.
const oneAndAHalf = false
