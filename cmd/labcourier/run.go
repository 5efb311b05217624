package main

import (
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "receive from the analyzers and deliver, until stopped",
		Args:  noArgs,
	}
	file := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*file, kinds())
		if err != nil {
			return err
		}
		log := newLog(p.err, cfg.Log)
		for _, w := range cfg.Warnings {
			log.Warn().Str("file", w.File).Int("line", w.Line).Str("key", w.Key).Str("hint", w.Hint).Msg(w.Problem)
		}
		a, err := openAgent(cfg, log)
		if err != nil {
			return err
		}
		return a.Run(cmd.Context())
	}
	return cmd
}

func openAgent(cfg *config.Config, log zerolog.Logger) (*agent.Agent, error) {
	a, err := agent.Open(agent.Options{
		Config: cfg, Kinds: kinds(), Version: version, Log: log, OpenPort: openPort,
	})
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return a, nil
}
