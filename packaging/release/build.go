package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is labcourier built for one system.
type program struct{ os, arch, path string }

// name is what files for it are called.
func (r *release) name(p program) string {
	return fmt.Sprintf("labcourier_%s_%s_%s", r.version.full(), p.os, p.arch)
}

// build builds labcourier for a system such as linux/amd64. Neither this
// machine's paths nor its time are in what comes out.
func (r *release) build(ctx context.Context, target string) (program, error) {
	system, arch, ok := strings.Cut(target, "/")
	if !ok {
		return program{}, fmt.Errorf("%q is no system of the form linux/amd64", target)
	}
	p := program{system, arch, filepath.Join(r.work, system+"-"+arch, "labcourier")}
	if system == "windows" {
		p.path += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", fmt.Sprintf("-s -w -buildid= -X main.version=%s -X main.commit=%s", r.version.full(), r.version.commit),
		"-o", p.path, "./cmd/labcourier")
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("build for %s: %w: %s", target, err, bytes.TrimSpace(out))
	}
	info, err := os.Stat(p.path)
	if err != nil {
		return p, err
	}
	if info.Size() >= r.limit {
		return p, fmt.Errorf("the program for %s has %d bytes, the limit is %d", target, info.Size(), r.limit)
	}
	fmt.Fprintf(r.say, "%s: %.1f MiB\n", target, float64(info.Size())/(1<<20))
	return p, nil
}

// file is one file of a package: where it comes from and where it goes.
type file struct{ source, name string }

// generate lets the program write its own completions and, where it knows how,
// its manual pages.
func (r *release) generate(ctx context.Context) ([]file, error) {
	self := filepath.Join(r.work, "self")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", self, "./cmd/labcourier")
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build for this machine: %w: %s", err, bytes.TrimSpace(out))
	}
	var files []file
	for shell, place := range map[string]string{
		"bash": "usr/share/bash-completion/completions/labcourier",
		"zsh":  "usr/share/zsh/vendor-completions/_labcourier",
		"fish": "usr/share/fish/vendor_completions.d/labcourier.fish",
	} {
		text, err := output(ctx, r.root, self, "completion", shell)
		if err != nil {
			return nil, fmt.Errorf("write the completion of %s: %w", shell, err)
		}
		source := filepath.Join(r.work, "completion-"+shell)
		if err := os.WriteFile(source, []byte(text+"\n"), 0o600); err != nil {
			return nil, err
		}
		files = append(files, file{source, place})
	}
	pages, err := r.manual(ctx, self)
	return append(files, pages...), err
}

func (r *release) manual(ctx context.Context, self string) (files []file, err error) {
	dir := filepath.Join(r.work, "man")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "man", dir)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.version.time.Unix()))
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), `no command "man"`) {
			fmt.Fprintln(r.say, "no manual pages: this labcourier has no command man")
			return nil, nil
		}
		return nil, fmt.Errorf("write the manual pages: %w: %s", err, bytes.TrimSpace(out))
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 0 {
		err = errors.New("labcourier man wrote nothing")
	}
	for _, e := range entries {
		files = append(files, file{filepath.Join(dir, e.Name()), "usr/share/man/man1/" + e.Name()})
	}
	return files, err
}
