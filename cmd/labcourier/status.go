package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/status"
)

// statusFlags is what was asked of the status command.
type statusFlags struct {
	file, address     string
	json, watch, open bool
	every             time.Duration // watch looks again after this
}

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func (p *program) statusCommand() *cobra.Command {
	f := statusFlags{every: watchEvery}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell how the running agent does",
		Long: "status asks the agent that runs on this computer. It exits with 1 if no agent answers, or if\n" +
			"something needs a person. With --open it shows the page in the browser, signed in, so that\n" +
			"messages can be seen and sent again there; that needs the right to read the data directory.",
		Args: noArgs,
	}
	file := configFlag(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "write JSON, as /api/status gives it")
	cmd.Flags().StringVar(&f.address, "address", "", "the agent's status endpoint, `host:port`; default: from the configuration")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "show it again every other second, until Ctrl-C")
	cmd.Flags().BoolVar(&f.open, "open", false, "open the page in the browser, signed in")
	cmd.MarkFlagsMutuallyExclusive("open", "watch")
	cmd.MarkFlagsMutuallyExclusive("open", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f.file = *file
		return p.status(cmd.Context(), f)
	}
	return cmd
}

func (p *program) status(ctx context.Context, f statusFlags) error {
	if f.address == "" || f.open {
		cfg, err := config.Load(f.file, kinds())
		if err != nil {
			return err
		}
		if f.address == "" {
			f.address = cfg.Status.Listen
		}
		if f.open {
			return p.openPage(ctx, f.address, cfg.Agent.DataDir)
		}
	}
	if f.watch {
		return p.watchStatus(ctx, f)
	}
	s, err := status.NewClient(f.address).Status(ctx)
	if err != nil {
		return fmt.Errorf("%w; is the agent running?", err)
	}
	if err := p.writeStatus(s, f.json); err != nil {
		return err
	}
	if level, text, _ := status.Sentence(s); level == status.LevelBad {
		return fmt.Errorf("%s", text)
	}
	return nil
}

func (p *program) writeStatus(s status.Snapshot, asJSON bool) error {
	if asJSON {
		return p.json(s)
	}
	status.WriteTable(p.out, s, isTerminal(p.out))
	return nil
}

// watchStatus shows the status again and again. On a terminal each takes the
// place of the last; elsewhere they follow each other, as JSON one in a line.
func (p *program) watchStatus(ctx context.Context, f statusFlags) error {
	client := status.NewClient(f.address)
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		s, err := client.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if isTerminal(p.out) && !f.json {
			fmt.Fprint(p.out, "\x1b[H\x1b[2J")
		}
		switch {
		case err != nil:
			fmt.Fprintln(p.out, "The agent does not answer:", err)
		case f.json:
			err = json.NewEncoder(p.out).Encode(s)
		default:
			err = p.writeStatus(s, false)
		}
		if f.json && err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// openPage asks the agent for a link that signs a browser in once, and follows
// it. The link is shown as well: the computer may have no browser for this user.
func (p *program) openPage(ctx context.Context, address, dataDir string) error {
	token, err := admin.ReadToken(dataDir)
	if err != nil {
		return err
	}
	login, err := admin.NewClient(address, token).Login(ctx)
	if err != nil {
		return fmt.Errorf("%w; is the agent running?", err)
	}
	link := "http://" + address + login.Path
	fmt.Fprintf(p.out, "This link works once, and for a minute:\n%s\n", link)
	if !isTerminal(p.out) {
		return nil
	}
	if err := openBrowser(ctx, link); err != nil {
		fmt.Fprintf(p.err, "No browser could be opened (%v): open the link yourself.\n", err)
	}
	return nil
}
