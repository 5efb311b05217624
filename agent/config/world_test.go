package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// fakeDriver does nothing.
type fakeDriver struct{}

func (fakeDriver) Run(context.Context) error { return nil }
func (fakeDriver) Status() drivers.Status    { return drivers.Status{} }

// fakeOptions are settings of every type that a driver may have.
type fakeOptions struct {
	End     string            `toml:"end"`
	Idle    time.Duration     `toml:"idle"`
	Retries int               `toml:"retries"`
	Frames  uint16            `toml:"frames"`
	Strict  bool              `toml:"strict"`
	Ratio   float64           `toml:"ratio"`
	Codes   map[string]string `toml:"codes"`
	IDs     []string          `toml:"ids"`
	Rules   []struct {
		Match string `toml:"match"`
		Skip  bool   `toml:"skip"`
	} `toml:"rules"`
	Limit *int `toml:"limit"`
}

func (o fakeOptions) validate() error {
	var errs []error
	if o.End != "" && o.End != "L" && o.End != "eot" {
		errs = append(errs, errors.New(`end must be "L" or "eot"`))
	}
	if o.Retries > 10 {
		errs = append(errs, errors.New("more than 10 retries make no sense"))
	}
	return errors.Join(errs...)
}

// testKinds are two drivers: one with settings, one with none.
func testKinds() []drivers.Kind {
	return []drivers.Kind{{
		Name: "astm",
		New: func(_ string, s drivers.Section, _ drivers.Deps) (drivers.Driver, error) {
			var o fakeOptions
			if err := s.Decode(&o); err != nil {
				return nil, fmt.Errorf("astm settings: %w", err)
			}
			return fakeDriver{}, o.validate()
		},
	}, {
		Name: "hl7",
		New: func(string, drivers.Section, drivers.Deps) (drivers.Driver, error) {
			return fakeDriver{}, nil
		},
	}}
}

// secretFile writes a file that holds a secret and returns its path.
func secretFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const testAgent = `[agent]
name = "lab"
`

const testServer = `[server]
url = "https://fhir.example.org/R4"
`

const testAuth = `[server.auth]
token_url = "https://fhir.example.org/token"
client_id = "agent"
client_secret_env = "TEST_SECRET"
`

const testAnalyzer = `[[analyzer]]
name = "xn"
driver = "astm"
serial = { device = "/dev/ttyUSB7" }
timezone = "UTC"
charset = "utf-8"
`

// good is a file without a mistake, with room for more at its end.
const good = testAgent + testServer + testAuth + testAnalyzer

// parse reads text as lab.toml, with TEST_SECRET set and the profiles of
// testProfiles.
func parse(t testing.TB, text string) (*Config, error) {
	t.Helper()
	t.Setenv("TEST_SECRET", "s3cret/value+")
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	return parseWith(testProfiles(), "lab.toml", []byte(text), testKinds())
}

func mustParse(t testing.TB, text string) *Config {
	t.Helper()
	c, err := parse(t, text)
	if err != nil {
		t.Fatalf("a good file is refused:\n%v", err)
	}
	return c
}

// lines joins lines of a file.
func lines(ls ...string) string { return strings.Join(ls, "\n") + "\n" }
