package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
)

func (p *program) initCommand() *cobra.Command {
	var a answers
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "write a first configuration, from a few questions or from flags",
		Long: "init asks what it needs to know, and writes a configuration with comments that `labcourier check` takes.\n" +
			"Whatever is given as a flag is not asked; with --url, --client-id, --profile or --driver, and a link\n" +
			"nothing is. An answer that cannot be right is told at once. It asks no server and opens no port.",
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", defaultConfig(), "the `file` to write; - writes to the output")
	f.BoolVar(&force, "force", false, "write over a file that is there")
	f.StringVar(&a.name, "name", "", "the agent's `name`, a part of identifiers (default: this computer's)")
	f.StringVar(&a.url, "url", "", "the FHIR base of the server")
	f.StringVar(&a.tokenURL, "token-url", "", "its OAuth2 token endpoint (default: /oauth2/token of the server)")
	f.StringVar(&a.clientID, "client-id", "", "the client's `id` at the server")
	f.StringVar(&a.profile, "profile", "", "the analyzer's profile, of the `name` that 'labcourier profiles' lists")
	f.StringVar(&a.driver, "driver", "", "what the analyzer speaks, if there is no profile: "+strings.Join(kindNames(), ", "))
	f.StringVar(&a.analyzer, "analyzer", "", "the analyzer's `name`, a part of identifiers (default: the profile's)")
	f.StringVar(&a.serial, "serial", "", "the serial `device` that it hangs on; 'labcourier ports' lists them")
	f.StringVar(&a.listen, "listen", "", "the `host:port` that it connects to")
	f.StringVar(&a.connect, "connect", "", "the `host:port` of the analyzer, if it waits to be connected to")
	f.StringVar(&a.folder, "folder", "", "the `path` of the folder into which it writes files")
	f.StringVar(&a.timezone, "timezone", "", "of the analyzer's clock, such as Europe/Zurich (default: this computer's)")
	cmd.MarkFlagsMutuallyExclusive("serial", "listen", "connect", "folder")
	cmd.MarkFlagsMutuallyExclusive("profile", "driver")
	cmd.RunE = func(*cobra.Command, []string) error {
		if out != "-" && !force {
			if _, err := os.Stat(out); err == nil {
				return usageError{fmt.Errorf("%s is there already; give another with --out, or --force to write over it", out)}
			}
		}
		a.out = out
		if err := p.complete(&a); err != nil {
			return err
		}
		return p.writeConfig(a, force)
	}
	return cmd
}

// answers is what a first configuration is made of.
type answers struct {
	out                             string
	name, url, tokenURL, clientID   string
	profile, driver, analyzer       string
	serial, listen, connect, folder string
	timezone                        string
}

// link is the kind of the link that was chosen; "" if none was.
func (a *answers) link() string {
	for _, l := range []struct{ kind, value string }{{"serial", a.serial}, {"listen", a.listen}, {"connect", a.connect}, {"folder", a.folder}} {
		if l.value != "" {
			return l.kind
		}
	}
	return ""
}

// missing is the first flag that nothing can stand for; "" if there is none.
func (a *answers) missing() string {
	switch {
	case a.url == "":
		return "--url"
	case a.clientID == "":
		return "--client-id"
	case a.profile == "" && a.driver == "":
		return "--profile or --driver"
	case a.link() == "":
		return "--serial, --listen, --connect or --folder"
	}
	return ""
}

// fill puts what is usual in the place of what was not said.
func (a *answers) fill() {
	a.name = cmp.Or(a.name, usualName())
	a.tokenURL = cmp.Or(a.tokenURL, usualTokenURL(a.url))
	a.analyzer = cmp.Or(a.analyzer, a.profile, "analyzer-1")
	a.timezone = cmp.Or(a.timezone, systemZone())
}

// usualName is the name of this computer, as far as a name may be so.
func usualName() string {
	host, err := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	host = strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '-'
	}, strings.ToLower(host)), "-")
	if err != nil || host == "" || host == "localhost" {
		return "lab-1"
	}
	return host
}

// usualTokenURL is where Medplum, and others, have the token endpoint.
func usualTokenURL(base string) string {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + "/oauth2/token"
}

// systemZone is the IANA name of this computer's time zone; "Local" where the
// system does not tell it, as on Windows.
func systemZone() string {
	if tz := strings.TrimPrefix(os.Getenv("TZ"), ":"); tz != "" && properZone(tz) {
		return tz
	}
	if at, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, zone, ok := strings.Cut(filepath.ToSlash(at), "/zoneinfo/"); ok && properZone(zone) {
			return zone
		}
	}
	if text, err := os.ReadFile("/etc/timezone"); err == nil && properZone(strings.TrimSpace(string(text))) {
		return strings.TrimSpace(string(text))
	}
	return "Local"
}

