package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/labcourier/labcourier/agent/clientkey"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/secretfile"
)

// secretName is a secret that the configuration can name.
type secretName struct {
	name, table, key, what string
	keyFile                bool // lines of a file, which nobody types
}

func secretNames() []secretName {
	return []secretName{
		{"client-secret", "[server.auth]", "client_secret_file", "the client's secret", false},
		{"password", "[server.auth]", "password_file", "the password for basic, if it is not the client's secret", false},
		{"client-key", "[server.auth]", "client_key_file", "the private key for private_key_jwt", true},
		{"client-cert-key", "[server]", "cert_key_file", "the private key of the client's certificate", true},
		{"proxy-password", "[server]", "proxy_password_file", "the password for the proxy", false},
		{"mail-password", "[alerts.email]", "password_file", "the password for the mail server", false},
		{"alert-token", "[alerts.webhook]", "token_file", "the bearer token for the webhook", false},
		{"alert-sign-key", "[alerts.webhook]", "sign_key_file", "the key that signs what the webhook gets", false},
	}
}

func (p *program) secretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "set and look after secrets: set, list, check, jwk",
		Long: "secret puts secrets where only the service can read them: files with mode 0600 beside the\n" +
			"configuration, on Windows sealed for this computer (DPAPI) as well. Run it as root or administrator.\n" +
			"A running agent picks up a changed secret without a restart.",
		Args: unknownSecretCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	file := cmd.PersistentFlags().StringP("config", "c", defaultConfig(), "the configuration `file`")
	user := cmd.PersistentFlags().String("user", serviceUser(), "the `account` of the service, which is to read the secret")
	cmd.AddCommand(p.secretSetCommand(file, user), p.secretListCommand(file), p.secretCheckCommand(file), p.secretJWKCommand(file, user))
	return cmd
}

func unknownSecretCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("secret has no such command; see `%s --help`", cmd.CommandPath())}
	}
	return nil
}

// serviceUser is the account that the packages run the service under.
func serviceUser() string {
	if runtime.GOOS == "windows" {
		return `NT SERVICE\labcourier`
	}
	return "labcourier"
}

func (p *program) secretSetCommand(file, user *string) *cobra.Command {
	var long strings.Builder
	long.WriteString("set asks for the secret without showing it, or reads it from its input, stores it for the\nservice, and prints the line for the configuration. NAME is one of\n\n")
	for _, n := range secretNames() {
		fmt.Fprintf(&long, "  %-16s %s\n", n.name, n.what)
	}
	return &cobra.Command{
		Use:   "set NAME",
		Short: "store a secret",
		Long:  long.String() + "\nThe secret itself is never taken from the command line: others see it there.",
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 1:
				return nil
			case 0:
				return usageError{fmt.Errorf("set takes the name of a secret; see `%s --help`", cmd.CommandPath())}
			}
			return usageError{errors.New("set takes a name only: on the command line others would see the secret. It asks for it, or reads it from its input")}
		},
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := secretNamed(args[0])
			if err != nil {
				return err
			}
			secret, err := p.readSecret(n)
			if err != nil {
				return err
			}
			path := secretPath(*file, n.name)
			if err := storeSecret(path, secret, *user); err != nil {
				return err
			}
			p.sayStored(p.out, n, *file, path, *user)
			return nil
		},
	}
}

func secretNamed(name string) (secretName, error) {
	names := secretNames()
	if i := slices.IndexFunc(names, func(n secretName) bool { return n.name == name }); i >= 0 {
		return names[i], nil
	}
	var all []string
	for _, n := range names {
		all = append(all, n.name)
	}
	// Not quoted: it may be the secret.
	return secretName{}, usageError{errors.New("there is no secret of that name; there are " + strings.Join(all, ", "))}
}

// secretPath is where the secret of that name is kept: beside the configuration,
// in a folder that only the service looks into.
func secretPath(file, name string) string {
	path := filepath.Join(filepath.Dir(file), "secrets", name)
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func storeSecret(path, secret, user string) error {
	err := secretfile.Write(path, secret, user)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; run this as root or administrator", err)
	}
	return err
}

