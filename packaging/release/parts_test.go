package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVersionFromGit(t *testing.T) {
	dir, git := repository(t)
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "--message=one")
	git("commit", "--quiet", "--allow-empty", "--message=two")
	r := &release{root: dir}
	read := func(given string) version {
		t.Helper()
		v, err := r.readVersion(t.Context(), given)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.commit) != 12 || v.time.Unix() != 1774000000 || v.time.Location() != time.UTC {
			t.Errorf("%+v", v)
		}
		return v
	}
	for _, c := range []struct{ tag, given, full, msi string }{
		{full: "0.1.0-dev.2", msi: "0.0.2"},
		{given: "4.5.6", full: "4.5.6", msi: "4.5.6"},
		{given: "v4.5.6-rc.1", full: "4.5.6-rc.1", msi: "0.0.2"},
		{tag: "other-1", full: "0.1.0-dev.2", msi: "0.0.2"}, // is no version
		{tag: "v1.2.3", full: "1.2.3", msi: "1.2.3"},
		{given: "4.5.6", full: "4.5.6", msi: "4.5.6"}, // goes before the tag
	} {
		if c.tag != "" {
			git("tag", c.tag)
		}
		if v := read(c.given); v.full() != c.full || v.msi() != c.msi {
			t.Errorf("%+v gives %s and %s", c, v.full(), v.msi())
		}
	}
	git("commit", "--quiet", "--allow-empty", "--message=after the release")
	if v := read(""); v.full() != "0.1.0-dev.3" {
		t.Errorf("after a release: %s", v.full())
	}
	git("tag", "v1.2")
	for _, given := range []string{"", "1.2", "x", "1.2.3 4", "1.2.3-"} {
		if v, err := r.readVersion(t.Context(), given); err == nil {
			t.Errorf("%q gives %s", given, v.full())
		}
	}
	if _, err := (&release{root: t.TempDir()}).readVersion(t.Context(), ""); err == nil {
		t.Error("a folder without git has a version")
	}
}

func TestBill(t *testing.T) {
	info := &buildinfo.BuildInfo{GoVersion: "go1.26.1", Main: debug.Module{Path: "example.org/x"}, Deps: []*debug.Module{
		{Path: "example.org/a", Version: "v1.0.0", Sum: "h1:a"},
		{Path: "example.org/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/fork", Version: "v2.0.0", Sum: "h1:f"}},
	}}
	v := version{number: "1.2.3", commit: "0123456789ab", time: time.Unix(1774000000, 0).UTC()}
	bom := bill(v, program{os: "windows", arch: "amd64"}, info, "00ff")
	if missing := unlisted(bom, []string{"std 1.26.1", "example.org/a v1.0.0", "example.org/fork v2.0.0"}); len(missing) > 0 || len(*bom.Components) != 3 {
		t.Errorf("it lacks %v: %+v", missing, *bom.Components)
	}
	if deps := *(*bom.Dependencies)[0].Dependencies; len(deps) != 3 {
		t.Errorf("labcourier needs %v", deps)
	}
	if bom.SerialNumber != "" || bom.Metadata.Timestamp != "2026-03-20T09:46:40Z" {
		t.Errorf("it would differ from one made later: %s %s", bom.SerialNumber, bom.Metadata.Timestamp)
	}
}

