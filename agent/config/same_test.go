package config

import (
	"slices"
	"strings"
	"testing"
)

const sameText = `
[agent]
name = "core-lab-1"
data_dir = "/var/lib/labcourier"
[server]
url = "https://fhir.example/R4"
[server.auth]
token_url = "https://fhir.example/token"
client_id = "id"
client_secret = "one"
[[analyzer]]
name = "a"
driver = "astm"
tcp = { listen = "0.0.0.0:4001", allow = ["10.0.5.0/24"] }
timezone = "Europe/Zurich"
charset = "iso-8859-1"
astm = { end = "L", ids = ["x", "y"], codes = { A = "1", B = "2" } }
`

// TestSame changes one thing at a time.
func TestSame(t *testing.T) {
	before := mustParse(t, sameText)
	for _, c := range []struct {
		name, old, new string
		server, an     bool // are still the same
	}{
		{"nothing", "", "", true, true},
		{"a remark", "[server]", "# a remark\n[server]", true, true},
		{"a default that is written", "driver = \"astm\"", "driver = \"astm\"\nenabled = true", true, true},
		{"the order of keys", `{ end = "L", ids = ["x", "y"], codes = { A = "1", B = "2" } }`, `{ codes = { B = "2", A = "1" }, ids = ["x", "y"], end = "L" }`, true, true},
		{"a number for text", `end = "L"`, `end = "eot"`, true, false},
		{"a key of the driver less", `end = "L", `, ``, true, false},
		{"a list's order", `["x", "y"]`, `["y", "x"]`, true, false},
		{"the driver's table gone", `astm = { end = "L", ids = ["x", "y"], codes = { A = "1", B = "2" } }`, ``, true, false},
		{"the zone", "Europe/Zurich", "Europe/Berlin", true, false},
		{"the peers", "10.0.5.0/24", "10.0.6.0/24", true, false},
		{"the url", "fhir.example/R4", "fhir.example/R5", false, true},
		{"the secret", `"one"`, `"two"`, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := mustParse(t, strings.Replace(sameText, c.old, c.new, 1))
			if got := Same(before.Server, after.Server); got != c.server {
				t.Errorf("the server is the same: %t", got)
			}
			if got := Same(before.Analyzers, after.Analyzers); got != c.an {
				t.Errorf("the analyzers are the same: %t", got)
			}
		})
	}
}

func TestAdopt(t *testing.T) {
	running := mustParse(t, sameText)
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", "", "", nil},
		{"the name", "core-lab-1", "core-lab-2", []string{"[agent] name"}},
		{"the place of the data", "/var/lib/labcourier", "/srv/labcourier", []string{"[agent] data_dir"}},
		{"the status page", "[server]", "[status]\nlisten = \"127.0.0.1:9999\"\n[server]", []string{"[status] listen"}},
		{"the log", "[server]", "[log]\nlevel = \"debug\"\nfile = \"/var/log/x.log\"\n[server]", []string{"[log] file"}},
		{"levels only", "[server]", "[log]\nlevel = \"debug\"\n[server]", nil},
		{"retention only", "[server]", "[spool]\nretain = \"48h\"\n[server]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := mustParse(t, strings.Replace(sameText, c.old, c.new, 1))
			level, retain := next.Log.Level, next.Spool.Retain
			if got := next.Adopt(running); !slices.Equal(got, c.want) {
				t.Errorf("%q take effect later", got)
			}
			if !Same(next.Agent, running.Agent) || !Same(next.Status, running.Status) || next.Log.File != running.Log.File {
				t.Error("it runs with what takes effect later")
			}
			if next.Log.Level != level || next.Spool.Retain != retain {
				t.Error("what can be taken over is not")
			}
		})
	}
	sealed := *running
	sealed.Spool.Key = EnvSecret("KEY")
	if got := sealed.Adopt(running); !slices.Equal(got, []string{"[spool] key"}) || sealed.Spool.Key.Given() {
		t.Errorf("%q, with a key: %t", got, sealed.Spool.Key.Given())
	}
}
