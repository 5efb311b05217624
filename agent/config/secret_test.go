package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/secretfile"
)

func TestSecretRead(t *testing.T) {
	path := secretFile(t, "one\n")
	s := FileSecret(path)
	for _, tt := range []struct{ content, want, fault string }{
		{"one\n", "one", ""},
		{"two\r\n", "two", ""}, // rotated: read anew
		{"three\n\n", "three\n", ""},
		{" four ", " four ", ""},
		{"\ufefffive", "five", ""},
		{"\n", "", "is empty"},
		{"\xff\xfes\x00", "", "UTF-16"},
		{strings.Repeat("x", secretfile.MaxSize+1), "", "larger"},
	} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Read()
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%.20q: %.20q, %v", tt.content, got, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
	if _, err := (Secret{}).Read(); !errors.Is(err, ErrNoSecret) || (Secret{}).Given() {
		t.Errorf("no secret: %v", err)
	}
}

func TestSecretSources(t *testing.T) {
	t.Setenv("LABCOURIER_TEST", "from env")
	if v, err := EnvSecret("LABCOURIER_TEST").Read(); v != "from env" || err != nil {
		t.Errorf("environment: %v", err)
	}
	if _, err := EnvSecret("LABCOURIER_TEST_NONE").Read(); err == nil {
		t.Error("an unset variable is a secret")
	}
	path := secretFile(t, "from systemd\n")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(path))
	if v, err := CredentialSecret(filepath.Base(path)).Read(); v != "from systemd" || err != nil {
		t.Errorf("credential: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := CredentialSecret("x").Read(); err == nil {
		t.Error("a credential without a folder is a secret")
	}
}

// A secret shows in no way of printing the configuration that holds it.
func TestSecretsDoNotShow(t *testing.T) {
	const token = "hunter2"
	text := strings.Replace(good, `client_secret_env = "TEST_SECRET"`, `client_secret = "`+token+`"`+"\nusername = 'u'\npassword = '"+token+"'", 1)
	c := mustParse(t, text)
	if s, err := c.Server.Auth.ClientSecret.Read(); s != token || err != nil {
		t.Fatalf("secret: %v", err)
	}
	shown, err := json.Marshal(c.Server)
	if err != nil {
		t.Fatal(err)
	}
	all := string(shown)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb, *c) + fmt.Sprintf(verb, c) + fmt.Sprintf(verb, c.Server.Auth.Password) +
			fmt.Sprintf(verb, struct{ s Secret }{c.Server.Auth.Password}) + fmt.Sprintf(verb, Inline(token))
	}
	if strings.Contains(all, token) || strings.Contains(all, fmt.Sprintf("%x", token)) {
		t.Error("a secret shows")
	}
	if got := Inline(token).String(); got != "[secret from configuration]" {
		t.Error(got)
	}
}
