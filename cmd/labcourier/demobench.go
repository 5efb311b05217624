package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/drivers/text"
)

// bench is one simulated analyzer and where it is connected.
type bench struct {
	name  string
	model string
	port  drivers.Port // the analyzer's end; nil: it dials the agent's listener
	line  string       // of the configuration

	made   simulator.Model
	sender simulator.Sender // nil: the model's
}

// plug makes the analyzers' ends of the links, one of each kind of port.
func (d *demo) plug(ctx context.Context) error {
	d.benches = []bench{{name: "haematology", model: "haematology", line: `tcp = { listen = "127.0.0.1:0", allow = ["127.0.0.0/8"] }`}}
	listener, err := port.Listen(port.ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	address, err := port.Bind(ctx, listener)
	if err != nil {
		return err
	}
	d.benches = append(d.benches, bench{name: "chemistry", model: "chemistry", port: listener, line: fmt.Sprintf("tcp = { connect = %q }", address)})
	pty, device, err := simulator.OpenPTY()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		d.benches = append(d.benches, bench{name: "coagulation", model: "coagulation", line: `tcp = { listen = "127.0.0.1:0" }`})
	case err != nil:
		return err
	default:
		d.benches = append(d.benches, bench{name: "coagulation", model: "coagulation", port: pty, line: fmt.Sprintf("serial = { device = %q, baud = 9600 }", device)})
	}
	for _, model := range []string{"immunology", "blood-gas", "glucose-meter"} {
		d.benches = append(d.benches, bench{name: model, model: model, line: `tcp = { listen = "127.0.0.1:0" }`})
	}
	d.benches = append(d.benches, bench{name: "urine", model: "urine", line: `tcp = { listen = "127.0.0.1:0" }` + demoLines})
	out := filepath.Join(d.dir, "export")
	if err := os.Mkdir(out, 0o700); err != nil {
		return err
	}
	drop := &simulator.Dropper{Dir: out}
	d.benches = append(d.benches, bench{
		name: "export", model: "urine", port: drop, sender: drop,
		line: fmt.Sprintf("folder = { path = '%s', pattern = \"*.csv\", settle = \"100ms\" }", out) + demoFile,
	})
	return nil
}

// How the text analyzers of the demo write: one sends lines in frames, the other
// exports files.
const (
	demoLines = `
[analyzer.text]
frame = { by = "stx-etx", check = "sum", check_form = "hex" }
ack = "<ACK>"
nak = "<NAK>"` + demoFields
	demoFile = `
[analyzer.text]
frame = { by = "file" }` + demoFields
	demoFields = `
records = "lines"
time_formats = ["YYYY-MM-DD hh:mm:ss"]
statuses = { F = "final" }
[[analyzer.text.record]]
layout = "delimited"
delimiter = ";"
fields = { specimen = "1", time = "2", test = "3", value = "4", unit = "5", range = "6", flag = "7", status = "8" }`
)

// describe gives the text analyzers the descriptions that the agent reads them
// with.
func (d *demo) describe(cfg *config.Config) error {
	for i, b := range d.benches {
		b.made, _ = simulator.ModelNamed(b.model)
		if b.made.Driver == text.KindName {
			var o text.Options
			if err := cfg.Analyzers[i].Section.Decode(&o); err != nil {
				return err
			}
			b.made = b.made.Described(o)
		}
		if b.sender == nil {
			b.sender = b.made.Sender()
		}
		d.benches[i] = b
	}
	return nil
}

// dialer connects to a listener of the agent, whose port number is only known
// once it is open.
type dialer struct{ address func() string }

func (d *dialer) Open(ctx context.Context) (drivers.Conn, error) {
	address := d.address()
	if address == "" {
		return nil, errors.New("the agent does not listen yet")
	}
	p, err := port.Connect(port.ConnectConfig{Address: address})
	if err != nil {
		return nil, err
	}
	return p.Open(ctx)
}

func (*dialer) Close() error   { return nil }
func (*dialer) String() string { return "the agent's listener" }
