package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers/folder"
)

func (p *program) checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "say everything that is wrong with the configuration",
		Long:  "check reads the configuration as `run` does and names every fault with its file, line and what\nto do. It opens no port and asks no server. Folders that analyzers drop files\ninto are tried: a file is made, moved to done, and removed.",
		Args:  noArgs,
	}
	file := configFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := config.Load(*file, kinds())
		faults, _ := errors.AsType[config.Faults](err)
		if err != nil && faults == nil {
			return err
		}
		var warnings []config.Fault
		if err == nil {
			_, more, wrong := config.LoadCodes(cfg)
			warnings = slices.Concat(cfg.Warnings, more)
			of, _ := errors.AsType[config.Faults](wrong)
			if faults = append(triedFolders(cfg), of...); len(faults) > 0 {
				err = faults
			}
		}
		if asJSON {
			return p.checkJSON(*file, faults, warnings, err)
		}
		for _, w := range warnings {
			fmt.Fprintf(p.out, "warning: %s\n", w)
		}
		if err != nil {
			return err
		}
		if err := p.describe(cfg); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s is in order.\n", *file)
		return nil
	}
	return cmd
}

func (p *program) checkJSON(file string, faults config.Faults, warnings []config.Fault, err error) error {
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	if werr := out.Encode(struct {
		File     string         `json:"file"`
		OK       bool           `json:"ok"`
		Faults   []config.Fault `json:"faults"`
		Warnings []config.Fault `json:"warnings"`
	}{file, err == nil, append([]config.Fault{}, faults...), append([]config.Fault{}, warnings...)}); werr != nil {
		return werr
	}
	if err != nil {
		return usageError{fmt.Errorf("%d faults", len(faults))}
	}
	return nil
}

// triedFolders says what keeps the folders of analyzers from being read.
func triedFolders(cfg *config.Config) (faults config.Faults) {
	for _, an := range cfg.Enabled() {
		if an.Folder == nil {
			continue
		}
		if problem, hint := folder.Probe(folderOptions(an.Folder)); problem != "" {
			faults = append(faults, an.Folder.Fault("path", problem, hint+" (tried as the user that runs this check)"))
		}
	}
	return faults
}

// describe says in a line each what the agent would do.
func (p *program) describe(cfg *config.Config) error {
	fmt.Fprintf(p.out, "agent     %s, data in %s\n", cfg.Agent.Name, cfg.Agent.DataDir)
	fmt.Fprintf(p.out, "server    %s, %s\n", cfg.Server.URL, cfg.Server.Auth.Method)
	for _, an := range cfg.Analyzers {
		if !an.Enabled {
			fmt.Fprintf(p.out, "analyzer  %s: not enabled\n", an.Name)
			continue
		}
		port, err := openPort(an)
		if err != nil {
			return fmt.Errorf("analyzer %s: %w", an.Name, err)
		}
		fmt.Fprintf(p.out, "analyzer  %s: %s over %s\n", an.Name, an.Driver, port)
	}
	return nil
}
