package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// HeldBy tells, with a [LockedError], that a process has the spool in the
// database file path open; nil means that none has. It reads nothing of the
// spool and changes nothing. For an instant it has the lock itself.
func HeldBy(path string) error {
	f, err := os.OpenFile(path+lockSuffix, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the lock of spool %s: %w", path, err)
	}
	defer f.Close()
	held, err := lockFile(f)
	if err != nil {
		return fmt.Errorf("look at the lock of spool %s: %w", path, err)
	}
	if held {
		return heldBy(path, f)
	}
	return nil
}

// DiskFree is the free space, in bytes, of the disk that a folder is on, as the
// spool sees it.
func DiskFree(dir string) (uint64, error) {
	free, _, err := diskFree(filepath.Clean(dir))
	return free, err
}
