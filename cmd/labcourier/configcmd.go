package main

import (
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "about the configuration file itself: schema",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "schema",
		Short: "write the JSON Schema of the configuration",
		Long:  "schema writes the JSON Schema (draft 2020-12) of the TOML file, made from what the program itself\nreads: for editors that complete and check keys, and for tools that write the file. `labcourier check`\nfinds more than a schema can say.",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return p.json(config.Schema(kinds())) },
	})
	return cmd
}
