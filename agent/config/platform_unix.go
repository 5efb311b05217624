//go:build !windows

package config

import "io/fs"

// DefaultDataDir is where the agent keeps its data if the file does not say.
func DefaultDataDir() string { return "/var/lib/labcourier" }

// oneAndAHalf: Linux cannot set 1.5 stop bits.
const oneAndAHalf = false

// exposed reports whether others than the owner have rights on a file.
func exposed(m fs.FileMode) bool { return m.Perm()&0o077 != 0 }
