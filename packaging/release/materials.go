package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// licenceFile lists what labcourier is made of, with the licences.
const licenceFile = "LICENCES.txt"

// licences writes the licence of every module in a program. A module without one
// is a fault: it may not be passed on.
func (r *release) licences(ctx context.Context, p program) error {
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read what the program is made of: %w", err)
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
	if err := add("the Go standard library, "+info.GoVersion, goroot); err != nil {
		return err
	}
	for _, m := range info.Deps {
		out, err := output(ctx, r.root, "go", "list", "-m", "-json", m.Path)
		if err != nil {
			return err
		}
		var at struct{ Dir string }
		if err := json.Unmarshal([]byte(out), &at); err != nil {
			return err
		}
		if err := add(m.Path+" "+m.Version, at.Dir); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(r.out, licenceFile), text.Bytes(), 0o644) //nolint:gosec // G306: it is published
}

// licenceIn reads a folder's licence.
func licenceIn(dir string) ([]byte, error) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "License"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if !errors.Is(err, os.ErrNotExist) {
			return text, err
		}
	}
	if goroot := filepath.Join(filepath.Dir(dir), "LICENSE"); filepath.Base(dir) == "go" {
		return os.ReadFile(goroot)
	}
	return nil, errors.New("none found")
}

// sbom writes the software bill of materials of a program, from what the
// linker wrote into it.
func (r *release) sbom(p program) error {
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read what the program is made of: %w", err)
	}
	sum, err := sumOf(p.path)
	if err != nil {
		return err
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: r.version.time.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: "labcourier", Type: cdx.ComponentTypeApplication, Name: "labcourier", Version: r.version.full(),
			PackageURL: "pkg:golang/" + info.Main.Path + "@" + r.version.full(),
			Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}},
			Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
			Properties: &[]cdx.Property{{Name: "commit", Value: r.version.commit}, {Name: "platform", Value: p.os + "/" + p.arch}},
		},
	}
	standard := strings.TrimPrefix(info.GoVersion, "go")
	components := []cdx.Component{{
		BOMRef: "std", Type: cdx.ComponentTypeLibrary, Name: "std", Version: standard, PackageURL: "pkg:golang/std@" + standard,
	}}
	refs := []string{"std"}
	for _, m := range info.Deps {
		url := "pkg:golang/" + m.Path + "@" + m.Version
		components = append(components, cdx.Component{
			BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url,
			Properties: &[]cdx.Property{{Name: "go.sum", Value: m.Sum}},
		})
		refs = append(refs, url)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: "labcourier", Dependencies: &refs}}
	out, err := os.Create(filepath.Join(r.out, r.name(p)+".cdx.json"))
	if err != nil {
		return err
	}
	err = cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// vulnerabilities says what govulncheck says. Its database is a service of its
// own that not every machine reaches, so that its silence fails nothing here.
func (r *release) vulnerabilities(ctx context.Context) {
	cmd := exec.CommandContext(ctx, "go", "run", "golang.org/x/vuln/cmd/govulncheck@latest", "./...")
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	fmt.Fprintf(r.say, "govulncheck, %s:\n%s\n", time.Now().UTC().Format(time.DateOnly), bytes.TrimSpace(out))
	if err != nil {
		fmt.Fprintf(r.say, "govulncheck did not come to a clean end (%v): run it where https://vuln.go.dev is reachable before this is published\n", err)
	}
}

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
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(text.String()), 0o644) //nolint:gosec // G306: it is published
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
