package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/spool"
)

// messagesCall is the body of one messages subcommand.
type messagesCall func(ctx context.Context, c *admin.Client, args []string) error

func (p *program) messagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "messages",
		Short: "look at what is stored: list, show, retry, set-specimen, discard, export, import, back up",
		Long:  "messages asks the agent that runs on this computer or, while none runs, opens the spool itself.\nIt needs the right to read the data directory: be the service's user, root or administrator.",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	file := cmd.PersistentFlags().StringP("config", "c", defaultConfig(), "the configuration `file`")
	add := func(sub *cobra.Command, least, most int, call messagesCall) {
		sub.Args = func(cmd *cobra.Command, given []string) error {
			if len(given) < least || len(given) > most {
				return usageError{fmt.Errorf("wrong number of arguments; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		}
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			return p.withMessages(cmd.Context(), *file, func(ctx context.Context, c *admin.Client) error { return call(ctx, c, args) })
		}
		cmd.AddCommand(sub)
	}
	p.addListing(add)
	p.addSteering(add)
	p.addSpecimen(add)
	p.addMoving(add)
	p.addUpkeep(add)
	cmd.AddCommand(p.newKeyCommand())
	return cmd
}

// withMessages gives call a client: of the running agent, or else of the spool
// itself.
func (p *program) withMessages(ctx context.Context, file string, call func(context.Context, *admin.Client) error) error {
	cfg, err := config.Load(file, kinds())
	if err != nil {
		return err
	}
	token, err := admin.ReadToken(cfg.Agent.DataDir)
	if err == nil {
		err = call(ctx, admin.NewClient(cfg.Status.Listen, token))
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s, err := agent.OpenSpool(cfg)
	if err != nil {
		if locked, ok := errors.AsType[*spool.LockedError](err); ok {
			return fmt.Errorf("%w; it does not answer at %s", locked, cfg.Status.Listen)
		}
		return err
	}
	return errors.Join(call(ctx, admin.InProcess(s, func(h *admin.Handler) { agent.AddCalls(h, s, func() *config.Config { return cfg }, kinds()) })), s.Close())
}

// adder adds a subcommand that takes between least and most arguments.
type adder func(sub *cobra.Command, least, most int, call messagesCall)

// queryFlags lets a command select messages.
func queryFlags(cmd *cobra.Command, q *admin.Query) {
	cmd.Flags().StringVar(&q.Analyzer, "analyzer", "", "of this analyzer only")
	cmd.Flags().StringVar(&q.State, "state", "", "in this state only: waiting, parked, delivered, discarded")
	cmd.Flags().IntVarP(&q.Limit, "limit", "n", 0, "so many at most; 0: the command's default")
}

func (p *program) addListing(add adder) {
	var q admin.Query
	var asJSON bool
	list := &cobra.Command{Use: "list", Short: "list messages, oldest first; no patient data"}
	add(list, 0, 0, func(ctx context.Context, c *admin.Client, _ []string) error {
		found, err := c.List(ctx, q)
		if err != nil {
			return err
		}
		if asJSON {
			return p.json(found)
		}
		return p.table(found)
	})
	queryFlags(list, &q)
	list.Flags().Uint64Var((*uint64)(&q.After), "after", 0, "with greater numbers only")
	list.Flags().BoolVar(&asJSON, "json", false, "write JSON")

	show := &cobra.Command{Use: "show NUMBER", Short: "show one message and what the analyzer sent; the look is audited"}
	var raw bool
	add(show, 1, 1, func(ctx context.Context, c *admin.Client, args []string) error {
		n, err := number(args[0])
		if err != nil {
			return err
		}
		m, err := c.Get(ctx, n)
		if err != nil {
			return err
		}
		return p.show(m, raw, asJSON)
	})
	show.Flags().BoolVar(&raw, "raw", false, "write the analyzer's bytes and nothing else, for `labcourier decode -`")
	show.Flags().BoolVar(&asJSON, "json", false, "write JSON")

	var after uint64
	var limit int
	audit := &cobra.Command{Use: "audit", Short: "show the audit log, after checking that nothing in it was changed"}
	add(audit, 0, 0, func(ctx context.Context, c *admin.Client, _ []string) error {
		log, err := c.Audit(ctx, after, limit)
		if err != nil {
			return err
		}
		if asJSON {
			return p.json(log)
		}
		for _, e := range log {
			fmt.Fprintf(p.out, "%d  %s  %-10s %s %s %s\n", e.Number, e.At.Format(time.RFC3339), e.What, e.Lane, seqText(e.Seq), e.Note)
		}
		return nil
	})
	audit.Flags().Uint64Var(&after, "after", 0, "entries with greater numbers only")
	audit.Flags().IntVarP(&limit, "limit", "n", 0, "so many at most; 0: 100")
	audit.Flags().BoolVar(&asJSON, "json", false, "write JSON")
}

func (p *program) addSteering(add adder) {
	var parked bool
	var analyzer string
	retry := &cobra.Command{Use: "retry [NUMBER...]", Short: "deliver messages again: those named, or all that are parked"}
	add(retry, 0, 1000, func(ctx context.Context, c *admin.Client, args []string) error {
		if parked != (len(args) == 0) {
			return usageError{errors.New("name the messages to retry, or give --parked for all that are parked")}
		}
		numbers, err := p.toRetry(ctx, c, args, analyzer)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if err := c.Retry(ctx, n); err != nil {
				return fmt.Errorf("message %d: %w", n, err)
			}
			fmt.Fprintf(p.out, "message %d waits for delivery again\n", n)
		}
		return nil
	})
	retry.Flags().BoolVar(&parked, "parked", false, "all parked messages but those that were broken off")
	retry.Flags().StringVar(&analyzer, "analyzer", "", "with --parked: of this analyzer only")

	var reason string
	discard := &cobra.Command{Use: "discard NUMBER... --reason TEXT", Short: "give messages up; they stay in the history until retention"}
	add(discard, 1, 1000, func(ctx context.Context, c *admin.Client, args []string) error {
		for _, arg := range args {
			n, err := number(arg)
			if err != nil {
				return err
			}
			if err := c.Discard(ctx, n, reason); err != nil {
				return fmt.Errorf("message %d: %w", n, err)
			}
			fmt.Fprintf(p.out, "message %d is discarded\n", n)
		}
		return nil
	})
	discard.Flags().StringVar(&reason, "reason", "", "why; it stays in the audit log, so name no patient")
}

func (p *program) addSpecimen(add adder) {
	var order int
	cmd := &cobra.Command{
		Use: "set-specimen NUMBER ID", Short: "say of which specimen a held message is, and deliver it",
		Long: "set-specimen is for a message that is held because the analyzer could not read the barcode, or sent\nno specimen id. Read the tube, not the screen: the result goes to whoever has this id.\nThe message stays as it came; that an id was given is audited.",
	}
	add(cmd, 2, 2, func(ctx context.Context, c *admin.Client, args []string) error {
		n, err := number(args[0])
		if err != nil {
			return err
		}
		if order < 0 {
			return usageError{errors.New("--order counts the orders of the message from 1")}
		}
		if err := c.SetSpecimen(ctx, n, args[1], order); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		fmt.Fprintf(p.out, "message %d waits for delivery with the specimen id that was given\n", n)
		return nil
	})
	cmd.Flags().IntVar(&order, "order", 0, "of a message with several orders: which, from 1")
}

// toRetry lists the messages that a retry is for.
func (p *program) toRetry(ctx context.Context, c *admin.Client, args []string, analyzer string) (numbers []spool.Seq, err error) {
	for _, arg := range args {
		n, err := number(arg)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	if len(args) > 0 {
		return numbers, nil
	}
	q := admin.Query{Analyzer: analyzer, State: spool.Parked.String(), Limit: 1000}
	for {
		found, err := c.List(ctx, q)
		if err != nil || len(found) == 0 {
			return numbers, err
		}
		for _, m := range found {
			if m.Stage != spool.Broken.String() && !m.Damaged {
				numbers = append(numbers, m.Seq)
			}
			q.After = m.Seq
		}
	}
}

// addMoving adds what carries messages to and from files.
func (p *program) addMoving(add adder) {
	var q admin.Query
	export := &cobra.Command{Use: "export FILE", Short: "write messages with their content to a file: patient data"}
	add(export, 1, 1, func(ctx context.Context, c *admin.Client, args []string) error {
		return p.writeFile(args[0], func(f *os.File) error { return c.Export(ctx, q, f) })
	})
	queryFlags(export, &q)

	add(&cobra.Command{Use: "import FILE", Short: "take in what export wrote; what is known already is left out"}, 1, 1,
		func(ctx context.Context, c *admin.Client, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			im, err := c.Import(ctx, f)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "%d messages taken in, %d were known already\n", im.Stored, im.Known)
			return nil
		})

	add(&cobra.Command{Use: "backup FILE", Short: "write the whole spool to a file while the agent goes on, and verify it: patient data"}, 1, 1,
		func(ctx context.Context, c *admin.Client, args []string) error {
			if err := p.writeFile(args[0], func(f *os.File) error { return c.Backup(ctx, f) }); err != nil {
				return err
			}
			v, err := spool.Verify(args[0])
			if err != nil {
				return fmt.Errorf("the backup was written but is not good: %w", err)
			}
			fmt.Fprintf(p.out, "verified: %d messages (%d waiting, %d parked), %d bytes\n", v.Records, v.Waiting, v.Parked, v.Bytes)
			return nil
		})
}

// writeFile writes a new file that only its owner can read. It never writes over
// another, and leaves no half file behind.
func (p *program) writeFile(name string, write func(*os.File) error) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func number(s string) (spool.Seq, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, usageError{fmt.Errorf("%q is not a message's number; `labcourier messages list` shows them", s)}
	}
	return spool.Seq(n), nil
}

func seqText(q spool.Seq) string {
	if q == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(q), 10)
}

