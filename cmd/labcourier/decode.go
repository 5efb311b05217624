package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/detect"
	"github.com/labcourier/labcourier/drivers/text"
	"github.com/labcourier/labcourier/drivers/trace"
	"github.com/labcourier/labcourier/spool"
)

// decoder is one run of `decode`.
type decoder struct {
	kind     drivers.Kind
	section  drivers.Section
	options  drivers.ParseOptions
	source   fhir.Source
	received time.Time
	mapper   *fhir.Mapper
}

// decoded is what became of one message.
type decoded struct {
	Stage   string           `json:"stage"`
	Fault   string           `json:"fault,omitempty"`
	Bytes   int              `json:"bytes"`
	Records []string         `json:"records"`
	Reports []drivers.Report `json:"reports,omitempty"`
	Error   string           `json:"error,omitempty"`
	Held    []string         `json:"held,omitempty"`
	Kept    []string         `json:"kept,omitempty"`
	Bundles []bundle         `json:"bundles,omitempty"`
}

// bundle is one step as it would be sent. References to resources of earlier
// steps stand as their urn:uuid: only the server could name them.
type bundle struct {
	Step string          `json:"step"`
	JSON json.RawMessage `json:"bundle"`
}

func (p *program) decodeCommand() *cobra.Command {
	var (
		driver, file, analyzer, zone string
		asJSON                       bool
	)
	cmd := &cobra.Command{
		Use:   "decode FILE",
		Short: "show what a capture holds: records, reports and FHIR; nothing is sent",
		Long:  "decode reads raw traffic of one analyzer, or a recording of `tap` or `capture`, from FILE, or from\nstandard input if FILE is -, and shows\neach message's records, what was read from them, and the FHIR bundles that would be sent.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("decode takes one file; see `labcourier decode --help`")}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&driver, "driver", "", "the `driver` that reads it; without it the bytes tell")
	cmd.Flags().StringVarP(&file, "config", "c", "", "take the analyzer's options from this configuration `file`")
	cmd.Flags().StringVar(&analyzer, "analyzer", "", "the analyzer's `name` in that file")
	cmd.Flags().StringVar(&zone, "timezone", "UTC", "the `zone` of the analyzer's clock, without --analyzer")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		d, err := newDecoder(cmp.Or(driver, "astm"), zone, file, analyzer)
		if err != nil {
			return err
		}
		raw, err := p.readCapture(args[0], d)
		if err != nil {
			return err
		}
		streams, faults, err := analyzerSent(raw)
		if err != nil {
			return err
		}
		if driver == "" && file == "" {
			d.recognise(slices.Concat(streams...))
		}
		var out []decoded
		for _, s := range streams {
			messages, more := d.kind.Split(s, d.section)
			faults = append(faults, more...)
			for _, m := range messages {
				out = append(out, d.decode(m))
			}
		}
		if asJSON {
			w := json.NewEncoder(p.out)
			w.SetIndent("", "  ")
			w.SetEscapeHTML(false)
			return w.Encode(map[string]any{"messages": append([]decoded{}, out...), "faults": append([]string{}, faults...)})
		}
		return p.showDecoded(out, faults)
	}
	return cmd
}

func newDecoder(driver, zone, file, analyzer string) (*decoder, error) {
	d := &decoder{section: drivers.NoSection{}, mapper: fhir.NewMapper(fhir.Options{AgentName: "decode", Version: version})}
	if (file == "") != (analyzer == "") {
		return nil, usageError{fmt.Errorf("--config and --analyzer go together")}
	}
	if file == "" {
		location, err := time.LoadLocation(zone)
		if err != nil {
			return nil, usageError{fmt.Errorf("timezone %q is not known: use a name like Europe/Zurich", zone)}
		}
		d.options.Location = location
		d.source.Name = "capture"
	} else {
		cfg, an, err := configuredAnalyzer(file, analyzer)
		if err != nil {
			return nil, err
		}
		driver, d.options, d.section = an.Driver, an.ParseOptions(), an.Section
		d.source = fhir.Source{Name: an.Name, Manufacturer: an.Manufacturer, Model: an.Model, SerialNumber: an.SerialNumber, Location: an.Location}
		set, _, err := config.LoadCodes(cfg)
		if err != nil {
			return nil, err
		}
		d.mapper = fhir.NewMapper(fhir.Options{
			AgentName: cfg.Agent.Name, IdentifierBase: cfg.Agent.IdentifierBase, Version: version, Codes: set.Book(),
		})
	}
	var names []string
	for _, k := range kinds() {
		if names = append(names, k.Name); k.Name == driver {
			d.kind = k
			return d, nil
		}
	}
	return nil, usageError{fmt.Errorf("no driver %q: there is %s", driver, strings.Join(names, ", "))}
}

