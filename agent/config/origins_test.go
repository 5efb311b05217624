package config

import (
	"strings"
	"testing"
)

// TestOrigins: the server's raw and provenance hold for each analyzer that does
// not say otherwise, and never for a bot, which gets the message itself.
func TestOrigins(t *testing.T) {
	for _, test := range []struct {
		name, server, analyzer string
		raw, provenance, warns bool
	}{
		{name: "off by default"},
		{name: "the server's", server: "raw = true\nprovenance = true\n", raw: true, provenance: true},
		{name: "the analyzer's own", server: "raw = true\n", analyzer: "raw = false\nprovenance = true\n", provenance: true},
		{name: "a bot", server: "raw = true\n", analyzer: "bot = \"b\"\n"},
		{name: "a bot, asked for", analyzer: "bot = \"b\"\nraw = true\n", warns: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := mustParse(t, testAgent+testServer+test.server+testAuth+testAnalyzer+test.analyzer)
			if a := cfg.Analyzers[0]; a.Raw != test.raw || a.Provenance != test.provenance {
				t.Errorf("raw %v, provenance %v", a.Raw, a.Provenance)
			}
			warned := false
			for _, w := range cfg.Warnings {
				warned = warned || strings.Contains(w.Problem, "does nothing where a bot")
			}
			if warned != test.warns {
				t.Errorf("warnings %v", cfg.Warnings)
			}
		})
	}
}
