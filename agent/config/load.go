package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/labcourier/labcourier/configs"
	"github.com/labcourier/labcourier/drivers"
)

// maxFile is the largest configuration that is read.
const maxFile = 1 << 20

// manyFaults is how many faults are enough not to look for more with the
// library, whose time grows with the square of a table's keys.
const manyFaults = 100

// Load reads the file at path for a program that has these kinds of drivers.
// Secrets are not read but looked for. An error is Faults, all of them.
func Load(path string, kinds []drivers.Kind) (*Config, error) {
	text, problem, hint := readFile(path)
	if problem != "" {
		return nil, Faults{{File: path, Problem: problem, Hint: hint}}
	}
	return Parse(path, text, kinds)
}

func readFile(path string) (text []byte, problem, hint string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "there is no such file", "give the place of the configuration with --config FILE"
	case errors.Is(err, fs.ErrPermission):
		return nil, "this file may not be read", "run as the user it belongs to, or let the service's user read it"
	case err == nil && info.IsDir():
		return nil, "this is a folder, not a file", "give the file in it: " + filepath.Join(path, "labcourier.toml")
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, "this file may not be read", "run as the user it belongs to, or let the service's user read it"
	}
	if err != nil {
		return nil, "this file cannot be read: " + cause(err), "check the path and the disk"
	}
	return text, "", ""
}

// Parse reads the text of a configuration. The name stands in faults, and its
// folder is where relative paths start; it need not exist.
func Parse(name string, text []byte, kinds []drivers.Kind) (*Config, error) {
	return parseWith(configs.Profiles(), name, text, kinds)
}

// Secrets lists what the file at path says of secrets, in a file that has faults,
// too, which are then the error. It is for looking after the secrets themselves.
func Secrets(path string, kinds []drivers.Kind) ([]SecretUse, []Fault, error) {
	text, problem, hint := readFile(path)
	if problem != "" {
		return nil, nil, Faults{{File: path, Problem: problem, Hint: hint}}
	}
	c, _ := judge(configs.Profiles(), path, text, kinds)
	return c.secrets, c.warnings, asError(c.faults)
}

func parseWith(profiles fs.FS, name string, text []byte, kinds []drivers.Kind) (*Config, error) {
	c, cfg := judge(profiles, name, text, kinds)
	if err := asError(c.faults); err != nil {
		return nil, err
	}
	cfg.Secrets = c.secrets
	sortFaults(c.warnings)
	cfg.Warnings = c.warnings
	return cfg, nil
}

// judge reads a configuration and returns what is to be said of it.
func judge(profiles fs.FS, name string, text []byte, kinds []drivers.Kind) (*checker, *Config) {
	c := newChecker(name, kinds, profiles)
	if f, ok := wholeFile(text); !ok {
		f.File = name
		c.faults = []Fault{f}
		return c, nil
	}
	sum := sha256.Sum256(text)
	text = slices.Clone(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if f, ok := encoded(text); !ok {
		f.File = name
		c.faults = []Fault{f}
		return c, nil
	}
	d := readDocument(text)
	for _, f := range d.flaws() {
		c.faults = append(c.faults, newFault(name, f.at, path{}, f.problem, f.hint))
	}
	cfg := &Config{File: name, digest: hex.EncodeToString(sum[:])}
	if d.whole {
		c.check(d.root, cfg)
	}
	if d.whole && len(d.flaws()) == 0 && len(c.faults) < manyFaults {
		if f, ok := d.lastWord(); ok && !c.faulty(f.at.line) {
			c.faults = append(c.faults, newFault(name, f.at, path{}, f.problem, f.hint))
		}
	}
	return c, cfg
}

// wholeFile says what is wrong with a file that is no configuration at all.
func wholeFile(text []byte) (Fault, bool) {
	switch {
	case len(text) > maxFile:
		return Fault{Problem: "this file is larger than 1 MiB", Hint: "check that it is the configuration"}, false
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return Fault{Problem: "this file is UTF-16", Hint: "save it as UTF-8"}, false
	case len(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))) == 0:
		return Fault{Problem: "this file is empty", Hint: "start from the example file, labcourier.toml"}, false
	}
	return Fault{}, true
}

// encoded finds the first byte that is not UTF-8.
func encoded(text []byte) (Fault, bool) {
	s := newSource(text)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			at := s.place(i)
			return Fault{Line: at.line, Column: at.column, Problem: "this line is not UTF-8",
				Hint: "save the file as UTF-8: an editor may call the present form ANSI or Latin-1"}, false
		}
		i += n
	}
	return Fault{}, true
}