func TestLicenceIn(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string // each holds its own name
		want  string   // "": none
	}{
		{name: "none", files: []string{"README", "LICENSE-of-something/else"}},
		{name: "one", files: []string{"LICENSE.md"}, want: "LICENSE.md"},
		{name: "British", files: []string{"LICENCE"}, want: "LICENCE"},
		{name: "with a notice", files: []string{"COPYING", "NOTICE.txt"}, want: "COPYING\n\nNOTICE.txt"},
		{name: "notice alone", files: []string{"NOTICE"}},
		{name: "go", files: []string{"../LICENSE"}, want: "../LICENSE"}, // Go as distributions lay it out
		{name: "nogo", files: []string{"../LICENSE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "above", c.name)
			for _, f := range c.files {
				at := filepath.Join(dir, f)
				if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, []byte(f), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text, err := licenceIn(dir)
			if string(text) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q %v, want %q", text, err, c.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	exit := func(code string) error {
		return exec.CommandContext(context.Background(), "sh", "-c", "exit "+code).Run()
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell here")
	}
	for _, c := range []struct {
		said  string
		err   error
		want  string
		found bool
	}{
		{said: "No vulnerabilities found.\n", want: "none known"},
		{said: "", want: "NOT CHECKED"},
		{said: "something else", want: "NOT CHECKED"},
		{said: "Vulnerability #1: GO-2026-0001", err: exit("3"), want: "VULNERABILITIES FOUND", found: true},
		{said: "dial tcp: lookup vuln.go.dev: no such host", err: exit("1"), want: "NOT CHECKED"},
		{said: "No vulnerabilities found.", err: exit("1"), want: "NOT CHECKED"},
		{said: "usage", err: exit("2"), want: "NOT CHECKED"},
		{err: context.DeadlineExceeded, want: "NOT CHECKED"},
		{err: errors.New("not in the path"), want: "NOT CHECKED"},
	} {
		v := judge("2026-11-22", "linux/amd64", c.said, c.err)
		if !strings.Contains(v.text, c.want) || v.found != c.found || !strings.Contains(v.text, "2026-11-22") || !strings.Contains(v.text+v.why, strings.TrimSpace(c.said)) {
			t.Errorf("%q, %v: %+v", c.said, c.err, v)
		}
		if c.want != "none known" && strings.Contains(v.text, "none known") {
			t.Errorf("%q, %v pretends: %s", c.said, c.err, v.text)
		}
	}
}

func TestNotes(t *testing.T) {
	r := &release{root: t.TempDir(), out: t.TempDir(), say: new(bytes.Buffer), version: version{number: "1.2.3", commit: "0123456789ab"}}
	if err := os.WriteFile(r.at("CHANGELOG.md"), []byte("# Changelog\n\n## 1.2.3\n\n- new\n\n## 1.2.2\n\n- old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.notes(notAsked(time.Now())); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(r.out, notesFile))
	if !strings.Contains(text, "- new") || strings.Contains(text, "- old") || !strings.Contains(text, "NOT CHECKED") {
		t.Errorf("%s", text)
	}
	if err := r.notes(verdict{text: "some", found: true}); err == nil {
		t.Error("a release with known vulnerabilities is a success")
	}
}

func TestArchivesAreTheSameEachTime(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "labcourier")
	r := &release{version: version{time: time.Unix(1774000000, 0).UTC()}}
	made := map[string][]byte{}
	for n := range 2 {
		if err := os.WriteFile(source, []byte("the program"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(source, time.Now(), time.Unix(1e9+int64(n), 0)); err != nil {
			t.Fatal(err)
		}
		for name, pack := range map[string]func(out *bytes.Buffer) error{
			"tar": func(out *bytes.Buffer) error { return r.tar(out, []file{{source, "labcourier"}}) },
			"zip": func(out *bytes.Buffer) error { return r.zip(out, []file{{source, "labcourier"}}) },
		} {
			var out bytes.Buffer
			if err := pack(&out); err != nil {
				t.Fatal(err)
			}
			if n > 0 && !bytes.Equal(made[name], out.Bytes()) {
				t.Errorf("the %s differs", name)
			}
			made[name] = out.Bytes()
		}
	}
}

func TestIdentifiersOfTheMSI(t *testing.T) {
	if a, b := guid("product 1.2.3"), guid("product 1.2.4"); a == b || a != guid("product 1.2.3") || len(a) != 38 {
		t.Errorf("%s %s", a, b)
	}
	if f := filetime(time.Date(1601, 1, 1, 0, 0, 1, 0, time.UTC)); f != 1e7 {
		t.Errorf("a second after 1601 is %d", f)
	}
}

func TestDateAs(t *testing.T) {
	as := time.Unix(1774000000, 0)
	stamped := func(times ...time.Time) []byte {
		text := bytes.Repeat([]byte{1}, 8)
		for _, at := range times {
			text = binary.LittleEndian.AppendUint32(text, 64)
			text = binary.LittleEndian.AppendUint64(text, filetime(at))
		}
		return append(text, 1, 1, 1, 1)
	}
	now := time.Now()
	for n, times := range [][]time.Time{{now, now}, {now}, {now, now, now}, {now, now.Add(-time.Hour)}} {
		path := filepath.Join(t.TempDir(), "x.msi")
		if err := os.WriteFile(path, stamped(times...), 0o600); err != nil {
			t.Fatal(err)
		}
		err := dateAs(path, now, as)
		if n > 0 {
			if err == nil {
				t.Errorf("%d times are taken for two", len(times))
			}
			continue
		}
		if text := read(t, path); err != nil || text != string(stamped(as, as)) {
			t.Errorf("%v, %x", err, text)
		}
	}
}

func TestWanted(t *testing.T) {
	for only, want := range map[string][]string{"": {"deb", "vuln"}, "deb": {"deb"}, "deb,vuln": {"deb", "vuln"}, "debs": nil} {
		var got []string
		for _, part := range []string{"deb", "vuln"} {
			if wanted(only)(part) {
				got = append(got, part)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q wants %v", only, got)
		}
	}
}

func TestEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := emptyFolder(filepath.Join(dir, "new", "one")); err != nil {
		t.Error(err)
	}
	if _, err := emptyFolder(dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("%v", err)
	}
}