func (p *program) json(v any) error {
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

func (p *program) table(found []admin.Message) error {
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tRECEIVED\tANALYZER\tSTATE\tBYTES\tWHY")
	for _, m := range found {
		why := ""
		if m.Reason != nil {
			why = m.Reason.Text
		} else if m.Receipt != nil {
			why = m.Receipt.Note
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\n", m.Seq, m.Received.Local().Format(time.DateTime), m.Analyzer, m.State, m.Bytes, why)
	}
	return w.Flush()
}

func (p *program) show(m admin.Content, raw, asJSON bool) error {
	switch {
	case raw:
		_, err := p.out.Write(m.Payload)
		return err
	case asJSON:
		return p.json(m)
	}
	fmt.Fprintf(p.out, "message %d of %s (%s): %s since %s\n", m.Seq, m.Analyzer, m.Driver, m.State, m.Changed.Local().Format(time.DateTime))
	fmt.Fprintf(p.out, "received  %s, %d bytes, digest %s, sent again %d times\n", m.Received.Local().Format(time.DateTime), m.Bytes, m.Digest, m.Duplicates)
	if m.Reason != nil {
		fmt.Fprintf(p.out, "why       %s: %s\n", m.Reason.Code, m.Reason.Text)
	}
	if m.Receipt != nil {
		fmt.Fprintf(p.out, "outcome   %s %s\n", m.Receipt.Outcome, m.Receipt.Note)
		for _, r := range m.Receipt.Resources {
			fmt.Fprintf(p.out, "          %s\n", r)
		}
	}
	for _, r := range visible(m.Payload) {
		fmt.Fprintln(p.out, " ", r)
	}
	return nil
}
