package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/pelletier/go-toml/v2"

	"github.com/labcourier/labcourier/configs"
)

const schemaFile = "../../configs/labcourier.schema.json"

func configSchema(t *testing.T) (*jsonschema.Resolved, []byte) {
	t.Helper()
	var out bytes.Buffer
	if code := (&program{out: &out, err: &out}).main(t.Context(), []string{"config", "schema"}); code != exitDone {
		t.Fatal(out.String())
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved, out.Bytes()
}

// fits validates a configuration by a library that knows nothing of it.
func fits(t *testing.T, s *jsonschema.Resolved, text string) error {
	t.Helper()
	var v map[string]any
	if err := toml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(plain, &again); err != nil {
		t.Fatal(err)
	}
	return s.Validate(again)
}

// TestSchemaFile: the file in configs is what the program writes.
func TestSchemaFile(t *testing.T) {
	_, want := configSchema(t)
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Errorf("out of date (%v): go run ./cmd/labcourier config schema > configs/labcourier.schema.json", err)
	}
}

func TestSchema(t *testing.T) {
	s, _ := configSchema(t)
	example := string(configs.Example())
	if err := fits(t, s, example); err != nil {
		t.Errorf("the example: %v", err)
	}
	// Each default that the example shows, set.
	set := regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAllString(example, "$1")
	if set == example {
		t.Fatal("the example shows no default")
	}
	if err := fits(t, s, set); err != nil {
		t.Errorf("the example with its defaults: %v", err)
	}
	for name, change := range map[string][2]string{
		"unknown key":       {"[log]", "[log]\nlevle = \"info\""},
		"unknown table":     {"[log]", "[logs]\n[log]"},
		"wrong type":        {"baud = 9600", "baud = \"9600\""},
		"word":              {"[log]", "[log]\nlevel = \"loud\""},
		"deep word":         {"parity = \"none\"", "parity = \"nobody\""},
		"span":              {"[spool]", "[spool]\nretain = 30"},
		"size":              {"[spool]", "[spool]\nreserve = \"lots\""},
		"range":             {"max_connections = 8", "max_connections = 0"},
		"driver":            {"driver = \"astm\"", "driver = \"astn\""},
		"driver's key":      {"frame = { by = \"file\" }", "frame = { bye = \"file\" }"},
		"no analyzer name":  {"name = \"xn-550\"", ""},
		"driver's own type": {"records = \"lines\"", "records = 1"},
	} {
		bad := strings.Replace(example, change[0], change[1], 1)
		if bad == example {
			t.Errorf("%s: %q is not in the example", name, change[0])
		} else if fits(t, s, bad) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}
