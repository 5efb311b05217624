package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
)

// reloadFlags is what was asked of the reload command.
type reloadFlags struct {
	file, address string
	json          bool
}

func (p *program) reloadCommand() *cobra.Command {
	var f reloadFlags
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "let the running agent read its configuration anew",
		Long: "reload checks the configuration and has the agent that runs on this computer take it over: only what\n" +
			"changed is restarted, and other analyzers keep their links. A file with faults changes nothing; the\n" +
			"faults are shown as by `labcourier check`. What takes effect at the next start only is named.\n" +
			"It needs the right to read the data directory: be the service's user, root or administrator.",
		Args: noArgs,
	}
	file := configFlag(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "write JSON")
	cmd.Flags().StringVar(&f.address, "address", "", "the agent's status endpoint, `host:port`, if the configuration does not give the present one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f.file = *file
		return p.reload(cmd.Context(), f)
	}
	return cmd
}

func (p *program) reload(ctx context.Context, f reloadFlags) error {
	cfg, err := config.Load(f.file, kinds())
	if err != nil {
		return p.notReloaded(f, err)
	}
	token, err := admin.ReadToken(cfg.Agent.DataDir)
	if err != nil {
		return fmt.Errorf("%w; is the agent running?", err)
	}
	var done agent.Reloaded
	address := cmp.Or(f.address, cfg.Status.Listen)
	err = admin.NewClient(address, token).Change(ctx, agent.ReloadPath, url.Values{"by": {"cli"}}, &done)
	if refused, ok := errors.AsType[*admin.Error](err); ok {
		var faults config.Faults
		if refused.Status == http.StatusUnprocessableEntity && json.Unmarshal(refused.Faults, &faults) == nil {
			return p.notReloaded(f, faults)
		}
		return fmt.Errorf("%w; nothing was changed", refused)
	} else if err != nil {
		return fmt.Errorf("%w; is the agent running? If [status] listen was changed, give the present one with --address", err)
	}
	if f.json {
		return p.json(done)
	}
	fmt.Fprintln(p.out, done)
	return nil
}

// notReloaded says why a configuration is not taken over.
func (p *program) notReloaded(f reloadFlags, err error) error {
	faults, ok := errors.AsType[config.Faults](err)
	if f.json && ok {
		return p.checkJSON(f.file, faults, nil, err)
	}
	return fmt.Errorf("%w\nnothing was changed", err)
}
