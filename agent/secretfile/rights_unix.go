//go:build !windows

package secretfile

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// Exposed says what is wrong with the rights on the file at path, and what to
// do; "" if nothing is, or if it cannot be looked at.
func Exposed(path string) (problem, remedy string) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return "", ""
	}
	return fmt.Sprintf("group or others have rights on it (mode %04o)", info.Mode().Perm()),
		"take them away: chmod 600 " + quote(path)
}

// quote writes a path as a shell takes it.
func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// restrict gives a file or folder to a user, if we are root and there is one of
// that name. Its mode is right already.
func restrict(path, name string) error {
	if name == "" || os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil //nolint:nilerr // before the package is installed there is none; the caller says so, see Owner
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Lchown(path, uid, gid)
}

// Owner is whom Write gives a file to when it is asked to give it to that user.
func Owner(name string) string {
	if name != "" && os.Geteuid() == 0 {
		if u, err := user.Lookup(name); err == nil {
			return u.Username
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Geteuid())
}
