package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) secretListCommand(file *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the secrets that the configuration names, and whether they can be read",
		Args:  noArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		uses, _, err := config.Secrets(*file, kinds())
		if err != nil && len(uses) == 0 {
			return err
		}
		states := secretStates(uses)
		if asJSON {
			return p.json(states)
		}
		w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "KEY\tSOURCE\tWHERE\tSTATE")
		for _, s := range states {
			state := "ok"
			if !s.OK {
				state = s.Why
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Key, s.Source, s.Where, state)
		}
		return w.Flush()
	}
	return cmd
}

func (p *program) secretCheckCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "try each secret: can it be read, by the service alone, and used",
		Long:  "check says one line for each secret, and what to do where something is wrong. It exits with 1 then.\nIt asks no server.",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			uses, warnings, err := config.Secrets(*file, kinds())
			faults, _ := errors.AsType[config.Faults](err)
			if err != nil && len(uses) == 0 && !slices.ContainsFunc(faults, aboutSecret) {
				return err
			}
			bad := 0
			for _, s := range secretStates(uses) {
				if s.OK {
					fmt.Fprintf(p.out, "fine: %s, from %s\n", s.Key, s.Source)
				}
			}
			for _, w := range warnings {
				if aboutSecret(w) {
					fmt.Fprintf(p.out, "warning: %s\n", w)
				}
			}
			for _, f := range faults {
				if aboutSecret(f) {
					bad++
					fmt.Fprintf(p.out, "wrong: %s\n", f)
				}
			}
			if bad > 0 {
				return fmt.Errorf("%d of the secrets cannot be used", bad)
			}
			return nil
		},
	}
}

// aboutSecret reports whether a fault is about a secret, or what goes with one.
func aboutSecret(f config.Fault) bool {
	key := f.Key[strings.LastIndex(f.Key, ".")+1:]
	return strings.HasPrefix(f.Key, "server.") &&
		(strings.HasPrefix(key, "client_secret") || strings.HasPrefix(key, "client_key") || strings.HasPrefix(key, "cert_") ||
			strings.Contains(key, "password"))
}
