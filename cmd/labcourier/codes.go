package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/codes"
	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) codesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "codes",
		Short: "LOINC and UCUM codes: list, check, import a LIVD file, tell what is unmapped",
		Long:  "codes is about which LOINC code is which test of an analyzer, and which UCUM code is which unit.\nThat stands in the files that [codes] of the configuration names: codes.toml, and LIVD catalogues.",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	file := cmd.PersistentFlags().StringP("config", "c", defaultConfig(), "the configuration `file`")
	cmd.AddCommand(p.codesUnmapped(file), p.codesImport(file), p.codesCheck(file), p.codesList(file))
	return cmd
}

func (p *program) codesUnmapped(file *string) *cobra.Command {
	var analyzer string
	var days int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "unmapped",
		Short: "tell which codes and units came without a mapping; no patient data",
		Long:  "unmapped reads the stored messages, with codes.toml as it is now: after a change it tells what is\nleft. It asks the agent that runs on this computer or, while none runs, opens the spool itself.",
		Args:  noArgs,
	}
	cmd.Flags().StringVar(&analyzer, "analyzer", "", "of this analyzer only")
	cmd.Flags().IntVar(&days, "days", 30, "in messages of so many days")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withMessages(cmd.Context(), *file, func(ctx context.Context, c *admin.Client) error {
			var g agent.Gaps
			if err := c.Ask(ctx, agent.GapsPath, url.Values{"analyzer": {analyzer}, "days": {strconv.Itoa(days)}}, &g); err != nil {
				return err
			}
			if asJSON {
				return p.json(g)
			}
			return p.showGaps(g)
		})
	}
	return cmd
}

func (p *program) showGaps(g agent.Gaps) error {
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	if len(g.Gaps) > 0 {
		fmt.Fprintln(w, "COUNT\tANALYZER\tWHAT\tCODE\tUNIT\tSPECIMEN\tWHY")
	}
	for _, gap := range g.Gaps {
		code := gap.Code
		if gap.Text != "" && gap.Text != code {
			code += " (" + gap.Text + ")"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", gap.Count, gap.Analyzer, gap.Kind, code, gap.Unit, gap.Specimen, gap.Why)
		for _, c := range gap.Candidates {
			fmt.Fprintf(w, "\t\t\t\t\t\t  %s\n", c)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%d messages with %d results since %s", g.Messages, g.Results, g.Since.Local().Format("2006-01-02"))
	if g.Unread > 0 {
		fmt.Fprintf(p.out, "; %d of the messages cannot be read", g.Unread)
	}
	if g.More {
		fmt.Fprint(p.out, "; there is more than is told here")
	}
	fmt.Fprintln(p.out)
	return nil
}

// codesCheck judges the files of [codes], or those named.
func (p *program) codesCheck(file *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "say everything that is wrong with codes.toml and the LIVD catalogues",
		Long:  "check judges the files that the configuration names, or those given: a codes.toml, or LIVD files\n(.csv, .xlsx, .json). It checks LOINC check digits, UCUM codes, names of analyzers, rows given twice\nand rows that contradict each other.",
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := config.Load(*file, kinds())
		if err != nil {
			return err
		}
		if len(args) > 0 {
			cfg.Codes = config.Codes{}
			for _, name := range args {
				if strings.EqualFold(filepath.Ext(name), ".toml") {
					cfg.Codes.File = name
					continue
				}
				cfg.Codes.Catalogues = append(cfg.Codes.Catalogues, name)
			}
		}
		set, warnings, err := config.LoadCodes(cfg)
		faults, _ := errors.AsType[config.Faults](err)
		if asJSON {
			return p.checkJSON(cfg.Codes.File, faults, warnings, err)
		}
		for _, w := range warnings {
			fmt.Fprintf(p.out, "warning: %s\n", w)
		}
		if err != nil {
			return err
		}
		if cfg.Codes.File != "" {
			fmt.Fprintf(p.out, "%s: %d tests, %d units\n", cfg.Codes.File, len(set.Own.Rows), len(set.Own.Units))
		}
		for _, c := range set.Catalogues {
			fmt.Fprintf(p.out, "%s: %d rows%s\n", c.File, len(c.Rows), covered(cfg, c))
		}
		fmt.Fprintln(p.out, "The codes are in order.")
		return nil
	}
	return cmd
}

// covered tells which analyzers a catalogue is about.
func covered(cfg *config.Config, c *codes.Catalogue) string {
	var about []string
	for _, an := range cfg.Analyzers {
		if n := len((codesImport{cfg: cfg}).rowsFor(c, an)); n > 0 {
			about = append(about, fmt.Sprintf("%d for %s", n, an.Name))
		}
	}
	if len(about) == 0 {
		return ", none for the configured analyzers: compare manufacturer and model"
	}
	return ", " + strings.Join(about, ", ")
}

func (p *program) codesList(file *string) *cobra.Command {
	var analyzer string
	cmd := &cobra.Command{Use: "list", Short: "list the rows that are in use, and where they stand", Args: noArgs}
	cmd.Flags().StringVar(&analyzer, "analyzer", "", "for this analyzer only")
	configured(cmd, file, func(_ context.Context, cfg *config.Config, asJSON bool) error {
		set, _, err := config.LoadCodes(cfg)
		if err != nil {
			return err
		}
		rows := slices.Clone(set.Own.Rows)
		for _, c := range set.Catalogues {
			rows = append(rows, c.Rows...)
		}
		if analyzer != "" {
			an, ok := analyzerNamed(cfg, analyzer)
			if !ok {
				return usageError{fmt.Errorf("no analyzer %q in %s", analyzer, *file)}
			}
			rows = slices.DeleteFunc(rows, func(r codes.Row) bool {
				return r.Analyzer != "" && r.Analyzer != an.Name || r.Analyzer == "" && !r.IsFor(an.Manufacturer, an.Model)
			})
		}
		if asJSON {
			return p.json(map[string]any{"tests": append([]codes.Row{}, rows...), "units": append([]codes.UnitRow{}, set.Own.Units...)})
		}
		return p.listCodes(rows, set.Own.Units)
	})
	return cmd
}

func (p *program) listCodes(rows []codes.Row, units []codes.UnitRow) error {
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FOR\tCODE\tLOINC\tNAME\tONLY WITH\tWHERE")
	for _, r := range rows {
		loinc := r.LOINC
		if r.None {
			loinc = "(none)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", whose(r.Analyzer, strings.TrimSpace(r.Manufacturer+" "+r.Model)),
			r.Code, loinc, r.Display, joined(r.Unit, r.Specimen, r.Result, r.Property, r.System, r.Scale), filepath.Base(r.At))
	}
	for _, u := range units {
		code := u.UCUM
		if code == "" {
			code = "(none)"
		}
		fmt.Fprintf(w, "%s\tunit %s\t%s\t\t\t%s\n", whose(u.Analyzer, ""), u.Sent, code, filepath.Base(u.At))
	}
	return w.Flush()
}

func whose(analyzer, model string) string {
	switch {
	case analyzer != "":
		return analyzer
	case model != "":
		return "model " + model
	}
	return "all"
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