// writeConfig writes the file and says what comes next.
func (p *program) writeConfig(a answers, force bool) error {
	text := a.file()
	if faults := a.faults(text); len(faults) > 0 {
		return faults
	}
	if a.out == "-" {
		_, err := p.out.Write(text)
		return err
	}
	if err := putConfig(a.out, text, force); err != nil {
		return err
	}
	at := " --config " + a.out
	if a.out == defaultConfig() {
		at = ""
	}
	fmt.Fprintf(p.out, "%s is written. Look it over; then:\n\n", a.out)
	for _, step := range [][2]string{
		{"secret set client-secret" + at, "asks for the client's secret, and stores it"},
		{"check" + at, "is the file in order?"},
		{"doctor" + at, "are ports, network and server in order?"},
		{"run" + at, "try it, until Ctrl-C"},
		{"service install" + at, "and let it run always"},
	} {
		fmt.Fprintf(p.out, "  labcourier %s\n      %s\n", step[0], step[1])
	}
	if a.profile != "" {
		fmt.Fprintf(p.out, "\nWhat to set at the analyzer: labcourier profiles %s\n", a.profile)
	}
	return nil
}

// putConfig writes text so that the file is there whole or not at all.
func putConfig(path string, text []byte, force bool) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return rightsHint(fmt.Errorf("make the folder of the configuration: %w", err))
	}
	f, err := os.CreateTemp(dir, ".labcourier-*.toml")
	if err != nil {
		return rightsHint(fmt.Errorf("write the configuration: %w", err))
	}
	defer os.RemoveAll(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	// A link fails where a file came to be meanwhile; a rename would not. Where
	// there are no links, the look before has to do.
	if !force {
		err = os.Link(f.Name(), path)
	}
	if force || err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

func rightsHint(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; run this as root or administrator, or write elsewhere with --out", err)
	}
	return err
}

// faults is what is wrong with a file that init would write. That there is no
// secret yet is what the next step is for.
func (a answers) faults(text []byte) config.Faults {
	_, err := config.Parse(a.out, text, kinds())
	faults, _ := errors.AsType[config.Faults](err)
	var left config.Faults
	for _, f := range faults {
		if !aboutSecret(f) {
			left = append(left, f)
		}
	}
	return left
}

// secretPath is where `labcourier secret set` will put the client's secret.
func (a answers) secretPath() string {
	if a.out == "-" {
		return secretPath(defaultConfig(), "client-secret")
	}
	return secretPath(a.out, "client-secret")
}

// file is the configuration in full.
func (a answers) file() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, initHead, tomlString(a.name), tomlString(a.url), tomlString(a.tokenURL), tomlString(a.clientID), tomlString(a.secretPath()))
	fmt.Fprintf(&b, "\n[[analyzer]]\n# Also part of identifiers: unique, and not to be changed later.\nname = %s\n", tomlString(a.analyzer))
	if a.profile != "" {
		fmt.Fprintf(&b, "# What is known of the model: `labcourier profiles %s` shows it.\nprofile = %s\n", a.profile, tomlString(a.profile))
	} else {
		fmt.Fprintf(&b, "# What it speaks. Its settings go into a table [analyzer.%s].\ndriver = %s\n", a.driver, tomlString(a.driver))
	}
	switch a.link() {
	case "serial":
		b.WriteString("# Compare baud, data_bits, parity and stop_bits with the analyzer's host settings.\n")
		fmt.Fprintf(&b, "serial = { device = %s }\n", tomlString(a.serial))
	case "listen":
		b.WriteString("# The analyzer connects to this computer. Say which may: allow = [\"10.0.5.12\"]\n")
		fmt.Fprintf(&b, "tcp = { listen = %s }\n", tomlString(a.listen))
	case "connect":
		fmt.Fprintf(&b, "# This computer connects to the analyzer.\ntcp = { connect = %s }\n", tomlString(a.connect))
	case "folder":
		b.WriteString("# Files are stored and then moved to done, a folder in it.\n")
		fmt.Fprintf(&b, "folder = { path = %s }\n", tomlString(a.folder))
	}
	fmt.Fprintf(&b, "# The zone of the analyzer's clock.\ntimezone = %s\n", tomlString(a.timezone))
	b.WriteString("# How its text is encoded. Without it: UTF-8 where that is valid, else ISO 8859-1.\n#charset = \"iso-8859-1\"\n")
	b.WriteString("\n# Each further instrument has an [[analyzer]] of its own.\n")
	return b.Bytes()
}

const initHead = `# labcourier, made by "labcourier init". Every key, with its default:
# configs/labcourier.toml of the program's source.
#
# After a change:  labcourier check

[agent]
# Part of the identifiers of everything that is sent: do not change it once
# results were delivered.
name = %s

[server]
# The FHIR R4 base.
url = %s

[server.auth]
# OAuth2 client credentials; basic with the same secret while the server's
# OAuth2 is not there. method = "oauth2" or "basic" uses that one alone.
#method = "auto"
token_url = %s
client_id = %s
# Stored there by "labcourier secret set client-secret".
client_secret_file = %s
`
