package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/agent/validate"
)

// validation is one call of the command.
type validation struct {
	p    *program
	file string

	last         int
	since, until string
	html, csv    string
	asJSON       bool
	exact        bool

	cfg      *config.Config
	analyzer config.Analyzer
}

// differsError is a comparison that went through and did not find what was sent:
// exit code 3.
type differsError struct{ error }

func (p *program) validateCommand() *cobra.Command {
	v := &validation{p: p}
	cmd := &cobra.Command{
		Use:   "validate-interface ANALYZER",
		Short: "compare what an analyzer sent with what the server holds now, as a report to sign",
		Long: "validate-interface takes the last delivered messages of an analyzer, reads them as they were stored, reads\n" +
			"the server's resources back over HTTP, and compares field by field: specimen id, test, value, unit, range,\n" +
			"flags, status, times. It is for the day before an interface goes live, and for the periodic check that\n" +
			"inspectors ask for. It asks the agent that runs on this computer or, while none runs, opens the spool itself;\n" +
			"on the server it only reads, with the agent's own credentials and within the same rate limit.\n\n" +
			"--html is for people: one file, to be printed and signed. --csv is for spreadsheets: a cell that one would take\n" +
			"for a formula has an apostrophe in front, and the last column names it; import the columns as text, or the\n" +
			"spreadsheet makes 5.1 of 5.10. Both hold patient data, are new files for their owner alone, and that they were\n" +
			"made is audited.\n\n" +
			"A result that a newer message corrected is superseded, and not a difference. A server that stores 5.10 as 5.1\n" +
			"holds the same number; that is told, and counts as a difference with --exact only.\n\n" +
			"It exits with 3 if anything differs, is missing, or could not be read.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("name one analyzer; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		},
	}
	file := configFlag(cmd)
	f := cmd.Flags()
	f.IntVar(&v.last, "last", 50, "so many delivered messages, the newest")
	f.StringVar(&v.since, "since", "", "received from this `time` on: 2026-11-22, 2026-11-22T08:00, or with a zone")
	f.StringVar(&v.until, "until", "", "received until this `time`")
	f.StringVar(&v.html, "html", "", "write a page to print and sign to a new `file`: patient data")
	f.StringVar(&v.csv, "csv", "", "write each field as a row to a new `file`: patient data")
	f.BoolVar(&v.asJSON, "json", false, "write all of it as JSON instead of the summary: patient data")
	f.BoolVar(&v.exact, "exact", false, "a number with other digits (5.10, 5.1) differs")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v.file = *file
		return v.run(cmd.Context(), args[0])
	}
	return cmd
}

func (v *validation) run(ctx context.Context, name string) error {
	c, err := v.prepare(name)
	if err != nil {
		return err
	}
	if now, err := status.NewClient(v.cfg.Status.Listen).Status(ctx); err == nil {
		c.Running = now.Config.Digest
	}
	if c.OtherConfig() {
		fmt.Fprintf(v.p.err, "labcourier: the agent runs with another configuration than %s; `labcourier reload` takes it over\n", v.file)
	}
	err = v.p.withMessages(ctx, v.file, func(ctx context.Context, client *admin.Client) error { return v.collect(ctx, client, c) })
	if err != nil {
		return err
	}
	report, err := v.compare(ctx, c)
	if err != nil {
		return err
	}
	bad := wrong(report.Counts.Results)
	// Noted before anything is written: no report without its entry.
	note := admin.Validated{Analyzer: name, Messages: len(report.Messages), Results: total(report.Counts.Results), Wrong: bad}
	err = v.p.withMessages(ctx, v.file, func(ctx context.Context, client *admin.Client) error { return client.Validated(ctx, note) })
	if err != nil {
		return err
	}
	if err := v.write(report); err != nil {
		return err
	}
	if !report.Good() {
		return differsError{fmt.Errorf("not everything that %s sent is on the server as it was sent", name)}
	}
	return nil
}

