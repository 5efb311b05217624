package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Probe tries, as the user that this program runs as, what the driver needs to do
// in a folder. It returns what is wrong and what to do about it, or "". Nothing is
// left behind.
func Probe(o Options) (problem, hint string) {
	o = o.withDefaults()
	info, err := os.Stat(o.Path)
	switch {
	case err != nil:
		return "cannot be found: " + cause(err), "make the folder, or check that the share is mounted"
	case !info.IsDir():
		return "is a file", "name the folder that it lies in"
	}
	if _, err := os.ReadDir(o.Path); err != nil {
		return "cannot be read: " + cause(err), "let the service's account read the folder"
	}
	f, err := os.CreateTemp(o.Path, ".labcourier-check-*")
	if err != nil {
		return "is a folder out of which nothing can be moved: " + cause(err), "let the service's account write to the folder"
	}
	name := f.Name()
	defer func() { _ = os.Remove(name) }()
	if err := f.Close(); err != nil {
		return "cannot be written to: " + cause(err), "check the disk or share"
	}
	switch info, err := os.Stat(o.done()); {
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(o.done()) == filepath.Clean(o.Path):
		return "", "" // it will be made, in a folder that can be written to
	case err != nil:
		return "has a done folder that cannot be found: " + cause(err), "make the done folder"
	case !info.IsDir():
		return "has a done folder that is a file", "give done another name"
	}
	to := filepath.Join(o.done(), filepath.Base(name))
	if err := os.Rename(name, to); err != nil {
		return "is a folder out of which nothing can be moved to done: " + cause(err),
			"let the service's account write to the done folder, and keep it on the same disk or share"
	}
	name = to
	return "", ""
}
