package secretfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/labcourier/labcourier/agent/dpapi"
)

// MaxSize is the largest file that is taken for a secret, in bytes.
const MaxSize = 64 << 10

const (
	// sealedMark begins a file whose secret is sealed; base64 follows.
	sealedMark = "labcourier-dpapi-1\n"

	// purpose ties what is sealed to this use.
	purpose = "labcourier secret"
)

// Read returns the secret that the file at path holds. One line end at its end
// is cut off.
func Read(path string) (string, error) { return read(path, true) }

// ReadCredential is Read for a file whose rights are somebody else's business:
// systemd's, for a credential.
func ReadCredential(path string) (string, error) { return read(path, false) }

func read(path string, guarded bool) (string, error) {
	if guarded {
		if problem, remedy := Exposed(path); problem != "" {
			return "", fmt.Errorf("read secret %s: %s; %s", path, problem, remedy)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret, err := decode(text)
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", path, err)
	}
	return secret, nil
}

// decode takes the secret out of a file's bytes.
func decode(text []byte) (string, error) {
	switch {
	case len(text) > MaxSize:
		return "", errors.New("the file is larger than 64 KiB")
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		// What PowerShell's > writes.
		return "", errors.New("the file is UTF-16: save it as UTF-8")
	case bytes.HasPrefix(text, []byte(sealedMark)):
		return open(text[len(sealedMark):])
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return "", errors.New("the file is empty")
	}
	return string(text), nil
}

func open(text []byte) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return "", errors.New("the sealed secret is damaged: set it again with `labcourier secret set`")
	}
	secret, err := dpapi.Open(sealed, purpose)
	if errors.Is(err, dpapi.ErrUnsupported) {
		return "", errors.New("the file is sealed for a Windows computer: set the secret again here with `labcourier secret set`")
	}
	return string(secret), err
}
