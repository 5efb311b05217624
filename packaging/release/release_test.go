package main

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestRelease makes a release for Linux and for Windows and looks into it with
// other tools than it was made with.
func TestRelease(t *testing.T) {
	commit, err := output(t.Context(), ".", "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		t.Skip("a release is made of a git checkout: ", err)
	}
	dist := filepath.Join(t.TempDir(), "dist")
	var said bytes.Buffer
	args := []string{"-out", dist, "-only", "sbom,archives", "-targets", "linux/amd64,windows/amd64", "-version", "v1.2.3-rc.4"}
	if err := run(t.Context(), args, &said); err != nil {
		t.Fatal(err)
	}
	licences := read(t, filepath.Join(dist, licenceFile))
	for system, in := range map[string]func(*testing.T, string) map[string][]byte{"linux_amd64": untar, "windows_amd64": unzip} {
		t.Run(system, func(t *testing.T) {
			name := filepath.Join(dist, "labcourier_1.2.3-rc.4_"+system)
			program := programIn(t, in(t, name))
			modules := madeOf(t, program)
			if len(modules) < 10 {
				t.Fatalf("go version -m names %d modules only", len(modules))
			}
			bom := billAt(t, name+".cdx.json")
			if unlisted := unlisted(bom, modules); len(unlisted) > 0 {
				t.Errorf("not in the bill: %v", unlisted)
			}
			for _, m := range modules {
				if !strings.Contains(licences, "\n"+m+"\n") {
					t.Errorf("%s has no %s", licenceFile, m)
				}
			}
			sum, err := sumOf(program)
			if err != nil || (*bom.Metadata.Component.Hashes)[0].Value != sum || bom.Metadata.Component.Version != "1.2.3-rc.4" {
				t.Errorf("the bill is of another program: %+v, not %s", bom.Metadata.Component, sum)
			}
			for _, stamp := range []string{"1.2.3-rc.4", commit} {
				if !strings.Contains(read(t, program), stamp) {
					t.Errorf("%s is not in the program", stamp)
				}
			}
		})
	}
	checkSums(t, dist)
	if notes := read(t, filepath.Join(dist, notesFile)); !strings.Contains(notes, "NOT CHECKED") || !strings.Contains(notes, commit) {
		t.Errorf("the notes say\n%s", notes)
	}
	if !strings.Contains(said.String(), "NOT CHECKED") {
		t.Errorf("it says\n%s", said.String())
	}
}

// A program at the limit is not released.
func TestSizeIsRefused(t *testing.T) {
	root, err := output(t.Context(), ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		t.Skip("a release is made of a git checkout: ", err)
	}
	r := &release{root: root, work: t.TempDir(), out: t.TempDir(), say: io.Discard, limit: 1 << 20, version: version{number: "1.2.3", commit: "abc"}}
	err = r.make(t.Context(), []string{"linux/amd64"}, wanted("sbom"))
	if err == nil || !strings.Contains(err.Error(), "the program for linux/amd64 has ") || !strings.Contains(err.Error(), "the limit is 1048576") {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(r.out); len(left) > 0 {
		t.Errorf("released all the same: %v", left)
	}
	if maxProgram != 20<<20 {
		t.Errorf("the limit is %d", maxProgram)
	}
}

// unlisted names the modules, as "path version", that a bill lacks.
func unlisted(bom *cdx.BOM, modules []string) (missing []string) {
	for _, m := range modules {
		if !slices.ContainsFunc(*bom.Components, func(c cdx.Component) bool { return c.Name+" "+c.Version == m }) {
			missing = append(missing, m)
		}
	}
	return missing
}

func TestUnlisted(t *testing.T) {
	bom := &cdx.BOM{Components: &[]cdx.Component{{Name: "a", Version: "v1.0.0"}, {Name: "b", Version: "v2.0.0"}}}
	if m := unlisted(bom, []string{"a v1.0.0", "b v2.0.1", "c v1.0.0"}); !slices.Equal(m, []string{"b v2.0.1", "c v1.0.0"}) {
		t.Errorf("%v", m)
	}
}

// madeOf asks the go command what a program is made of.
func madeOf(t *testing.T, program string) (modules []string) {
	t.Helper()
	text, err := output(t.Context(), ".", "go", "version", "-m", program)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "dep":
			modules = append(modules, f[1]+" "+f[2])
		case len(f) >= 3 && f[0] == "=>": // in place of the one before
			modules[len(modules)-1] = f[1] + " " + f[2]
		}
	}
	return modules
}

func billAt(t *testing.T, path string) *cdx.BOM {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(f, cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	return bom
}

func untar(t *testing.T, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(name + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if err == io.EOF {
			return files
		}
		if err == nil {
			files[h.Name], err = io.ReadAll(in)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func unzip(t *testing.T, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(name + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		in, err := f.Open()
		if err == nil {
			files[f.Name], err = io.ReadAll(in)
			in.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// programIn writes the program of an archive to a file, and wants the papers
// beside it.
func programIn(t *testing.T, files map[string][]byte) string {
	t.Helper()
	for _, name := range []string{"README.md", "CHANGELOG.md", "INSTALL.md", "HARDENING.md", "LICENSE", licenceFile, "labcourier.example.toml"} {
		if len(files["labcourier/"+name]) == 0 {
			t.Errorf("the archive has no %s", name)
		}
	}
	text := files["labcourier/labcourier"]
	if text == nil {
		text = files["labcourier/labcourier.exe"]
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkSums lets sha256sum judge, and changes a file to see it judge otherwise.
func checkSums(t *testing.T, dist string) {
	t.Helper()
	tool, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Log("no sha256sum here")
		return
	}
	check := func() error {
		cmd := exec.CommandContext(context.Background(), tool, "--check", "--strict", "--quiet", sumsFile)
		cmd.Dir = dist
		return cmd.Run()
	}
	if err := check(); err != nil {
		t.Errorf("the checksums are wrong: %v", err)
	}
	entries, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for lines := bufio.NewScanner(strings.NewReader(read(t, filepath.Join(dist, sumsFile)))); lines.Scan(); {
		named = append(named, strings.Fields(lines.Text())[1])
	}
	for _, e := range entries {
		if !slices.Contains(named, e.Name()) && e.Name() != sumsFile && e.Name() != notesFile {
			t.Errorf("%s has no checksum", e.Name())
		}
	}
	if err := os.WriteFile(filepath.Join(dist, named[0]), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if check() == nil {
		t.Errorf("%s was changed, and the checksums are right all the same", named[0])
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// repository makes a git repository and returns a way to run git in it.
func repository(t *testing.T) (dir string, git func(args ...string)) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	dir = t.TempDir()
	return dir, func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(context.Background(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_COUNT=0",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
			"GIT_AUTHOR_DATE=1774000000 +0200", "GIT_COMMITTER_DATE=1774000000 +0200")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatal(fmt.Errorf("git %v: %w: %s", args, err, out))
		}
	}
}
