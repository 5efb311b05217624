package secretfile

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/labcourier/labcourier/agent/dpapi"
)

// Write puts secret into the file at path so that only the given user can read
// it: the service's. An empty user, or one that we may not give a file to, means
// the user that runs this. The folder is made if it is not there. A file that is
// there already is replaced in one step, so that a running agent reads the old
// secret or the new one.
func Write(path, secret, user string) (err error) {
	if secret == "" || len(secret) > MaxSize {
		return errors.New("write secret: it is empty, or larger than 64 KiB")
	}
	text := []byte(secret + "\n")
	if runtime.GOOS == "windows" {
		sealed, err := dpapi.Seal([]byte(secret), purpose)
		if err != nil {
			return fmt.Errorf("write secret: %w", err)
		}
		text = []byte(sealedMark + base64.StdEncoding.EncodeToString(sealed) + "\n")
	}
	dir := filepath.Dir(path)
	if err := makeDir(dir, user); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	f, err := os.CreateTemp(dir, ".secret-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write secret %s: %w", path, err)
		}
	}()
	// Before the secret is in it.
	if err := restrict(f.Name(), user); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// makeDir makes a folder that only user can look into. One that is there is left
// as it is.
func makeDir(dir, user string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // /etc/labcourier is for everybody to look into; the last folder is not
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return restrict(dir, user)
}
