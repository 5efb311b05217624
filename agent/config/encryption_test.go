package config

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSpoolKeys(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	first, second := bytes.Repeat([]byte{1}, keyBytes), bytes.Repeat([]byte{2}, keyBytes)
	t.Setenv("TEST_KEY", EncodeKey(first))
	for name, text := range map[string]string{
		"base64": EncodeKey(first) + "\n", "hex": strings.ToUpper(hex.EncodeToString(second)), "short": "aGVsbG8=", "words": "hunter2 is no key",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		spool string
		want  [][]byte
		fault string
	}{
		{"", nil, ""},
		{`key_file = "base64"`, [][]byte{first}, ""},
		{`key_env = "TEST_KEY"`, [][]byte{first}, ""},
		{`key_credential = "hex"`, [][]byte{second}, ""},
		{`key_file = "hex"; old_key_files = ["base64"]`, [][]byte{second, first}, ""},
		{`key_file = "base64"; old_key_credentials = ["hex"]`, [][]byte{first, second}, ""},
		{`key_file = "short"`, nil, "names what is no key"},
		{`key_file = "words"`, nil, "names what is no key"},
		{`key_file = "missing"`, nil, "does not exist"},
		{`key_env = "TEST_NO_KEY"`, nil, "not set"},
		{`key_credential = "../hex"`, nil, "not the name of a systemd credential"},
		{`key_file = "base64"; key_env = "TEST_KEY"`, nil, "second source"},
		{`old_key_files = ["base64"]`, nil, "there is no new one"},
		{`key_file = "base64"; old_key_files = ["words"]`, nil, "names what is no key"},
		{`key_file = "base64"; old_key_credentials = ["missing"]`, nil, "does not exist"},
		{`key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="`, nil, "key"},
	} {
		text := parts("@agent\n@server\n@analyzer\n") + "[spool]\n" + strings.ReplaceAll(c.spool, "; ", "\n") + "\n"
		t.Setenv("TEST_SECRET", "x")
		cfg, err := Parse(filepath.Join(dir, "lab.toml"), []byte(text), testKinds())
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "AQEB") {
				t.Errorf("%s: %v, want %q", c.spool, err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.spool, err)
			continue
		}
		got, err := cfg.Spool.Keys()
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %d keys, %v", c.spool, len(got), err)
			continue
		}
		for i := range got {
			if !bytes.Equal(got[i], c.want[i]) {
				t.Errorf("%s: key %d is another", c.spool, i)
			}
		}
	}
}
