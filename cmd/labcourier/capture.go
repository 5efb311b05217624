package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/drivers/trace"
)

func (p *program) captureCommand() *cobra.Command {
	var out string
	var span time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "capture NAME",
		Short: "watch what goes over the link of one analyzer of the running agent, and record it",
		Long: "capture shows the bytes of both directions with their times, from the agent that runs on this\n" +
			"computer, or with --out records them. The link does not notice: a reader that is too slow gets a\n" +
			"marked gap. It needs the right to read the data directory, and the look is in the audit log.\n\n" +
			"What is shown and recorded is patient data; `labcourier anonymise` takes it out of a file.\n" +
			"`simulate FILE` replays a recording, `decode FILE` reads it.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("capture takes the name of one analyzer; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		},
	}
	file := configFlag(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", "", "record to this `file`, and do not show; a file that exists is added to")
	cmd.Flags().DurationVar(&span, "for", 0, "stop after this `time`; 0: when interrupted")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the lines of a recording, which are JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		stream, err := p.openTraffic(ctx, *file, args[0])
		if err != nil {
			return err
		}
		defer stream.Close()
		if span > 0 { // from now on: it is a time of watching
			defer time.AfterFunc(span, cancel).Stop()
		}
		if out != "" {
			return p.recordTraffic(ctx, stream, args[0], out)
		}
		return p.showTraffic(ctx, stream, asJSON)
	}
	return cmd
}

// openTraffic asks the running agent for an analyzer's bytes.
func (p *program) openTraffic(ctx context.Context, file, analyzer string) (io.ReadCloser, error) {
	cfg, an, err := configuredAnalyzer(file, analyzer)
	if err != nil {
		return nil, err
	}
	if !an.Enabled {
		return nil, usageError{fmt.Errorf("analyzer %q is not enabled in %s", analyzer, file)}
	}
	token, err := admin.ReadToken(cfg.Agent.DataDir)
	if err != nil {
		return nil, err
	}
	stream, err := admin.NewClient(cfg.Status.Listen, token).Traffic(ctx, analyzer)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no agent runs at %s: start it with `labcourier run`", cfg.Status.Listen)
	}
	return stream, err
}

// each hands over the events of a stream until it ends, or ctx does.
func each(ctx context.Context, r *trace.Reader, do func(trace.Event)) error {
	for {
		e, err := r.Next()
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // ended as it was asked to
		case errors.Is(err, io.EOF):
			return errors.New("the agent ended the capture: it stops, or was told to read its configuration again")
		case err != nil:
			return fmt.Errorf("read from the agent: %w", err)
		}
		do(e)
	}
}

func (p *program) showTraffic(ctx context.Context, stream io.Reader, asJSON bool) error {
	r := trace.NewReader(stream)
	if asJSON {
		if err := r.ReadHeader(); err != nil {
			return ended(ctx, err)
		}
		h := r.Header()
		if _, err := p.out.Write(trace.AppendHeader(nil, h)); err != nil {
			return err
		}
		return each(ctx, r, func(e trace.Event) { _, _ = p.out.Write(trace.AppendEvent(nil, h.Began, e)) })
	}
	printer := trace.NewPrinter(p.out)
	defer printer.Flush()
	return ended(ctx, each(ctx, r, printer.Print))
}

// ended is nil for an error of a stream that we ended ourselves.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // ended as it was asked to
	}
	return err
}

func (p *program) recordTraffic(ctx context.Context, stream io.Reader, analyzer, out string) error {
	r := trace.NewReader(stream)
	if err := r.ReadHeader(); err != nil {
		return ended(ctx, err)
	}
	rec, err := record(out, "capture", r.Header())
	if err != nil {
		return err
	}
	live := p.newLiveLine(func() string { return fmt.Sprintf("%s: %s", analyzer, rec.state()) })
	shown, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		live.run(shown)
	}()
	err = ended(ctx, each(ctx, r, rec.Add))
	stop()
	<-done
	return errors.Join(err, rec.end(p))
}
