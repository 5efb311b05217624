package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/codes"
	"github.com/labcourier/labcourier/agent/config"
)

// codesImport reads a LIVD file and adds what it knows of the analyzers.
func (p *program) codesImport(file *string) *cobra.Command {
	var in codesImport
	cmd := &cobra.Command{
		Use:   "import LIVD-FILE",
		Short: "add the LOINC codes of a maker's LIVD file (.csv, .xlsx, FHIR .json) to codes.toml",
		Long:  "import writes rows for the configured analyzers whose manufacturer and model the file has. Tests\nthat codes.toml has rows for stay as they are. Where a test has LOINC codes that nothing tells\napart, they are written as comments for a person to choose from.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("codes import takes one LIVD file; see `labcourier codes import --help`")}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&in.analyzer, "analyzer", "", "for this analyzer only")
	cmd.Flags().StringVar(&in.model, "model", "", "with --analyzer: the model as the file names it, if the configuration names it otherwise")
	cmd.Flags().StringVarP(&in.out, "out", "o", "", "write to this `file` instead of the configuration's codes.file")
	cmd.Flags().BoolVar(&in.dry, "dry-run", false, "tell what would be written, and write nothing")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var err error
		if in.cfg, err = config.Load(*file, kinds()); err != nil {
			return err
		}
		return p.importCodes(in, args[0])
	}
	return cmd
}

type codesImport struct {
	cfg                  *config.Config
	analyzer, model, out string
	dry                  bool
}

func (p *program) importCodes(in codesImport, livd string) error {
	if in.model != "" && in.analyzer == "" {
		return usageError{errors.New("--model goes with --analyzer")}
	}
	raw, err := os.ReadFile(livd)
	if err != nil {
		return err
	}
	c, err := codes.ReadLIVD(livd, raw)
	if err != nil {
		return err
	}
	for _, f := range c.Faults {
		fmt.Fprintln(p.err, "left out:", f)
	}
	target := in.out
	if target == "" {
		target = in.cfg.Codes.File
	}
	if target == "" {
		target = filepath.Join(filepath.Dir(in.cfg.File), "codes.toml")
	}
	text, err := os.ReadFile(target)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	added, err := p.merge(in, c, target, text)
	if err != nil || added == "" || in.dry {
		return err
	}
	if err := replaceFile(target, append(text, added...)); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "written to %s; the agent takes it over when it starts again\n", target)
	if in.cfg.Codes.File == "" {
		fmt.Fprintf(p.out, "add to %s:\n[codes]\nfile = %q\n", in.cfg.File, filepath.Base(target))
	}
	return nil
}

// merge tells what is new for each analyzer, and returns the text to be added.
func (p *program) merge(in codesImport, c *codes.Catalogue, target string, text []byte) (string, error) {
	own, _, err := config.ParseCodes(target, text, nil)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	matched := false
	for _, an := range in.cfg.Analyzers {
		if in.analyzer != "" && an.Name != in.analyzer {
			continue
		}
		rows := in.rowsFor(c, an)
		if len(rows) == 0 {
			continue
		}
		matched = true
		m := codes.MergeInto(own, an.Name, c, rows)
		all.WriteString(m.Text)
		fmt.Fprintf(p.out, "%s: %d codes added (%d of them told apart by unit or specimen), %d to choose by hand, %d left as they are\n",
			an.Name, m.Added, m.Several, m.Choices, m.Kept)
	}
	if !matched {
		return "", in.noMatch(c)
	}
	if _, _, err := config.ParseCodes(target, append(slices.Clone(text), all.String()...), nil); err != nil {
		return "", fmt.Errorf("what would be written is not in order, so nothing is written: %w", err)
	}
	return all.String(), nil
}

func (in codesImport) rowsFor(c *codes.Catalogue, an config.Analyzer) (rows []codes.Row) {
	for _, r := range c.Rows {
		switch {
		case in.model != "" && strings.EqualFold(r.Model, in.model),
			in.model == "" && r.Model != "" && an.Model != "" && r.IsFor(an.Manufacturer, an.Model):
			rows = append(rows, r)
		}
	}
	return rows
}

// noMatch says which models there are.
func (in codesImport) noMatch(c *codes.Catalogue) error {
	var models, own []string
	for _, r := range c.Rows {
		if name := strings.TrimSpace(r.Manufacturer + " " + r.Model); !slices.Contains(models, name) && len(models) < 20 {
			models = append(models, name)
		}
	}
	for _, an := range in.cfg.Analyzers {
		if in.analyzer == "" || an.Name == in.analyzer {
			own = append(own, fmt.Sprintf("%s (%s)", an.Name, strings.TrimSpace(an.Manufacturer+" "+an.Model)))
		}
	}
	return fmt.Errorf("the file is about %s, which is none of %s: set manufacturer and model of the analyzer in the configuration as the file has them, or give --analyzer NAME --model MODEL",
		strings.Join(models, ", "), strings.Join(own, ", "))
}

// replaceFile writes a file so that there is always the old or the new one.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	mode := os.FileMode(0o640)
	if info, serr := os.Stat(name); serr == nil {
		mode = info.Mode().Perm()
	}
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
