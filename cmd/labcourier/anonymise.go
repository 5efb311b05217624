package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/anonymise"
	"github.com/labcourier/labcourier/drivers/detect"
	"github.com/labcourier/labcourier/drivers/text"
	"github.com/labcourier/labcourier/drivers/trace"
)

func (p *program) anonymiseCommand() *cobra.Command {
	var driver, file, analyzer, profile string
	cmd := &cobra.Command{
		Use:   "anonymise IN OUT",
		Short: "replace what names a patient or specimen in a capture; lengths and checksums stay right",
		Long: "anonymise reads a capture, raw or recorded, and writes it again with other ids, names and dates of\n" +
			"birth: digits for digits, letters for letters, the same for the same. Frames, checksums and results\n" +
			"stay; before anything is written it is decoded and compared.\n\n" +
			"The times, the results, the sex and the instrument's serial number stay, and so does a name that was\n" +
			"typed into a result. Look at the outcome before you give it away.\n\n" +
			"A text analyzer is known by --config and --analyzer, or by --profile; without them a built-in profile\n" +
			"that reads the whole capture is taken. Where none does, nothing is written.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("anonymise takes two files, the capture and what to write; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&driver, "driver", "", "the `driver` that reads it; without it the bytes tell")
	f.StringVarP(&file, "config", "c", "", "take the analyzer's options from this configuration `file`")
	f.StringVar(&analyzer, "analyzer", "", "the analyzer's `name` in that file")
	f.StringVar(&profile, "profile", "", "take the options of this `profile`")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		raw, err := p.readFile(args[0])
		if err != nil {
			return err
		}
		c, err := newAnonymiser(driver, file, analyzer, profile)
		if err != nil {
			return err
		}
		out, err := c.run(raw)
		if err != nil {
			return fmt.Errorf("%s was not anonymised, and nothing written: %w", args[0], err)
		}
		if err := p.writeFile(args[1], func(f *os.File) error { _, err := f.Write(out); return err }); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %d values replaced, read as %s, the results are the same\n", args[1], c.mask.Replaced(), c.driver)
		return nil
	}
	return cmd
}

// readFile reads a capture from a file, or from standard input if that is -.
func (p *program) readFile(name string) ([]byte, error) {
	in := p.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxCapture+1))
	if err == nil && len(raw) > maxCapture {
		err = fmt.Errorf("%s is larger than %d MiB: cut it", name, maxCapture>>20)
	}
	return raw, err
}

// anonymiser is one run of `anonymise`.
type anonymiser struct {
	mask    *anonymise.Mask
	driver  string // "": the bytes tell
	section drivers.Section
	options drivers.ParseOptions
	given   bool // the analyzer's settings are
}

func newAnonymiser(driver, file, analyzer, profile string) (*anonymiser, error) {
	mask, err := anonymise.New()
	if err != nil {
		return nil, err
	}
	c := &anonymiser{mask: mask, driver: driver, section: drivers.NoSection{}}
	switch {
	case (file == "") != (analyzer == "") || profile != "" && (file != "" || driver != "") || file != "" && driver != "":
		return nil, usageError{errors.New("give --config with --analyzer, or --profile, or --driver")}
	case file != "":
		_, an, err := configuredAnalyzer(file, analyzer)
		if err != nil {
			return nil, err
		}
		c.take(an)
	case profile != "":
		an, err := analyzerOf(fmt.Sprintf("profile = %q", profile))
		if err != nil {
			return nil, usageError{fmt.Errorf("there is no profile %q; %s", profile, config.ProfileHint(profile))}
		}
		c.take(an)
	}
	return c, nil
}

func (c *anonymiser) take(an config.Analyzer) {
	c.driver, c.section, c.options, c.given = an.Driver, an.Section, an.ParseOptions(), true
}

// run anonymises a capture, and proves that the results are the same.
func (c *anonymiser) run(raw []byte) ([]byte, error) {
	if !trace.Sniff(raw) {
		if err := c.settle(raw); err != nil {
			return nil, err
		}
		return c.stream(raw, true)
	}
	r := trace.NewReader(bytes.NewReader(raw))
	var headers []trace.Header
	var events []trace.Event
	var segment []int // which header an event belongs to
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if h := r.Header(); len(headers) == 0 || headers[len(headers)-1] != h {
			headers = append(headers, h)
		}
		events, segment = append(events, e), append(segment, len(headers)-1)
	}
	if err := c.events(events); err != nil {
		return nil, err
	}
	var out []byte
	for i, e := range events {
		if i == 0 || segment[i] != segment[i-1] {
			out = trace.AppendHeader(out, headers[segment[i]])
		}
		out = trace.AppendEvent(out, headers[segment[i]].Began, e)
	}
	return out, nil
}

