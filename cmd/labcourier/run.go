package main

import (
	"context"
	"fmt"
	"io"
	"sync"

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
		return p.hosted(cmd.Context(), func(ctx context.Context, h host) error { return serve(ctx, *file, h) })
	}
	return cmd
}

// host is where `run` runs: at a terminal, under systemd, or as a service of
// Windows.
type host struct {
	log io.Writer

	// sparing is a log that is not for much: it gets warnings and errors where
	// there is a file besides.
	sparing bool

	// opened is called once the agent is about to serve.
	opened func(*config.Config)

	// reload tells that the configuration is to be read anew, and by whom; nil:
	// nobody does.
	reload <-chan string
}

// serve runs the agent of a configuration until ctx ends.
func serve(ctx context.Context, file string, h host) error {
	cfg, err := config.Load(file, kinds())
	if err != nil {
		return err
	}
	log, end := h.openLog(cfg.Log)
	defer end()
	for _, w := range cfg.Warnings {
		log.Warn().Str("file", w.File).Int("line", w.Line).Str("key", w.Key).Str("hint", w.Hint).Msg(w.Problem)
	}
	manager := systemdOf(log)
	a, err := agent.Open(agent.Options{
		Config: cfg, Kinds: kinds(), Version: version, Log: log, OpenPort: openPort,
		Load:      func() (*config.Config, error) { return config.Load(file, kinds()) },
		Reloading: manager.reloading,
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	h.opened(cfg)
	unfollow := manager.alongside(ctx, a, cfg.Agent.StopTimeout)
	defer unfollow()
	defer h.obey(ctx, a)()
	return a.Run(ctx)
}

// obey reloads a's configuration when the host says so, until the function it
// returns is called.
func (h host) obey(ctx context.Context, a *agent.Agent) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case by := <-h.reload:
				_, _ = a.Reload(ctx, by) // the log has it
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
