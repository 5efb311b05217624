package configs_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/configs"
)

// What is built in is what lies in the folder, and all of it is well formed.
func TestBuiltIn(t *testing.T) {
	onDisk, err := fs.Glob(os.DirFS("profiles"), "*")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+\.toml$`)
	for _, file := range onDisk {
		if !name.MatchString(file) {
			t.Errorf("profiles/%s is not named maker-model.toml in small letters", file)
		}
		if _, err := fs.Stat(configs.Profiles(), file); err != nil {
			t.Errorf("not built in: %v", err)
		}
	}
	all, err := config.Profiles()
	if err != nil {
		t.Fatalf("profiles have faults:\n%v", err)
	}
	if len(all) != len(onDisk) {
		t.Errorf("%d profiles, %d files", len(all), len(onDisk))
	}
	if err := toml.Unmarshal(configs.Example(), new(map[string]any)); err != nil || len(configs.Example()) == 0 {
		t.Errorf("the example: %v", err)
	}
}

// A profile is read on a terminal and by people who have no other source.
func TestWords(t *testing.T) {
	all, err := config.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, p := range all {
		for _, text := range []string{p.Manufacturer, p.Model, p.Source, p.Notes, p.Defaults} {
			if strings.Contains(text, "://") || strings.ContainsFunc(text, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }) {
				t.Errorf("%s: an address of the web, or a character that not every terminal shows", p.Name)
			}
		}
		for line := range strings.Lines(p.Notes) {
			if line = strings.TrimSpace(line); line == "" || !strings.ContainsAny(line[len(line)-1:], ".:") {
				t.Errorf("%s: a note is a sentence, not %q", p.Name, line)
			}
		}
		is := p.Manufacturer + " " + p.Model + " " + p.Driver
		if other := seen[is]; other != "" {
			t.Errorf("%s and %s are for the same model and driver", p.Name, other)
		}
		seen[is] = p.Name
		if first, _, _ := strings.Cut(p.Name, "-"); !strings.HasPrefix(strings.ToLower(strings.ReplaceAll(p.Manufacturer, "-", "")), strings.ReplaceAll(first, "-", "")) {
			t.Errorf("%s does not begin with its maker, %s", p.Name, p.Manufacturer)
		}
	}
}
