//go:build !windows

package doctor

import (
	"fmt"
	"io/fs"
)

// openDir says what is wrong with the rights on the data directory.
func openDir(dir string, info fs.FileInfo) (problem, remedy string) {
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return fmt.Sprintf("everybody has rights (mode %04o)", mode), fmt.Sprintf("take them away: chmod 700 '%s'", dir)
	}
	return "", ""
}