// events anonymises what both sides sent, in place.
func (c *anonymiser) events(events []trace.Event) error {
	var all []byte
	for _, s := range trace.Sent(events, trace.Analyzer) {
		all = append(all, s.Data...)
	}
	if err := c.settle(all); err != nil {
		return err
	}
	for _, side := range []trace.Side{trace.Analyzer, trace.Host} {
		for _, s := range trace.Sent(events, side) {
			out, err := c.stream(s.Data, side == trace.Analyzer)
			if err != nil {
				return err
			}
			for i, e := range events {
				if e.Kind == trace.Data && e.Conn == s.Conn && e.From == side {
					events[i].Data, out = out[:len(e.Data)], out[len(e.Data):]
				}
			}
		}
	}
	return nil
}

// settle finds out what the analyzer speaks, if nobody said it.
func (c *anonymiser) settle(raw []byte) error {
	if c.driver == "" {
		c.driver = detect.Look(raw).Driver
	}
	if c.driver == "" {
		return errors.New("nothing in it could be read: name the protocol with --driver")
	}
	if _, ok := kindOf(c.driver); !ok {
		return usageError{fmt.Errorf("no driver %q", c.driver)}
	}
	if c.driver != "text" || c.given {
		return nil
	}
	all, err := config.Profiles()
	if err != nil {
		return err
	}
	known := readingProfile(all, raw)
	if known == nil {
		return errors.New("it is text, and nobody says where the patient stands in it: describe the analyzer, and give --config and --analyzer, or --profile")
	}
	an, err := analyzerOf(fmt.Sprintf("profile = %q", known.Name))
	if err != nil {
		return err
	}
	c.take(an)
	return nil
}

func kindOf(name string) (drivers.Kind, bool) {
	for _, k := range kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return drivers.Kind{}, false
}

// stream anonymises what one side sent. That of the analyzer has to say the same
// as before.
func (c *anonymiser) stream(raw []byte, fromAnalyzer bool) ([]byte, error) {
	if c.driver != "text" {
		out, err := c.mask.Stream(c.driver, raw)
		if err == nil && fromAnalyzer {
			err = c.prove(raw, out)
		}
		return out, err
	}
	if !fromAnalyzer {
		if len(bytes.Trim(raw, "\x04\x05\x06\x15\r\n")) > 0 {
			return nil, errors.New("the host sent more than acknowledgements, and nobody says what: take the analyzer's side alone")
		}
		return raw, nil
	}
	reports, err := c.read(raw)
	if err != nil {
		return nil, err
	}
	out, missing := c.mask.Text(raw, anonymise.Identifying(reports))
	if len(missing) > 0 {
		return nil, fmt.Errorf("%d values that name somebody could not be told from what is beside them", len(missing))
	}
	if err := text.Reseal(out, raw, c.section); err != nil {
		return nil, err
	}
	return out, c.prove(raw, out)
}

// read reads all messages of a stream. Text that cannot be read is an error: what
// is in it is not known.
func (c *anonymiser) read(raw []byte) (reports []drivers.Report, err error) {
	kind, _ := kindOf(c.driver)
	messages, _ := kind.Split(raw, c.section)
	o := c.options
	o.Section = c.section
	for i, m := range messages {
		read, err := kind.Parse(m.Payload, o)
		if err != nil && c.driver == "text" {
			return nil, fmt.Errorf("message %d cannot be read: %w", i+1, err)
		}
		for _, r := range read {
			if c.driver == "text" && len(r.Problems) > 0 {
				return nil, fmt.Errorf("message %d cannot be read in full: %s", i+1, r.Problems[0])
			}
		}
		reports = append(reports, read...)
	}
	return reports, nil
}

// prove compares what is read before and after.
func (c *anonymiser) prove(before, after []byte) error {
	a, err := c.read(before)
	if err != nil {
		return err
	}
	b, err := c.read(after)
	if err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	return anonymise.Same(a, b)
}
