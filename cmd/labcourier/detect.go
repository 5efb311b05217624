package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/detect"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/trace"
)

// detection is one run of `detect`.
type detection struct {
	serial, listen, connect, out string
	baud                         int
	span                         time.Duration
	silent, asJSON               bool
}

func (p *program) detectCommand() *cobra.Command {
	var d detection
	cmd := &cobra.Command{
		Use:   "detect [FILE]",
		Short: "listen to an analyzer and name its protocol, framing and model, with a stanza to paste",
		Long: "detect listens at a serial line or TCP port, or reads a capture, and says what the analyzer speaks.\n" +
			"On a serial line it tries speeds and parities until the bytes make sense. Let the analyzer send\n" +
			"something meanwhile: an old result, or its test of the connection.\n\n" +
			"It never acknowledges a result. Where the analyzer asks first (ENQ) it says yes (ACK), and refuses\n" +
			"the frame that comes (NAK); with --silent it sends nothing at all. Afterwards send again, at the\n" +
			"analyzer, whatever was sent meanwhile: some analyzers give up what was refused.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("detect takes one file at most; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.serial, "serial", "", "listen on this serial `device`")
	f.StringVar(&d.listen, "listen", "", "wait for the analyzer at `host:port`")
	f.StringVar(&d.connect, "connect", "", "connect to the analyzer at `host:port`")
	f.IntVar(&d.baud, "baud", 0, "the speed to begin with; 0: 9600")
	f.DurationVar(&d.span, "for", time.Minute, "how long to listen at most")
	f.BoolVar(&d.silent, "silent", false, "send nothing at all")
	f.StringVarP(&d.out, "out", "o", "", "record what came to this `file`: patient data")
	f.BoolVar(&d.asJSON, "json", false, "write JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		links := 0
		for _, given := range []string{d.serial, d.listen, d.connect} {
			if given != "" {
				links++
			}
		}
		if links+len(args) != 1 {
			return usageError{errors.New("say what to listen to: one of --serial, --listen, --connect, or a file")}
		}
		if len(args) == 1 {
			return p.detectFile(args[0], d)
		}
		return p.detectLink(cmd.Context(), d)
	}
	return cmd
}

func (p *program) detectFile(name string, d detection) error {
	in := p.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxCapture))
	if err != nil {
		return err
	}
	streams, _, err := analyzerSent(raw)
	if err != nil {
		return err
	}
	var all []byte
	for _, s := range streams {
		all = append(all, s...)
	}
	return p.detected(detect.Result{Finding: detect.Look(all), Bytes: all}, d)
}

func (p *program) detectLink(ctx context.Context, d detection) error {
	ctx, cancel := context.WithTimeout(ctx, d.span)
	defer cancel()
	probe := detect.Probe{
		Serial: d.serial != "", Baud: d.baud, Silent: d.silent,
		Say: func(text string) { fmt.Fprintln(p.err, text) },
	}
	pt, err := d.port()
	if err != nil {
		return usageError{err}
	}
	if pt != nil {
		defer pt.Close()
		probe.Open = func(ctx context.Context, _ detect.Settings) (drivers.Conn, error) { return pt.Open(ctx) }
	} else {
		probe.Open = func(ctx context.Context, s detect.Settings) (drivers.Conn, error) {
			line, err := port.Serial(port.SerialConfig{Device: d.serial, Baud: s.Baud, DataBits: s.DataBits, Parity: s.Parity})
			if err != nil {
				return nil, err
			}
			return line.Open(ctx)
		}
	}
	var rec *recording
	if d.out != "" {
		if rec, err = record(d.out, "detect", trace.Header{Began: time.Now(), Link: d.serial + d.listen + d.connect}); err != nil {
			return err
		}
		probe.Record = rec.Add
	}
	r, err := probe.Run(ctx)
	if err == nil {
		err = p.detected(r, d)
	}
	if rec != nil {
		err = errors.Join(err, rec.end(p))
	}
	return err
}

// port is the TCP port to listen on; nil for a serial line.
func (d detection) port() (drivers.Port, error) {
	switch {
	case d.listen != "":
		return port.Listen(port.ListenConfig{Address: d.listen})
	case d.connect != "":
		return port.Connect(port.ConnectConfig{Address: d.connect})
	}
	_, err := port.Serial(port.SerialConfig{Device: d.serial, Baud: d.baud})
	return nil, err
}

// detected tells the result.
func (p *program) detected(r detect.Result, d detection) error {
	all, err := config.Profiles()
	if err != nil {
		return err
	}
	known := knownModel(all, r)
	text := detectedStanza(r, d, known)
	if d.asJSON {
		out := struct {
			detect.Result
			Profile string `json:"profile,omitempty"`
			Stanza  string `json:"stanza,omitempty"`
		}{Result: r, Stanza: text}
		if known != nil {
			out.Profile = known.Name
		}
		return p.json(out)
	}
	if r.Driver == "" {
		return fmt.Errorf("%s: let the analyzer send something, look at the cable and at what the analyzer's host setting says, and listen longer with --for", r.Framing)
	}
	sure := "probably"
	if r.Sure {
		sure = "surely"
	}
	fmt.Fprintf(p.out, "protocol  %s driver, %s: %s\n", r.Driver, sure, r.Framing)
	if d.serial != "" {
		fmt.Fprintf(p.out, "line      %s\n", r.Settings)
	}
	for i, s := range r.Sender {
		if i == 0 {
			fmt.Fprintf(p.out, "analyzer  calls itself %q", s)
			continue
		}
		fmt.Fprintf(p.out, ", %q", s)
	}
	if len(r.Sender) > 0 {
		fmt.Fprintln(p.out)
	}
	if known != nil {
		fmt.Fprintf(p.out, "model     %s %s: profile %s\n", known.Manufacturer, known.Model, known.Name)
	}
	for _, e := range r.Evidence {
		fmt.Fprintf(p.out, "because   %s\n", e)
	}
	p.answered(r, d)
	fmt.Fprintf(p.out, "\nTo use it, paste this into the configuration and make it yours:\n\n%s", indented(text))
	return nil
}

// answered says what the analyzer was told.
func (p *program) answered(r detect.Result, d detection) {
	if d.serial+d.listen+d.connect == "" {
		return
	}
	a := r.Answers
	if a.Granted+a.Busy+a.Refused == 0 {
		fmt.Fprintln(p.out, "answered  nothing: no result was acknowledged. Send again at the analyzer what it sent meanwhile.")
		return
	}
	fmt.Fprintf(p.out, "answered  ACK to %d and NAK to %d questions (ENQ), NAK to %d frames: no result was acknowledged.\n"+
		"          Send again at the analyzer what it sent meanwhile: some give up what was refused.\n", a.Granted, a.Busy, a.Refused)
}
