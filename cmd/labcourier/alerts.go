package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/alert"
	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) alertsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "what the agent itself tells people by webhook and e-mail: test",
		Long:  "alerts is about [alerts] of the configuration: to whom the agent itself tells that an analyzer is\naway, a message is parked, the server refuses, and the like.",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.alertsTestCommand())
	return cmd
}

func (p *program) alertsTestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test",
		Short: "send a test by each way, and say what happened",
		Long:  "test sends a notice that says it is a test by each way of [alerts]. The agent need not run. Run it\nas the service's user, who can read the secrets.",
		Args:  noArgs,
	}
	configured(cmd, configFlag(cmd), func(ctx context.Context, cfg *config.Config, asJSON bool) error {
		tries, err := tryAlerts(ctx, cfg)
		if err != nil {
			return err
		}
		return p.showTries(tries, asJSON)
	})
	return cmd
}

// triedWay is what became of a test by one way.
type triedWay struct {
	Way   string `json:"way"`
	Sent  bool   `json:"sent"`
	Took  int64  `json:"took_ms"`
	Error string `json:"error"`
}

// alertTestTimeout bounds a test by one way: somebody waits for it.
const alertTestTimeout = 30 * time.Second

func tryAlerts(ctx context.Context, cfg *config.Config) (tries []triedWay, err error) {
	ways, err := agent.AlertWays(cfg, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	if len(ways) == 0 {
		return nil, errors.New("the configuration tells nobody: give [alerts.webhook] or [alerts.email]")
	}
	for _, w := range ways {
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, alertTestTimeout)
		err := w.Send(within, alert.Test(cfg.Agent.Name, version, began), w.Receivers())
		cancel()
		t := triedWay{Way: w.Name(), Sent: err == nil, Took: time.Since(began).Milliseconds()}
		if err != nil {
			t.Error = err.Error()
		}
		tries = append(tries, t)
	}
	return tries, nil
}

func (p *program) showTries(tries []triedWay, asJSON bool) error {
	failed := 0
	for _, t := range tries {
		if !t.Sent {
			failed++
		}
		switch {
		case asJSON:
		case t.Sent:
			fmt.Fprintf(p.out, "%s: taken after %d ms\n", t.Way, t.Took)
		default:
			fmt.Fprintf(p.out, "%s\n", t.Error)
		}
	}
	if asJSON {
		if err := p.json(tries); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d ways failed: check [alerts] and its secrets, and whether a firewall lets this computer out", failed, len(tries))
	}
	return nil
}
