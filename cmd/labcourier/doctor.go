package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/doctor"
	"github.com/labcourier/labcourier/agent/status"
)

func (p *program) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "look at everything between the analyzers and the server, and say what to do",
		Long: "doctor walks configuration, secrets, data directory, spool, ports, network, TLS, sign-in, rights on\n" +
			"the server and clocks, and says a line for each: fine, or what to do. It sends no patient data and\n" +
			"writes nothing on the server. It can run beside the agent. Run it as the service's user: it tells of\n" +
			"that user's rights. It exits with 1 if anything is wrong; a warning is not.",
		Args: noArgs,
	}
	file := configFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found := []doctor.Finding{}
		p.examine(cmd.Context(), *file, func(f doctor.Finding) {
			found = append(found, f)
			if !asJSON {
				p.writeFinding(f)
			}
		})
		wrong := 0
		for _, f := range found {
			if f.State == doctor.Wrong {
				wrong++
			}
		}
		if asJSON {
			if err := p.json(struct {
				OK       bool             `json:"ok"`
				Findings []doctor.Finding `json:"findings"`
			}{wrong == 0, found}); err != nil {
				return err
			}
		}
		switch wrong {
		case 0:
			return nil
		case 1:
			return errors.New("one thing is wrong")
		}
		return fmt.Errorf("%d things are wrong", wrong)
	}
	return cmd
}

// writeFinding is a line for what was looked at, and one for what to do.
func (p *program) writeFinding(f doctor.Finding) {
	state := string(f.State)
	if isTerminal(p.out) {
		colour := map[doctor.State]string{doctor.Fine: "32", doctor.Warning: "33", doctor.Wrong: "31"}[f.State]
		state = "\x1b[" + colour + "m" + state + "\x1b[0m" + strings.Repeat(" ", 7-len(state))
	}
	fmt.Fprintf(p.out, "%-7s  %-10s  %s\n", state, f.Check, f.Text)
	if f.Hint != "" {
		fmt.Fprintf(p.out, "%21s%s\n", "", f.Hint)
	}
}

// examine makes every finding that can be made.
func (p *program) examine(ctx context.Context, file string, report doctor.Report) {
	cfg, err := config.Load(file, kinds())
	if err != nil {
		reportFaults(err, report)
		return
	}
	report(doctor.Finding{Check: "config", State: doctor.Fine, Text: fmt.Sprintf("%s; analyzers: %d", file, len(cfg.Enabled()))})
	for _, w := range cfg.Warnings {
		report(faultFinding(w, doctor.Warning))
	}
	running, err := status.NewClient(cfg.Status.Listen).Status(ctx)
	isRunning := err == nil
	reportAgent(ctx, cfg, running, isRunning, report)
	doctor.Local(cfg, agent.SpoolName, isRunning, report)
	for _, an := range cfg.Enabled() {
		if live, ok := liveAnalyzer(running, an.Name); ok {
			reportLive(live, report)
			continue
		}
		tryPort(ctx, an, report)
	}
	examineServer(ctx, cfg.Server, cfg.Enabled(), report)
	switch shadowed := cfg.Shadowed(); {
	case len(shadowed) > 0:
		examineServer(ctx, *cfg.Shadow, shadowed, report.Shadow())
	case cfg.Shadow != nil:
		report(doctor.Finding{Check: "shadow", State: doctor.Warning, Text: "no analyzer delivers to the second server", Hint: "write shadow = true in an [[analyzer]], or remove [shadow]"})
	}
}

// examineServer looks at a server as the agent uses it for these analyzers.
func examineServer(ctx context.Context, s config.Server, of []config.Analyzer, report doctor.Report) {
	up, err := agent.NewUpstream(s, zerolog.Nop())
	if err != nil {
		report(doctor.Finding{Check: "server", State: doctor.Wrong, Text: err.Error(), Hint: "see [server] and [server.auth]"})
		return
	}
	serverOf(s, of, up).Examine(ctx, report)
}

func serverOf(server config.Server, of []config.Analyzer, up agent.Upstream) doctor.Server {
	s := doctor.Server{
		URL: server.URL, Timeout: server.Timeout,
		HTTP: up.HTTP, Tokens: up.Tokens, Auth: up.Auth, UserAgent: "labcourier/" + version,
		Heartbeat: server.Heartbeat > 0,
	}
	if server.Auth.Method != "basic" {
		s.TokenURL = server.Auth.TokenURL
	}
	for _, an := range of {
		if an.Deliver != "bot" {
			s.Resources = true
		} else if !slices.Contains(s.Bots, an.Bot) {
			s.Bots = append(s.Bots, an.Bot)
		}
	}
	return s
}

// reportFaults says everything that is wrong with the configuration. What it
// would lead to is not looked at.
func reportFaults(err error, report doctor.Report) {
	faults, _ := errors.AsType[config.Faults](err)
	for _, f := range faults {
		report(faultFinding(f, doctor.Wrong))
	}
	if faults == nil {
		report(doctor.Finding{Check: "config", State: doctor.Wrong, Text: err.Error(), Hint: "look at the file; `labcourier check` reads it alone"})
	}
}

func faultFinding(f config.Fault, s doctor.State) doctor.Finding {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return doctor.Finding{Check: "config", State: s, Text: place + ": " + f.Problem, Hint: f.Hint}
}