// readSecret asks for a secret, or reads it from the input.
func (p *program) readSecret(n secretName) (string, error) {
	in, ok := p.in.(*os.File)
	if ok && term.IsTerminal(int(in.Fd())) {
		if n.keyFile {
			return "", usageError{fmt.Errorf("a key is not typed: labcourier secret set %s < FILE", n.name)}
		}
		return p.askSecret(n, func() ([]byte, error) { return term.ReadPassword(int(in.Fd())) })
	}
	text, err := io.ReadAll(io.LimitReader(p.in, secretfile.MaxSize+1))
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	return string(text), n.fits(text)
}

// askSecret asks twice, since nobody sees what is typed.
func (p *program) askSecret(n secretName, read func() ([]byte, error)) (string, error) {
	var typed [2][]byte
	for i, ask := range []string{n.name, "again"} {
		fmt.Fprintf(p.err, "%s: ", ask)
		var err error
		typed[i], err = read()
		fmt.Fprintln(p.err)
		if err != nil {
			return "", fmt.Errorf("read the secret: %w", err)
		}
	}
	if !bytes.Equal(typed[0], typed[1]) {
		return "", errors.New("these are two different secrets; nothing was changed")
	}
	return string(typed[0]), n.fits(typed[0])
}

// fits refuses what cannot be that secret.
func (n secretName) fits(text []byte) error {
	switch {
	case len(text) == 0:
		return errors.New("the secret is empty; nothing was changed")
	case n.name == "client-key":
		if _, err := clientkey.Parse(text); err != nil {
			return fmt.Errorf("this is not a key that can be used: %w", err)
		}
	case n.keyFile:
		if !bytes.Contains(text, []byte("PRIVATE KEY-----")) {
			return errors.New("this is no private key in PEM form (-----BEGIN PRIVATE KEY-----)")
		}
	case bytes.ContainsAny(text, "\r\n\x00"):
		return errors.New("this is more than one line, which no secret of this kind is; nothing was changed")
	}
	return nil
}

// sayStored says what was done and what is left to do.
func (p *program) sayStored(out io.Writer, n secretName, file, path, user string) {
	owner := secretfile.Owner(user)
	fmt.Fprintf(out, "stored in %s, for %s only\n", path, owner)
	if owner != user && user != "" {
		fmt.Fprintf(out, "note: there is no account %s here, or this was not run as root: give the file and its folder to the account of the service\n", user)
	}
	uses, _, _ := config.Secrets(file, kinds())
	if slices.ContainsFunc(uses, func(u config.SecretUse) bool { return u.Where == path }) {
		fmt.Fprintf(out, "%s names it already; a running agent picks it up\n", file)
		return
	}
	fmt.Fprintf(out, "put this into %s:\n\n%s\n%s = %s\n", file, n.table, n.key, tomlString(path))
}

// tomlString writes s as TOML does, in single quotes where they do.
func tomlString(s string) string {
	if strings.ContainsAny(s, "'\n\r\t") {
		return strconv.Quote(s)
	}
	return "'" + s + "'"
}

// secretState is what is known of one secret that the configuration names.
type secretState struct {
	Key    string `json:"key"`
	Source string `json:"source"` // "file", "environment", ...
	Where  string `json:"where,omitempty"`
	OK     bool   `json:"ok"`
	Why    string `json:"why,omitempty"` // it is not
}

func secretStates(uses []config.SecretUse) []secretState {
	found := make([]secretState, 0, len(uses))
	for _, u := range uses {
		_, err := u.Secret.Read()
		s := secretState{Key: u.Key, Source: u.Secret.Source(), Where: u.Where, OK: err == nil}
		if err != nil {
			s.Why = err.Error()
		}
		found = append(found, s)
	}
	slices.SortFunc(found, func(a, b secretState) int { return cmp.Compare(a.Key, b.Key) })
	return found
}
