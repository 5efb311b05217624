package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/status"
)

func (p *program) statusCommand() *cobra.Command {
	var (
		asJSON  bool
		address string
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell how the running agent does",
		Long:  "status asks the agent that runs on this computer. It exits with 1 if no agent answers, or if\nsomething needs a person.",
		Args:  noArgs,
	}
	file := configFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, as /api/status gives it")
	cmd.Flags().StringVar(&address, "address", "", "the agent's status endpoint, `host:port`; default: from the configuration")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if address == "" {
			cfg, err := config.Load(*file, kinds())
			if err != nil {
				return err
			}
			address = cfg.Status.Listen
		}
		s, err := status.NewClient(address).Status(cmd.Context())
		if err != nil {
			return fmt.Errorf("%w; is the agent running?", err)
		}
		if asJSON {
			out := json.NewEncoder(p.out)
			out.SetIndent("", "  ")
			if err := out.Encode(s); err != nil {
				return err
			}
		} else {
			status.WriteTable(p.out, s, isTerminal(p.out))
		}
		if level, text, _ := status.Sentence(s); level == status.LevelBad {
			return fmt.Errorf("%s", text)
		}
		return nil
	}
	return cmd
}