// maxCapture bounds what decode reads.
const maxCapture = 256 << 20

func (p *program) readCapture(name string, d *decoder) ([]byte, error) {
	in, received := p.in, time.Now()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			received = info.ModTime()
		}
		in = f
	}
	d.received = received
	raw, err := io.ReadAll(io.LimitReader(in, maxCapture+1))
	if err == nil && len(raw) > maxCapture {
		err = fmt.Errorf("%s is larger than %d MiB: cut it", name, maxCapture>>20)
	}
	return raw, err
}

// recognise takes the driver that the bytes ask for. Text needs a description,
// which only a configuration has.
func (d *decoder) recognise(raw []byte) {
	if k, ok := kindOf(detect.Look(raw).Driver); ok && k.Name != text.KindName {
		d.kind = k
	}
}

// analyzerSent is what the analyzer sent in a capture, by connection. Raw traffic
// is one connection. Faults say what a recording lacks.
func analyzerSent(raw []byte) (streams [][]byte, faults []string, err error) {
	if !trace.Sniff(raw) {
		return [][]byte{raw}, nil, nil
	}
	_, events, err := trace.ReadAll(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, err
	}
	for _, e := range events {
		if e.Kind == trace.Gap {
			faults = append(faults, fmt.Sprintf("the recording has a gap of %d bytes: %s", e.Lost, e.Note))
		}
	}
	for _, s := range trace.Sent(events, trace.Analyzer) {
		streams = append(streams, s.Data)
	}
	return streams, faults, nil
}

// decode reads and maps one message as the agent would.
func (d *decoder) decode(m drivers.Message) decoded {
	out := decoded{Stage: m.Stage.String(), Fault: m.Fault, Bytes: len(m.Payload), Records: visible(m.Payload)}
	reports, err := d.kind.Parse(m.Payload, d.options)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.Reports = reports
	key := spool.MessageKey(d.source.Name, spool.Complete, sha256.Sum256(m.Payload), 0)
	plan, err := d.mapper.Plan(fhir.Input{Key: key.String(), Received: d.received, Source: d.source, Reports: reports})
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.Held, out.Kept = plan.Held, plan.Kept
	known := map[string]string{}
	for _, step := range plan.Steps {
		b, err := step.Bundle(known)
		if err != nil {
			out.Error = err.Error()
			return out
		}
		out.Bundles = append(out.Bundles, bundle{step.Name, b})
		for _, e := range step.Entries {
			known[e.FullURL] = e.FullURL
		}
	}
	return out
}

// visible is a payload's records with control characters made visible.
func visible(payload []byte) (records []string) {
	for rec := range bytes.FieldsFuncSeq(payload, func(c rune) bool { return c == '\r' || c == '\n' }) {
		quoted := fmt.Sprintf("%+q", rec)
		records = append(records, strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), `\\`, `\`))
	}
	return records
}

func (p *program) showDecoded(messages []decoded, faults []string) error {
	for _, f := range faults {
		fmt.Fprintln(p.out, "note:", f)
	}
	for i, m := range messages {
		fmt.Fprintf(p.out, "message %d: %s, %d bytes\n", i+1, m.Stage, m.Bytes)
		for _, s := range append([]string{m.Fault, m.Error}, append(m.Held, m.Kept...)...) {
			if s != "" {
				fmt.Fprintln(p.out, "  !", s)
			}
		}
		for _, r := range m.Records {
			fmt.Fprintln(p.out, " ", r)
		}
		for _, r := range m.Reports {
			showReport(p.out, r)
		}
		for _, b := range m.Bundles {
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, b.JSON, "  ", "  "); err != nil {
				return err
			}
			fmt.Fprintf(p.out, "  %s:\n  %s\n", b.Step, pretty.String())
		}
	}
	if len(messages) == 0 {
		return fmt.Errorf("no message in it")
	}
	return nil
}

func showReport(w io.Writer, r drivers.Report) {
	fmt.Fprintf(w, "  order %d: %s, specimen %q\n", r.Index+1, r.Purpose, r.Specimen.ID)
	if r.Hold != "" {
		fmt.Fprintln(w, "    held:", r.Hold)
	}
	for _, res := range r.Results {
		when := ""
		if res.Completed.Known() {
			when = res.Completed.Value.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "    %-16s %12s %-10s %-4s %s %s\n", res.Test.Code, res.Value.Text, res.Unit, strings.Join(res.Flags, " "), res.Status, when)
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(w, "    problem:", problem)
	}
}
