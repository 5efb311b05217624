package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// archive makes the zip for Windows, and the tar for everything else.
func (r *release) archive(p program, shared []file) error {
	list := append(r.docs(),
		file{p.path, filepath.Base(p.path)},
		file{filepath.Join(r.out, licenceFile), licenceFile},
		file{r.at("LICENSE"), "LICENSE"},
		file{r.at("configs/labcourier.toml"), "labcourier.example.toml"},
	)
	pack, suffix := r.zip, ".zip"
	if p.os != "windows" {
		list = append(list, shared...)
		list = append(list, file{r.at("packaging/container/Containerfile"), "Containerfile"})
		pack, suffix = r.tar, ".tar.gz"
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	out, err := os.Create(filepath.Join(r.out, r.name(p)+suffix))
	if err != nil {
		return err
	}
	err = pack(out, list)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", out.Name(), err)
	}
	return nil
}

func (r *release) tar(out io.Writer, list []file) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range list {
		text, err := os.ReadFile(f.source)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: "labcourier/" + f.name, Mode: 0o644, Size: int64(len(text)), ModTime: r.version.time, Format: tar.FormatUSTAR}
		if f.name == "labcourier" {
			h.Mode = 0o755
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

func (r *release) zip(out io.Writer, list []file) error {
	z := zip.NewWriter(out)
	for _, f := range list {
		text, err := os.ReadFile(f.source)
		if err != nil {
			return err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: "labcourier/" + f.name, Method: zip.Deflate, Modified: r.version.time})
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return z.Close()
}
