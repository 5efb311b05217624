package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/status"
)

// analyzerLine is what is known of one configured analyzer.
type analyzerLine struct {
	Name    string           `json:"name"`
	Driver  string           `json:"driver"`
	Profile string           `json:"profile,omitempty"`
	Enabled bool             `json:"enabled"`
	Port    string           `json:"port,omitempty"`
	Live    *status.Analyzer `json:"live"` // null while no agent runs, or the running one does not have it
}

func (p *program) analyzersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "analyzers",
		Short: "list the configured analyzers, and how each does",
		Long:  "analyzers lists what the configuration names, with the state of each while the agent runs.\n`labcourier status` tells more of what runs, `labcourier profiles` lists models.",
		Args:  noArgs,
	}
	configured(cmd, configFlag(cmd), func(ctx context.Context, cfg *config.Config, asJSON bool) error {
		lines, running := analyzerLines(ctx, cfg)
		if asJSON {
			return p.json(lines)
		}
		return p.listAnalyzers(lines, running)
	})
	return cmd
}

func analyzerLines(ctx context.Context, cfg *config.Config) (lines []analyzerLine, running bool) {
	now, err := status.NewClient(cfg.Status.Listen).Status(ctx)
	running = err == nil
	for _, an := range cfg.Analyzers {
		l := analyzerLine{Name: an.Name, Driver: an.Driver, Profile: an.Profile, Enabled: an.Enabled}
		if port, err := openPort(an); err == nil {
			l.Port = fmt.Sprint(port)
			port.Close()
		}
		if live, ok := liveAnalyzer(now, an.Name); ok && running {
			l.Live = &live
		}
		lines = append(lines, l)
	}
	return lines, running
}

func (p *program) listAnalyzers(lines []analyzerLine, running bool) error {
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tDRIVER\tSTATE\tLAST MESSAGE\tWAITING\tPARKED")
	for _, l := range lines {
		state, last, waiting, parked := "not running", "", "", ""
		switch {
		case !l.Enabled:
			state = "not enabled"
		case l.Live != nil:
			state, waiting, parked = l.Live.Link, fmt.Sprint(l.Live.Queued), fmt.Sprint(l.Live.Parked)
			if !l.Live.LastMessage.IsZero() {
				last = l.Live.LastMessage.Local().Format(time.DateTime)
			}
		case running:
			state = "not served"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.Driver, state, last, waiting, parked)
	}
	return w.Flush()
}
