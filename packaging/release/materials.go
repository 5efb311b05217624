package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// licenceFile lists what labcourier is made of, with the licences.
const licenceFile = "LICENCES.txt"

// licences writes the licence of every module in any of the programs. A module
// without one is a fault: it may not be passed on.
func (r *release) licences(ctx context.Context, programs []program) error {
	modules, goVersion, err := modulesOf(programs)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "labcourier %s and what it is made of, with their licences.\n", r.version.full())
	add := func(name, dir string) error {
		found, err := licenceIn(dir)
		if err != nil {
			return fmt.Errorf("licence of %s: %w", name, err)
		}
		fmt.Fprintf(&text, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 78), name, bytes.TrimSpace(found))
		return nil
	}
	if err := add("labcourier", r.root); err != nil {
		return err
	}
	goroot, err := output(ctx, r.root, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	if err := add("the Go standard library, "+goVersion, goroot); err != nil {
		return err
	}
	for _, m := range modules {
		dir, err := output(ctx, r.root, "go", "list", "-m", "-f", "{{.Dir}}", m.Path)
		if err != nil {
			return err
		}
		if err := add(m.Path+" "+m.Version, dir); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(r.out, licenceFile), text.Bytes(), 0o644) //nolint:gosec // G306: it is published
}

// modulesOf lists the modules in any of the programs, by path: each system has
// its own.
func modulesOf(programs []program) (modules []debug.Module, goVersion string, err error) {
	seen := map[string]debug.Module{}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p.path)
		if err != nil {
			return nil, "", fmt.Errorf("read what the program is made of: %w", err)
		}
		goVersion = info.GoVersion
		for _, m := range depsOf(info) {
			seen[m.Path] = m
		}
	}
	for _, path := range slices.Sorted(maps.Keys(seen)) {
		modules = append(modules, seen[path])
	}
	return modules, goVersion, nil
}

// depsOf lists a program's modules as they were linked: where one replaces
// another, the code is the replacement's.
func depsOf(info *buildinfo.BuildInfo) (modules []debug.Module) {
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, *m)
	}
	return modules
}

// licenceIn reads a folder's licence, and the notice that goes with some.
func licenceIn(dir string) ([]byte, error) {
	text, err := firstOf(dir, "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "License")
	if err != nil {
		return nil, err
	}
	if text == nil && filepath.Base(dir) == "go" { // as Debian and others lay Go out
		text, err = firstOf(filepath.Dir(dir), "LICENSE")
	}
	if err == nil && text == nil {
		err = errors.New("none found")
	}
	if err != nil {
		return nil, err
	}
	notice, err := firstOf(dir, "NOTICE", "NOTICE.txt", "NOTICE.md")
	if notice != nil {
		text = slices.Concat(bytes.TrimSpace(text), []byte("\n\n"), notice)
	}
	return text, err
}

// firstOf reads the first of the files that is there; nil: none is.
func firstOf(dir string, names ...string) ([]byte, error) {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if !errors.Is(err, os.ErrNotExist) {
			return text, err
		}
	}
	return nil, nil
}

// sumsFile has the checksums, in the form of sha256sum.
const sumsFile = "SHA256SUMS"

// sums writes the checksums of all that is released.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, e := range entries {
		sum, err := sumOf(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, e.Name())
	}
	fmt.Fprint(r.say, text.String())
	return os.WriteFile(filepath.Join(r.out, sumsFile), []byte(text.String()), 0o644) //nolint:gosec // G306: it is published
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
