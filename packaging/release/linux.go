package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers its format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers its format
)

const (
	homepage   = "https://github.com/labcourier/labcourier"
	maintainer = "The labcourier project <packages@labcourier.invalid>"
	summary    = "laboratory results from analyzers to a FHIR server"
)

// linuxPackage makes a deb or an rpm.
func (r *release) linuxPackage(format string, p program, shared []file) error {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "labcourier", Arch: p.arch, Platform: p.os,
		Version: r.version.number, Prerelease: r.version.pre, VersionSchema: "none", Release: "1",
		Section: "net", Priority: "optional", Maintainer: maintainer, Vendor: "labcourier",
		Description: summary + "\nReads results over serial lines and TCP, keeps every message on disk before it\nacknowledges the analyzer, and delivers each result once.",
		Homepage:    homepage, License: "Apache-2.0", MTime: r.version.time,
		Overridables: nfpm.Overridables{
			Contents: r.contents(p, shared),
			Depends:  map[string][]string{"deb": {"passwd | systemd-standalone-sysusers"}, "rpm": {"shadow-utils"}}[format],
			Scripts: nfpm.Scripts{
				PostInstall: r.at("packaging/linux/postinstall.sh"),
				PreRemove:   r.at("packaging/linux/preremove.sh"),
				PostRemove:  r.at("packaging/linux/postremove.sh"),
			},
			RPM: nfpm.RPM{BuildHost: "labcourier", Summary: summary},
		},
	})
	info.Deb.Compression, info.RPM.Compression = "xz", "xz"
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return fmt.Errorf("prepare the %s: %w", format, err)
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(r.out, packager.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	err = packager.Package(info, out)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("make the %s: %w", format, err)
	}
	return nil
}

func (r *release) at(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }

// contents is what a Linux package holds.
func (r *release) contents(p program, shared []file) files.Contents {
	put := func(source, destination, kind string, mode os.FileMode) *files.Content {
		return &files.Content{Source: source, Destination: destination, Type: kind, FileInfo: &files.ContentFileInfo{
			Mode: mode, MTime: r.version.time, Owner: "root", Group: "root",
		}}
	}
	const doc = "/usr/share/doc/labcourier/"
	c := files.Contents{
		put(p.path, "/usr/bin/labcourier", files.TypeFile, 0o755),
		put(r.at("packaging/systemd/labcourier.service"), "/usr/lib/systemd/system/labcourier.service", files.TypeFile, 0o644),
		put(r.at("packaging/systemd/sysusers.conf"), "/usr/lib/sysusers.d/labcourier.conf", files.TypeFile, 0o644),
		put("", "/etc/labcourier", files.TypeDir, 0o750),
		put(r.at("packaging/linux/labcourier.toml"), "/etc/labcourier/labcourier.toml", files.TypeConfigNoReplace, 0o640),
		put(r.at("configs/labcourier.toml"), doc+"examples/labcourier.toml", files.TypeFile, 0o644),
		put("", doc, files.TypeDir, 0o755), // or an rpm leaves it behind
		put("", doc+"examples", files.TypeDir, 0o755),
		put(filepath.Join(r.out, licenceFile), doc+"copyright", files.TypeFile, 0o644),
	}
	for _, f := range r.docs() {
		c = append(c, put(f.source, doc+f.name, files.TypeFile, 0o644))
	}
	for _, f := range shared {
		c = append(c, put(f.source, "/"+f.name, files.TypeFile, 0o644))
	}
	return c
}

// docs are the texts for people that go into every package.
func (r *release) docs() []file {
	docs := []file{{r.at("README.md"), "README.md"}, {r.at("CHANGELOG.md"), "CHANGELOG.md"}}
	pages, _ := filepath.Glob(r.at("packaging/*.md")) // the pattern is right
	for _, page := range pages {
		docs = append(docs, file{page, filepath.Base(page)})
	}
	return docs
}
