package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

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
	out, err := os.Create(filepath.Join(r.out, r.name(p)+".cdx.json"))
	if err != nil {
		return err
	}
	err = cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bill(r.version, p, info, sum))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// bill lists what a program with that checksum is made of.
func bill(v version, p program, info *buildinfo.BuildInfo, sum string) *cdx.BOM {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: v.time.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: "labcourier", Type: cdx.ComponentTypeApplication, Name: "labcourier", Version: v.full(),
			PackageURL: "pkg:golang/" + info.Main.Path + "@" + v.full(),
			Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}},
			Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
			Properties: &[]cdx.Property{{Name: "commit", Value: v.commit}, {Name: "platform", Value: p.os + "/" + p.arch}},
		},
	}
	standard := strings.TrimPrefix(info.GoVersion, "go")
	components := []cdx.Component{{
		BOMRef: "std", Type: cdx.ComponentTypeLibrary, Name: "std", Version: standard, PackageURL: "pkg:golang/std@" + standard,
	}}
	refs := []string{"std"}
	for _, m := range depsOf(info) {
		url := "pkg:golang/" + m.Path + "@" + m.Version
		components = append(components, cdx.Component{
			BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url,
			Properties: &[]cdx.Property{{Name: "go.sum", Value: m.Sum}},
		})
		refs = append(refs, url)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: "labcourier", Dependencies: &refs}}
	return bom
}
