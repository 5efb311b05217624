package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"

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
		Long: "reload has the agent that runs on this computer take its changed configuration over: only what\n" +
			"changed is restarted, and other analyzers keep their links. A file with faults changes nothing; the\n" +
			"faults are shown as by `labcourier check`, and the agent counts the refusal and notes it in its audit\n" +
			"log. What takes effect at the next start only is named.\n" +
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

// reload leaves the judging to the agent, whose counts and audit log are to have
// it. What this program thinks of the file shows the way, and is what is said if
// there is no agent to ask.
func (p *program) reload(ctx context.Context, f reloadFlags) error {
	var reach config.Reach
	cfg, wrong := config.Load(f.file, kinds())
	if wrong == nil {
		reach = cfg.Reach()
	} else {
		reach = config.ReachOf(f.file)
	}
	done, err := askReload(ctx, f, reach)
	var faults config.Faults
	switch refused, ok := errors.AsType[*admin.Error](err); {
	case ok && refused.Status == http.StatusUnprocessableEntity && json.Unmarshal(refused.Faults, &faults) == nil:
		return p.notReloaded(f, faults)
	case err != nil && wrong != nil:
		fmt.Fprintf(p.err, "The agent is not told: %v.\n", err)
		return p.notReloaded(f, wrong)
	case ok:
		return fmt.Errorf("%w; nothing was changed", refused)
	case err != nil:
		return err
	}
	if f.json {
		return p.json(done)
	}
	fmt.Fprintln(p.out, done)
	return nil
}

// askReload has the agent that is reached there read its file anew.
func askReload(ctx context.Context, f reloadFlags, reach config.Reach) (done agent.Reloaded, err error) {
	token, err := admin.ReadToken(reach.DataDir)
	if err != nil {
		return done, fmt.Errorf("%w; is the agent running?", err)
	}
	file, err := filepath.Abs(f.file)
	if err != nil {
		return done, fmt.Errorf("find %s: %w", f.file, err)
	}
	err = admin.NewClient(cmp.Or(f.address, reach.Listen), token).Change(ctx, agent.ReloadPath, url.Values{"by": {"cli"}, "file": {file}}, &done)
	if _, answered := errors.AsType[*admin.Error](err); err != nil && !answered {
		err = fmt.Errorf("%w; is the agent running? If [status] listen was changed, give the present one with --address", err)
	}
	return done, err
}

// notReloaded says why a configuration is not taken over.
func (p *program) notReloaded(f reloadFlags, err error) error {
	faults, ok := errors.AsType[config.Faults](err)
	if f.json && ok {
		return p.checkJSON(f.file, faults, nil, err)
	}
	return fmt.Errorf("%w\nnothing was changed", err)
}
