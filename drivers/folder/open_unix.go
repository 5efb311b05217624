//go:build unix

package folder

import (
	"os"
	"syscall"
)

// openFile opens a file for reading. A symbolic link that took its place is not
// followed, and a pipe is not waited for.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// inUse reports whether an error says that another program has the file open.
func inUse(error) bool { return false }

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
