package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/drivers/simulator"
)

func (p *program) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the real agent with simulated analyzers and a server inside this program",
		Long:  "demo runs the real agent: real drivers on real TCP ports, a folder of files and, on Linux, a\npseudo-terminal as serial line; a spool on disk; delivery over HTTP to a FHIR server inside this program. All results are made up.",
		Args:  noArgs,
	}
	cmd.Flags().BoolVar(&once, "once", false, "deliver a handful from each analyzer, show them, and end; fails if anything is lost or doubled")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := os.MkdirTemp("", "labcourier-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		d := &demo{p: p, dir: dir, once: once, board: newBoard(), acknowledged: map[string]int{}}
		return d.run(cmd.Context())
	}
	return cmd
}

// perAnalyzer is how many messages `demo --once` sends from each analyzer, and
// onceLimit how long it may take.
const (
	perAnalyzer = 5
	onceLimit   = 2 * time.Minute
)

// demo is one run: a server, an agent, and analyzers that feed it.
type demo struct {
	p     *program
	dir   string
	once  bool
	board *board

	server  *sandbox.Server
	benches []bench

	mu           sync.Mutex
	acknowledged map[string]int // results that were acknowledged, by specimen id
}

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.server = sandbox.New(sandbox.Options{TokenLifetime: time.Minute})
	defer d.server.Created(d.board.created)()
	base, stop, err := d.server.Start("")
	if err != nil {
		return err
	}
	defer func() { _ = stop(context.WithoutCancel(ctx)) }()
	if err := d.plug(ctx); err != nil {
		return err
	}
	a, err := d.agent(base)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	agentCtx, stopAgent := context.WithCancel(ctx)
	ended := make(chan error, 1)
	running.Go(func() { ended <- a.Run(agentCtx) })
	for i, b := range d.benches {
		running.Go(func() { d.analyze(ctx, a, b, uint64(i)) })
	}
	fmt.Fprintf(d.p.out, "labcourier demo: %d simulated analyzers, results made up.\nStatus page: http://%s/\n\n", len(d.benches), a.StatusAddr())
	if d.once {
		err = d.settle(ctx)
	} else {
		fmt.Fprintf(d.p.out, "Ctrl-C ends it. Arriving at the server:\n")
		err = d.board.follow(ctx, d.p.out, ended)
	}
	stopAgent()
	cancel()
	running.Wait()
	for _, b := range d.benches {
		if b.port != nil {
			b.port.Close()
		}
	}
	if d.once && err == nil {
		err = d.verdict()
	}
	return err
}

// agent opens the real agent on a configuration like any other.
func (d *demo) agent(base string) (*agent.Agent, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "[agent]\nname = \"demo\"\ndata_dir = '%s'\n", filepath.Join(d.dir, "data"))
	fmt.Fprintf(&text, "[server]\nurl = %q\n", base+sandbox.BasePath)
	fmt.Fprintf(&text, "[server.auth]\nmethod = \"auto\"\ntoken_url = %q\nclient_id = %q\nclient_secret = %q\n", // one that everybody may know
		base+sandbox.TokenPath, sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	fmt.Fprintf(&text, "[status]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n")
	for _, b := range d.benches {
		model, _ := simulator.ModelNamed(b.model)
		fmt.Fprintf(&text, "[[analyzer]]\nname = %q\ndriver = %q\nmodel = %q\n%s\n", b.name, model.Driver, "simulated "+b.model, b.line)
	}
	cfg, err := config.Parse(filepath.Join(d.dir, "demo.toml"), []byte(text.String()), kinds())
	if err != nil {
		return nil, err
	}
	if err := d.describe(cfg); err != nil {
		return nil, err
	}
	log := zerolog.Nop()
	if !d.once {
		log = newLog(d.p.err, cfg.Log)
	}
	return agent.Open(agent.Options{
		Config: cfg, Kinds: kinds(), Version: version, OpenPort: openPort, Arrivals: d.board.recent, Log: log,
	})
}

// analyze is one analyzer's work: it measures, sends, and sends again what was
// not acknowledged.
func (d *demo) analyze(ctx context.Context, a *agent.Agent, b bench, seed uint64) {
	gen := simulator.NewGenerator(b.made, "SIM-"+strings.ToUpper(b.name[:3])+"-", seed)
	if b.port == nil {
		b.port = &dialer{address: func() string { return a.PortAddr(b.name) }}
	}
	sent := 0
	an := simulator.Analyzer{
		Port: b.port, Sender: b.sender, Retry: 100 * time.Millisecond,
		Next: func(ctx context.Context) ([]byte, error) {
			if d.once && sent == perAnalyzer {
				return nil, io.EOF
			}
			if !d.once {
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(time.Duration(seed+2) * time.Second):
				}
			}
			sent++
			return gen.Next(time.Now()), nil
		},
		Acknowledged: func([]byte) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.acknowledged[fmt.Sprintf("SIM-%s-%06d", strings.ToUpper(b.name[:3]), sent)] = len(b.made.Tests)
		},
	}
	_ = an.Run(ctx) // ends with ctx, or when all was sent
}

// settle waits until the server has a report for every message.
func (d *demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, onceLimit)
	defer cancel()
	want := perAnalyzer * len(d.benches)
	if err := d.server.Wait(ctx, "DiagnosticReport", want); err != nil {
		return fmt.Errorf("%d of %d reports arrived: %w", d.server.Len("DiagnosticReport"), want, err)
	}
	// The server may have the last result before its analyzer has read the
	// acknowledgement.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for d.acks() < want && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// acks is how many messages were acknowledged.
func (d *demo) acks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.acknowledged)
}

// verdict compares what the analyzers saw acknowledged with what the server holds.
func (d *demo) verdict() error {
	d.board.table(d.p.out)
	var faults []string
	held := d.board.bySpecimen()
	for specimen, results := range d.acknowledged {
		if held[specimen] != results {
			faults = append(faults, fmt.Sprintf("%s: %d results acknowledged, %d on the server", specimen, results, held[specimen]))
		}
	}
	for _, id := range d.server.Duplicates() {
		if strings.Contains(id, config.DefaultIdentifierBase) { // other identifiers are the analyzer's own and may recur
			faults = append(faults, id)
		}
	}
	faults = append(faults, d.server.Dangling()...)
	if want := perAnalyzer * len(d.benches); len(d.acknowledged) != want || d.server.Len("DiagnosticReport") != want {
		faults = append(faults, fmt.Sprintf("%d messages acknowledged and %d reports on the server, both should be %d",
			len(d.acknowledged), d.server.Len("DiagnosticReport"), want))
	}
	if len(faults) > 0 {
		return fmt.Errorf("lost or doubled:\n  %s", strings.Join(faults, "\n  "))
	}
	fmt.Fprintf(d.p.out, "\n%d messages acknowledged, %d results on the server, each once.\n", len(d.acknowledged), d.server.Len("Observation"))
	return nil
}
