package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/drivers/tap"
	"github.com/labcourier/labcourier/drivers/trace"
)

func (p *program) tapCommand() *cobra.Command {
	var analyzer, lis, out string
	var span time.Duration
	cmd := &cobra.Command{
		Use:   "tap --analyzer LINK --lis LINK",
		Short: "sit between an analyzer and its present LIS: pass everything on, and record it",
		Long: "tap passes every byte both ways, unchanged and at once, and records it with its time. It answers\n" +
			"nothing itself. LINK is " + linkForms + ".\n\n" +
			"An analyzer that connects to its LIS at 10.0.0.9:4001 is set to this computer instead:\n\n" +
			"    labcourier tap --analyzer listen:0.0.0.0:4001 --lis connect:10.0.0.9:4001 --out xn.trace\n\n" +
			"On a serial line this computer takes the LIS's place, and a second port leads to the LIS:\n\n" +
			"    labcourier tap --analyzer serial:COM3,9600,8N1 --lis serial:COM4,9600,8N1\n\n" +
			"If the recording cannot keep up, or the disk is full, the link goes on and the recording gets a\n" +
			"marked gap. The file is patient data: `labcourier anonymise` takes it out. `simulate FILE` replays\n" +
			"it, `decode FILE` reads it. A file that exists is added to.",
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&analyzer, "analyzer", "", "the `link` to the analyzer")
	f.StringVar(&lis, "lis", "", "the `link` to the system that takes the results now")
	f.StringVarP(&out, "out", "o", "", "record to this `file`; without it tap-DATE-TIME.trace")
	f.DurationVar(&span, "for", 0, "stop after this `time`; 0: when interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if span > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, span)
			defer cancel()
		}
		a, err := parseLink("--analyzer", analyzer)
		if err != nil {
			return usageError{err}
		}
		h, err := parseLink("--lis", lis)
		if err != nil {
			return usageError{err}
		}
		return p.tap(ctx, a, h, out)
	}
	return cmd
}

func (p *program) tap(ctx context.Context, analyzer, lis link, out string) error {
	rec, err := record(out, "tap", trace.Header{Began: time.Now(), Link: fmt.Sprintf("%s - %s", analyzer.port, lis.port)})
	if err != nil {
		return err
	}
	t := &tap.Tap{Analyzer: analyzer.port, Host: lis.port, Many: !analyzer.serial && !lis.serial}
	live := p.newLiveLine(func() string {
		n := t.Totals()
		return fmt.Sprintf("%d open, %d so far; analyzer %s, LIS %s; %s", n.Open, n.Conns, size(n.FromAnalyzer), size(n.FromHost), rec.state())
	})
	said := make(chan string, 64)
	t.Record = func(e trace.Event) {
		rec.Add(e)
		if text := tell(e); text != "" {
			select {
			case said <- text:
			default: // a terminal that stands still must not hold the link up
			}
		}
	}
	shown, stop := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	showing.Go(func() { live.run(shown) })
	showing.Go(func() {
		for {
			select {
			case text := <-said:
				live.say(text)
			case <-shown.Done():
				return
			}
		}
	})
	live.say(fmt.Sprintf("%s <-> %s, recording to %s; Ctrl-C ends it", analyzer.port, lis.port, rec.name))
	err = t.Run(ctx)
	stop()
	showing.Wait()
	n := t.Totals()
	fmt.Fprintf(p.err, "passed on %d bytes from the analyzer and %d from the LIS, over %d connections\n", n.FromAnalyzer, n.FromHost, n.Conns)
	return errors.Join(err, rec.end(p))
}

// tell is what a link event says on the terminal; "" for bytes.
func tell(e trace.Event) string {
	at := e.At.Format(time.TimeOnly)
	switch e.Kind {
	case trace.Open:
		return fmt.Sprintf("%s  connection %d: %s", at, e.Conn, e.Note)
	case trace.Reset:
		return fmt.Sprintf("%s  connection %d was broken off by the %s", at, e.Conn, e.From)
	case trace.Close:
		return fmt.Sprintf("%s  connection %d closed", at, e.Conn)
	case trace.Note:
		return at + "  " + e.Note
	}
	return ""
}
