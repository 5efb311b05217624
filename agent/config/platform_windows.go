package config

import (
	"cmp"
	"os"
	"path/filepath"
)

// DefaultDataDir is where the agent keeps its data if the file does not say.
func DefaultDataDir() string {
	return filepath.Join(cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`), "labcourier")
}

// oneAndAHalf: Windows can set 1.5 stop bits.
const oneAndAHalf = true
