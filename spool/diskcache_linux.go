package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropCache makes the next read of f come from the disk. After a failed flush
// Linux keeps pages as clean that never got there: reading them back would
// prove nothing.
func dropCache(f *os.File) error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