// prepare reads the configuration and the flags.
func (v *validation) prepare(name string) (*validate.Comparison, error) {
	cfg, err := config.Load(v.file, kinds())
	if err != nil {
		return nil, err
	}
	v.cfg = cfg
	an, known := analyzerNamed(cfg, name)
	if !known {
		return nil, fmt.Errorf("no analyzer %q in the configuration; `labcourier analyzers` lists them", name)
	}
	v.analyzer = an
	if an.Deliver == "bot" {
		return nil, fmt.Errorf("analyzer %s delivers to a bot: which resources that makes of a message is not known here", name)
	}
	if v.last < 1 || v.last > mostValidated {
		return nil, usageError{fmt.Errorf("--last is a number from 1 to %d", mostValidated)}
	}
	for _, name := range []string{v.html, v.csv} {
		if _, err := os.Lstat(name); name != "" && err == nil {
			return nil, fmt.Errorf("%s exists; nothing is written over it", name)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	return &validate.Comparison{
		Base: cfg.Agent.IdentifierBase, SendsQC: an.QC == "send", Known: map[string]uint64{},
		Head: validate.Head{
			Agent: cfg.Agent.Name, Version: version, Revision: revision(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			Host: host, User: who, Config: cfg.File, Digest: cfg.Digest(),
			Analyzer: name, Driver: an.Driver, Profile: an.Profile, Model: strings.TrimSpace(an.Manufacturer + " " + an.Model),
			Server: cfg.Server.URL, SignIn: cfg.Server.Auth.Method, Started: time.Now(), ExactDigits: v.exact,
		},
	}, nil
}

// mostValidated bounds a report: one that nobody can read is no evidence.
const mostValidated = 1000

// compare reads the server, signed in as the agent does.
func (v *validation) compare(ctx context.Context, c *validate.Comparison) (*validate.Report, error) {
	up, err := agent.NewUpstream(v.cfg.Server, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = up.Auth.Run(running) // it returns nil when it is told to stop
	}()
	defer func() { stop(); <-ended }()
	c.Server = &validate.Server{
		URL: v.cfg.Server.URL, HTTP: noRedirects(up.HTTP), Auth: up.Auth, Timeout: v.cfg.Server.Timeout, UserAgent: "labcourier/" + version,
	}
	report, err := c.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", v.cfg.Server.URL, err)
	}
	if method := up.Auth.State().Method; method != "" {
		report.SignIn = method
	}
	return report, nil
}

func (v *validation) write(report *validate.Report) error {
	for _, one := range []struct {
		name  string
		write func(io.Writer) error
	}{{v.html, report.WriteHTML}, {v.csv, report.WriteCSV}} {
		if one.name == "" {
			continue
		}
		if err := v.p.writeFile(one.name, func(f *os.File) error { return one.write(f) }); err != nil {
			return err
		}
	}
	if v.asJSON {
		return v.p.json(report)
	}
	return v.summary(report)
}

// summary is without patient data: where to look, and not what is there.
func (v *validation) summary(report *validate.Report) error {
	fmt.Fprintf(v.p.out, "%s, %s, with %s\n", report.Analyzer, report.Selection, report.Server)
	w := tabwriter.NewWriter(v.p.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\tMESSAGES\tRESULTS\tREPORTS\tFIELDS")
	for _, verdict := range validate.Verdicts() {
		c := report.Counts
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", verdict, c.Messages[verdict], c.Results[verdict], c.Reports[verdict], c.Fields[verdict])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	const most = 20
	findings := report.Findings()
	for i, f := range findings {
		if i == most {
			fmt.Fprintf(v.p.out, "and %d more: see --html or --json\n", len(findings)-most)
			break
		}
		what := f.Item.Kind
		if f.Item.Result > 0 {
			what = fmt.Sprintf("result %d.%d", f.Item.Order, f.Item.Result)
		} else if f.Item.Order > 0 {
			what = fmt.Sprintf("report of order %d", f.Item.Order)
		}
		var names []string
		for _, field := range f.Item.Fields {
			names = append(names, field.Name)
		}
		fmt.Fprintf(v.p.out, "message %d, %s: %s: %s\n", f.Message, what, f.Item.Verdict, strings.Join(names, ", "))
	}
	return nil
}

func total(counts map[validate.Verdict]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// wrong counts what is not on the server as it was sent.
func wrong(counts map[validate.Verdict]int) int {
	return counts[validate.Differs] + counts[validate.Missing] + counts[validate.Unread]
}

// errNothingDelivered: there is nothing to compare.
var errNothingDelivered = errors.New("no message was delivered in that time: `labcourier messages list` shows what there is")
