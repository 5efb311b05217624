package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) profilesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "profiles [NAME]",
		Short: "list the analyzer models that are known, or show one with what it sets",
		Long: "profiles lists the models whose settings are built in. With a name it shows what that one sets,\nwhat to set at the analyzer, and lines to paste into the configuration.\n\n" +
			"Basis: verified, by a capture of the real model; documented, by a public description; expected,\nwhere neither says enough. Whatever it is, compare the first results with the analyzer's own.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("profiles takes one name at most; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := config.Profiles()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return p.listProfiles(all, asJSON)
			}
			for _, one := range all {
				if one.Name == args[0] {
					return p.showProfile(one, asJSON)
				}
			}
			return usageError{fmt.Errorf("there is no profile of that name; %s", config.ProfileHint(args[0]))}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func (p *program) listProfiles(all []config.Profile, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.out).Encode(all)
	}
	w := tabwriter.NewWriter(p.out, 0, 8, 1, ' ', 0) // 1: the longest fit 80 columns
	fmt.Fprintln(w, "NAME\tANALYZER\tDRIVER\tBASIS")
	for _, one := range all {
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\n", one.Name, one.Manufacturer, one.Model, one.Driver, one.Basis)
	}
	return w.Flush()
}

func (p *program) showProfile(one config.Profile, asJSON bool) error {
	if asJSON {
		return p.json(struct {
			config.Profile
			Stanza string `json:"stanza"`
		}{one, stanza(one)})
	}
	fmt.Fprintf(p.out, "%s: %s %s\n\n", one.Name, one.Manufacturer, one.Model)
	paragraph(p.out, one.Basis+": "+one.Source)
	for line := range strings.Lines(one.Notes) {
		if line = strings.TrimSpace(line); line != "" {
			paragraph(p.out, line)
		}
	}
	if slices.Contains(one.Links, "serial") && !strings.Contains(one.Defaults, "serial = ") {
		paragraph(p.out, "The settings of its serial line are not known: unless serial says otherwise they are 9600 baud, 8 data bits, no parity, 1 stop bit.")
	}
	besides := "manufacturer and model"
	if one.Family {
		besides = "the manufacturer"
	}
	fmt.Fprintf(p.out, "\nWhere the file does not, it sets %s, and:\n\n%s\n", besides, indented(one.Defaults))
	fmt.Fprintf(p.out, "To use it, paste this into the configuration and make it yours:\n\n%s", indented(stanza(one)))
	return nil
}

// stanza is a table [[analyzer]] to start from. It is in order as it stands.
func stanza(one config.Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[analyzer]]\nname = %q\nprofile = %q\n", one.Name, one.Name)
	for i, l := range one.Links {
		if i > 0 {
			b.WriteString("# or ")
		}
		b.WriteString(linkExample(l) + "\n")
	}
	b.WriteString("timezone = \"Europe/Zurich\" # of the analyzer's clock\n")
	return b.String()
}

func linkExample(link string) string {
	switch link {
	case "serial":
		return `serial = { device = "COM3" } # on Linux /dev/serial/by-id/...; ` + "`labcourier ports` lists them"
	case "connect":
		return `tcp = { connect = "10.0.5.12:4001" } # the analyzer's address and port`
	}
	return `tcp = { listen = "0.0.0.0:4001", allow = ["10.0.5.12"] } # the analyzer connects to this port`
}

// paragraph writes text in lines that fit a terminal, as a point of a list.
func paragraph(w io.Writer, text string) {
	const width = 78
	line := "  -"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width && len(line) > 3 {
			fmt.Fprintln(w, line)
			line = "   "
		}
		line += " " + word
	}
	fmt.Fprintln(w, line)
}

// indented moves every line that is not empty to the right.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}
