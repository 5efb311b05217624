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
	"time"
)

// notesFile says of a release what a checksum cannot: what changed, and whether
// known vulnerabilities were looked for, and when. It has a day of its own in it
// and so is not among the checksums.
const notesFile = "NOTES.md"

// scanTime is how long govulncheck gets. Where its database is out of reach it
// says so in moments, but for a network that swallows everything.
const scanTime = 10 * time.Minute

// verdict is what there is to say of known vulnerabilities.
type verdict struct {
	text  string // for the notes
	why   string // what was said where nothing was checked; it may name this machine's places
	found bool   // there are some
}

// vulnerabilities asks govulncheck about every system. Its database is a service
// of its own that not every machine reaches: then the verdict is that nothing was
// checked.
func (r *release) vulnerabilities(ctx context.Context, programs []program) verdict {
	ctx, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	day := time.Now().UTC().Format(time.DateOnly)
	install := exec.CommandContext(ctx, "go", "install", "golang.org/x/vuln/cmd/govulncheck@latest")
	install.Dir, install.Env = r.work, append(os.Environ(), "GOBIN="+r.work, "GOFLAGS=")
	if said, err := install.CombinedOutput(); err != nil {
		return judge(day, "every system", string(said), errors.New("it cannot be had: "+err.Error()))
	}
	var all verdict
	for _, p := range programs {
		cmd := exec.CommandContext(ctx, filepath.Join(r.work, "govulncheck"), "-show", "version", "./...")
		cmd.Dir, cmd.Env = r.root, append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
		said, err := cmd.CombinedOutput()
		v := judge(day, p.os+"/"+p.arch, string(said), err)
		all.text, all.why, all.found = all.text+v.text, all.why+v.why, all.found || v.found
	}
	return all
}

// notAsked is the verdict of a release that was told to leave the question out.
func notAsked(now time.Time) verdict {
	return judge(now.UTC().Format(time.DateOnly), "every system", "", errors.New("it was left out of this run by -only"))
}

// judge puts what govulncheck said, or why it said nothing, into words. It ends
// with 3 where it found something, and with 0 where it looked and found nothing;
// anything else is no answer.
func judge(day, system, said string, err error) verdict {
	quoted := "\n```\n" + strings.TrimSpace(said) + "\n```\n"
	if strings.TrimSpace(said) == "" {
		quoted = ""
	}
	exit, ended := errors.AsType[*exec.ExitError](err)
	if ended && exit.ExitCode() != 3 {
		err = fmt.Errorf("it came to no clean end: %w", err)
	}
	switch {
	case err == nil && strings.Contains(said, "No vulnerabilities found"):
		return verdict{text: fmt.Sprintf("\ngovulncheck of %s, %s: none known.\n%s", system, day, quoted)}
	case ended && exit.ExitCode() == 3:
		return verdict{found: true, text: fmt.Sprintf("\ngovulncheck of %s, %s: **VULNERABILITIES FOUND.**\n%s", system, day, quoted)}
	case err == nil:
		err = errors.New("it did not say that it found none")
	}
	return verdict{why: quoted, text: fmt.Sprintf("\ngovulncheck of %s, %s: **NOT CHECKED**, since %v.\n"+
		"Nothing is known about vulnerabilities in this build. Run `govulncheck ./...` at its commit\n"+
		"where https://vuln.go.dev is reachable before it is published.\n", system, day, err)}
}

// notes writes what people read before they install.
func (r *release) notes(v verdict) error {
	changes, err := os.ReadFile(r.at("CHANGELOG.md"))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# labcourier %s\n\nCommit %s of %s. `sha256sum --check %s` checks the files.\n",
		r.version.full(), r.version.commit, r.version.time.Format(time.DateOnly), sumsFile)
	fmt.Fprintf(&text, "\n## Known vulnerabilities\n%s", v.text)
	fmt.Fprintf(&text, "\n## Changes\n\n%s\n", latest(string(changes)))
	if err := os.WriteFile(filepath.Join(r.out, notesFile), text.Bytes(), 0o644); err != nil { //nolint:gosec // G306: it is published
		return err
	}
	fmt.Fprintf(r.say, "%s\n%s", strings.TrimSpace(v.text), v.why)
	if v.found {
		return fmt.Errorf("govulncheck found vulnerabilities, see %s: mend them, then release", filepath.Join(r.out, notesFile))
	}
	return nil
}

// latest is the newest part of a changelog, without its heading.
func latest(changes string) string {
	parts := strings.Split("\n"+changes, "\n## ")
	if len(parts) < 2 {
		return strings.TrimSpace(changes)
	}
	_, body, _ := strings.Cut(parts[1], "\n")
	return strings.TrimSpace(body)
}
