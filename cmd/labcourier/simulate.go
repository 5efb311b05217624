package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// simulation is one run of `simulate`.
type simulation struct {
	connect, listen, serial, folder string
	baud                            int
	driver, config, analyzer        string
	model, prefix                   string
	count                           int
	interval                        time.Duration
	seed                            uint64
	replay                          string
	timing                          bool
}

const simulateHelp = `simulate is an analyzer, of any driver. Without FILE it makes up results of a model, for specimens
whose ids begin with SIM. With FILE it sends what that capture holds: ASTM byte for byte, waiting for
the answers where the analyzer did; of the others, message by message.
A recording of tap, capture or detect is replayed whatever its protocol: the analyzer's bytes are sent
again, each time waiting for an answer where there was one. --timing keeps the pauses.

What a text analyzer sends is described in a configuration: name it with --config and --analyzer.
So is whether an ASTM analyzer sends frames or bare records (framing = "none").`

func (p *program) simulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate [FILE]",
		Short: "be an analyzer: send made-up results, or a capture",
		Long:  simulateHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && s.replay != "" {
				return usageError{errors.New("simulate takes one file at most; see `labcourier simulate --help`")}
			}
			return nil
		},
	}
	var models []string
	for _, m := range simulator.Models() {
		models = append(models, m.Name+" ("+m.Driver+")")
	}
	f := cmd.Flags()
	f.StringVar(&s.connect, "connect", "", "connect to `host:port`")
	f.StringVar(&s.listen, "listen", "", "wait for a connection at `host:port`")
	f.StringVar(&s.serial, "serial", "", "speak on this serial `device`")
	f.StringVar(&s.folder, "folder", "", "drop files into this `folder`, each acknowledged when it is moved away")
	f.IntVar(&s.baud, "baud", 9600, "of the serial line")
	f.StringVar(&s.driver, "driver", "", "the `driver` to speak; \"\": that of the model, or of the analyzer")
	f.StringVarP(&s.config, "config", "c", "", "speak as an analyzer of this configuration `file` does")
	f.StringVar(&s.analyzer, "analyzer", "", "the analyzer's `name` in that file")
	f.StringVar(&s.model, "model", "", "what is measured, one of "+strings.Join(models, ", ")+"; \"\": the driver's first")
	f.StringVar(&s.prefix, "prefix", "SIM", "what specimen ids begin with")
	f.IntVarP(&s.count, "count", "n", 0, "how many messages; 0: until stopped")
	f.DurationVar(&s.interval, "interval", time.Second, "from one message to the next")
	f.Uint64Var(&s.seed, "seed", 0, "makes up the same results again; 0: other ones each time")
	f.StringVar(&s.replay, "replay", "", "replay this `file`: the same as naming it as the argument")
	f.BoolVar(&s.timing, "timing", false, "keep the pauses of a recording")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.replay != "" {
			args = []string{s.replay}
		}
		as, err := s.role()
		if err != nil {
			return err
		}
		pt, err := s.port()
		if err != nil {
			return usageError{err}
		}
		defer pt.Close()
		if len(args) == 1 {
			return p.play(cmd.Context(), pt, as, args[0], s.timing)
		}
		return p.makeUp(cmd.Context(), pt, as.model, s)
	}
	return cmd
}

func (s simulation) port() (drivers.Port, error) {
	given := 0
	for _, to := range []string{s.connect, s.listen, s.serial, s.folder} {
		if to != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, errors.New("say where to: one of --connect, --listen, --serial or --folder")
	case s.connect != "":
		return port.Connect(port.ConnectConfig{Address: s.connect})
	case s.listen != "":
		return port.Listen(port.ListenConfig{Address: s.listen})
	case s.serial != "":
		return port.Serial(port.SerialConfig{Device: s.serial, Baud: s.baud})
	}
	return &simulator.Dropper{Dir: s.folder}, nil
}

// makeUp sends made-up results until there were enough.
func (p *program) makeUp(ctx context.Context, pt drivers.Port, model simulator.Model, s simulation) error {
	if _, err := model.Renders(); err != nil {
		return usageError{err}
	}
	if s.seed == 0 {
		s.seed = uint64(time.Now().UnixNano())
	}
	gen := simulator.NewGenerator(model, s.prefix, s.seed)
	sent := 0
	an := simulator.Analyzer{
		Port:   pt,
		Sender: senderTo(pt, model),
		Next: func(ctx context.Context) ([]byte, error) {
			if s.count > 0 && sent == s.count {
				return nil, io.EOF
			}
			if sent > 0 {
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(s.interval):
				}
			}
			return gen.Next(time.Now()), nil
		},
		Acknowledged: func(m []byte) {
			sent++
			fmt.Fprintf(p.out, "%s  message %d, %d bytes: %s\n", time.Now().Format(time.TimeOnly), sent, len(m), answered(pt, model))
		},
		Failed: func(err error) { fmt.Fprintf(p.err, "not acknowledged, sending it again: %v\n", err) },
	}
	err := an.Run(ctx)
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
