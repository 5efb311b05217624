package config

import (
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/labcourier/labcourier/agent/secretfile"
)

// Secret is where a secret comes from. It is read each time it is needed. It
// never shows the secret, nor where it is: neither when it is printed, by any
// verb, nor as JSON. The zero Secret is not given.
type Secret struct {
	from string // the kind of source
	id   string // tells one source from another; it shows nothing of a secret
	read func() (string, error)
}

// SecretUse is one secret that the file names.
type SecretUse struct {
	Key    string // "server.auth.client_secret_file"
	Where  string // the path, or the name of the variable or credential; "" in the file itself
	Secret Secret
}

var (
	_ fmt.Formatter          = Secret{}
	_ encoding.TextMarshaler = Secret{}
)

// ErrNoSecret is returned by Read for a secret that is not given.
var ErrNoSecret = errors.New("no secret is given")

// Inline returns a secret that is kept in memory.
func Inline(value string) Secret {
	sum := sha256.Sum256([]byte(value))
	return Secret{"configuration", string(sum[:]), func() (string, error) { return value, nil }}
}

// FileSecret returns the secret that the file at path holds.
func FileSecret(path string) Secret {
	return Secret{"file", path, func() (string, error) { return secretfile.Read(path) }}
}

// EnvSecret returns the secret in the environment variable of that name.
func EnvSecret(name string) Secret {
	return Secret{"environment", name, func() (string, error) {
		if v := os.Getenv(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("read secret from environment variable %s: it is not set", name)
	}}
}

// CredentialSecret returns the systemd credential of that name.
func CredentialSecret(name string) Secret {
	return Secret{"systemd credential", name, func() (string, error) {
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("read systemd credential %s: CREDENTIALS_DIRECTORY is not set", name)
		}
		return secretfile.ReadCredential(filepath.Join(dir, name))
	}}
}

// Given reports whether there is a source.
func (s Secret) Given() bool { return s.read != nil }

// Source is the kind of source: "file", "environment" and the like.
func (s Secret) Source() string { return s.from }

// Read returns the secret as it is now. One line end at its end is cut off. Its
// errors do not hold it.
func (s Secret) Read() (string, error) {
	if s.read == nil {
		return "", ErrNoSecret
	}
	return s.read()
}

// String says where the secret comes from, in general.
func (s Secret) String() string {
	if s.read == nil {
		return "[no secret]"
	}
	return "[secret from " + s.from + "]"
}

// Format writes String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// sealed is a secret on its way out of the file. It hides the value behind a
// function, which no way of printing goes through.
type sealed struct{ reveal func() string }

// UnmarshalText keeps text.
func (s *sealed) UnmarshalText(text []byte) error {
	value := string(text)
	s.reveal = func() string { return value }
	return nil
}
