package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tokenFile is the admin token's name in the data directory.
const tokenFile = "admin-token"

// Token is the secret that callers must know.
type Token string

// String hides the token.
func (Token) String() string { return "(admin token)" }

// GoString hides the token.
func (t Token) GoString() string { return t.String() }

// Matches compares without telling by its duration how much was right.
func (t Token) Matches(other string) bool {
	a, b := sha256.Sum256([]byte(t)), sha256.Sum256([]byte(other))
	return t != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// EnsureToken reads the data directory's token, and makes one if there is none.
func EnsureToken(dataDir string) (Token, error) {
	t, err := ReadToken(dataDir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("make admin token: %w", err)
	}
	t = Token(hex.EncodeToString(raw[:]))
	f, err := os.OpenFile(filepath.Join(dataDir, tokenFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("make admin token: %w", err)
	}
	_, err = f.WriteString(string(t) + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("write admin token: %w", err)
	}
	return t, nil
}

// ReadToken reads the data directory's token.
func ReadToken(dataDir string) (Token, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, tokenFile))
	if errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("read admin token: %w: run this as the service's user, as root or as administrator", err)
	}
	if err != nil {
		return "", fmt.Errorf("read admin token: %w", err)
	}
	t := Token(strings.TrimSpace(string(text)))
	if len(t) < 32 {
		return "", fmt.Errorf("admin token %s is damaged: delete it and start the agent again", tokenFile)
	}
	return t, nil
}

// TokenPath is where the token is in a data directory.
func TokenPath(dataDir string) string { return filepath.Join(dataDir, tokenFile) }
