package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// maxProgram is the size that no program may reach.
const maxProgram = 20 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one run.
type release struct {
	root    string // of the repository
	out     string // what is released
	work    string // what is made on the way
	version version
	limit   int64 // bytes that no program may reach
	say     io.Writer
}

func run(ctx context.Context, args []string, say io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	out := flags.String("out", "dist", "the `folder` to write to; it must not exist, or be empty")
	only := flags.String("only", "", "of `deb,rpm,msi,archives,sbom,vuln` these; all if empty")
	as := flags.String("version", "", "the version, instead of git's")
	targets := flags.String("targets", "linux/amd64,linux/arm64,windows/amd64", "the `systems` to build for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r := &release{say: say, limit: maxProgram}
	root, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("find the repository: %w", err)
	}
	r.root = root
	if r.version, err = r.readVersion(ctx, *as); err != nil {
		return err
	}
	if r.out, err = emptyFolder(*out); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "labcourier-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	fmt.Fprintf(say, "labcourier %s of %s\n", r.version.full(), r.version.time.Format(time.RFC3339))
	return r.make(ctx, strings.Split(*targets, ","), wanted(*only))
}

// wanted tells which parts to make.
func wanted(only string) func(part string) bool {
	return func(part string) bool {
		return only == "" || strings.Contains(","+only+",", ","+part+",")
	}
}

func (r *release) make(ctx context.Context, targets []string, want func(string) bool) error {
	var programs []program
	for _, t := range targets {
		p, err := r.build(ctx, t)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	shared, err := r.generate(ctx)
	if err != nil {
		return err
	}
	if err := r.licences(ctx, programs); err != nil {
		return err
	}
	for _, p := range programs {
		if err := r.pack(ctx, p, shared, want); err != nil {
			return err
		}
	}
	if err := r.sums(); err != nil {
		return err
	}
	if want("vuln") {
		return r.notes(r.vulnerabilities(ctx, programs))
	}
	return r.notes(notAsked(time.Now()))
}

// pack makes what there is for one program.
func (r *release) pack(ctx context.Context, p program, shared []file, want func(string) bool) error {
	if want("sbom") {
		if err := r.sbom(p); err != nil {
			return err
		}
	}
	if want("archives") {
		if err := r.archive(p, shared); err != nil {
			return err
		}
	}
	for _, format := range []string{"deb", "rpm"} {
		if p.os == "linux" && want(format) {
			if err := r.linuxPackage(format, p, shared); err != nil {
				return err
			}
		}
	}
	if p.os == "windows" && want("msi") {
		return r.msi(ctx, p)
	}
	return nil
}

func emptyFolder(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: it is published
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty: give a new folder", dir)
	}
	return filepath.Abs(dir)
}

// output runs a command in dir and returns what it says.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	text, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(text)), err
}
