package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile reports held when another process has the lock. The locked byte
// lies far behind the text: a locked range cannot be read by others.
func lockFile(f *os.File) (held bool, err error) {
	at := &windows.Overlapped{OffsetHigh: 1 << 20}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return true, nil
	}
	return false, err
}

// syncDir has nothing to do: NTFS journals a rename itself, and a folder
// cannot be flushed.
func syncDir(string) error { return nil }

// giveAway has nothing to do: who may open a file is said by its folder.
func giveAway(*os.File) {}

func diskFree(dir string) (free, total uint64, err error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	var all uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, &total, &all); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return free, total, nil
}

// errIO is what a disk answers that cannot read a block.
const errIO = windows.ERROR_CRC

// errNoSpace is a full disk, as the system says it.
const errNoSpace = windows.ERROR_DISK_FULL

func isNoSpace(err error) bool {
	return errors.Is(err, errNoSpace) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
