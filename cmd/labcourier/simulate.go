package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/drivers/trace"
)

// simulation is one run of `simulate`.
type simulation struct {
	connect, listen, serial string
	baud                    int
	model, prefix           string
	count                   int
	interval                time.Duration
	seed                    uint64
	replay                  string
	timing                  bool
}

func (p *program) simulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate [FILE]",
		Short: "be an analyzer: send made-up results, or a capture byte for byte",
		Long:  "simulate speaks ASTM (LIS01, LIS02) as an analyzer does. Without FILE it makes up results of a model,\nfor specimens whose ids begin with SIM. With FILE it sends that capture byte for byte, waiting for the\nanswers where the analyzer did; bare records are sent in frames.\n\nA recording of `tap`, `capture` or `detect` is replayed whatever its protocol: the analyzer's bytes are\nsent again, each time waiting for an answer where there was one. --timing keeps the pauses.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && s.replay != "" {
				return usageError{errors.New("simulate takes one file at most; see `labcourier simulate --help`")}
			}
			return nil
		},
	}
	var models []string
	for _, m := range simulator.Models() {
		models = append(models, m.Name)
	}
	f := cmd.Flags()
	f.StringVar(&s.connect, "connect", "", "connect to `host:port`")
	f.StringVar(&s.listen, "listen", "", "wait for a connection at `host:port`")
	f.StringVar(&s.serial, "serial", "", "speak on this serial `device`")
	f.IntVar(&s.baud, "baud", 9600, "of the serial line")
	f.StringVar(&s.model, "model", "chemistry", "one of "+strings.Join(models, ", "))
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
		pt, err := s.port()
		if err != nil {
			return usageError{err}
		}
		defer pt.Close()
		if len(args) == 1 {
			return p.play(cmd.Context(), pt, args[0], s.timing)
		}
		return p.makeUp(cmd.Context(), pt, s)
	}
	return cmd
}

func (s simulation) port() (drivers.Port, error) {
	switch {
	case s.connect != "" && s.listen == "" && s.serial == "":
		return port.Connect(port.ConnectConfig{Address: s.connect})
	case s.listen != "" && s.connect == "" && s.serial == "":
		return port.Listen(port.ListenConfig{Address: s.listen})
	case s.serial != "" && s.connect == "" && s.listen == "":
		return port.Serial(port.SerialConfig{Device: s.serial, Baud: s.baud})
	}
	return nil, errors.New("say where to: one of --connect, --listen or --serial")
}

// makeUp sends made-up results until there were enough.
func (p *program) makeUp(ctx context.Context, pt drivers.Port, s simulation) error {
	model, ok := simulator.ModelNamed(s.model)
	if !ok {
		return usageError{fmt.Errorf("no model %q; see `labcourier simulate --help`", s.model)}
	}
	if s.seed == 0 {
		s.seed = uint64(time.Now().UnixNano())
	}
	gen := simulator.NewGenerator(model, s.prefix, s.seed)
	sent := 0
	an := simulator.Analyzer{
		Port:   pt,
		Sender: model.Sender(),
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
			fmt.Fprintf(p.out, "%s  message %d, %d bytes: acknowledged\n", time.Now().Format(time.TimeOnly), sent, len(m))
		},
		Failed: func(err error) { fmt.Fprintf(p.err, "not acknowledged, sending it again: %v\n", err) },
	}
	err := an.Run(ctx)
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// answerWait is how long play waits for each answer: as long as an analyzer.
const answerWait = astm.ReplyTimeout

// play sends a capture.
func (p *program) play(ctx context.Context, pt drivers.Port, name string, timing bool) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if trace.Sniff(raw) {
		return p.replay(ctx, pt, raw, timing)
	}
	if timing {
		return usageError{errors.New("--timing needs a recording of `labcourier tap` or `capture`: raw traffic has no times")}
	}
	c, err := pt.Open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if bytes.IndexByte(raw, astm.STX) < 0 {
		messages, _ := astm.Split(raw, drivers.NoSection{})
		for i, m := range messages {
			err := simulator.ASTM{PerRecord: true}.Send(ctx, c, m.Payload)
			if err != nil {
				return fmt.Errorf("message %d: %w", i+1, err)
			}
			fmt.Fprintf(p.out, "message %d, %d bytes: acknowledged\n", i+1, len(m.Payload))
		}
		return nil
	}
	refused := 0
	err = simulator.Play(ctx, c, raw, answerWait, func(t simulator.Turn, answer byte) {
		if !t.Answer {
			return
		}
		word := map[byte]string{astm.ACK: "ACK", astm.NAK: "NAK", 0: "no answer"}[answer]
		if word == "" {
			word = fmt.Sprintf("%#02x", answer)
		}
		if answer != astm.ACK {
			refused++
		}
		fmt.Fprintf(p.out, "%4d bytes: %s\n", len(t.Bytes), word)
	})
	if err == nil && refused > 0 {
		err = fmt.Errorf("%d frames were not acknowledged", refused)
	}
	return err
}

// replay sends what the analyzer sent in a recording.
func (p *program) replay(ctx context.Context, pt drivers.Port, raw []byte, timing bool) error {
	_, events, err := trace.ReadAll(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	missing, other := 0, 0
	r := simulator.Replay{Port: pt, Events: events, Timing: timing, Seen: func(sent int, recorded, now []byte) {
		same := bytes.Equal(recorded, now)
		switch {
		case len(now) == 0:
			missing++
			fmt.Fprintf(p.out, "%5d bytes: no answer; recorded: %s\n", sent, short(recorded))
		case same:
			fmt.Fprintf(p.out, "%5d bytes: %s, as recorded\n", sent, short(now))
		default:
			if len(recorded) == 1 { // a longer answer holds times and numbers of its own
				other++
			}
			fmt.Fprintf(p.out, "%5d bytes: %s; recorded: %s\n", sent, short(now), short(recorded))
		}
	}}
	if err := r.Run(ctx); err != nil {
		return err
	}
	if missing+other > 0 {
		return fmt.Errorf("%d answers did not come, %d differ from the recording", missing, other)
	}
	return nil
}

// short shows the beginning of an answer.
func short(b []byte) string {
	const most = 40
	if len(b) <= most {
		return trace.Visible(b)
	}
	return fmt.Sprintf("%s... (%d bytes)", trace.Visible(b[:most]), len(b))
}
