package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestPortsClash: whoever listens, two cannot have one port of one address, and the
// words name both keys.
func TestPortsClash(t *testing.T) {
	const (
		status = "status.listen (line 3)"
		remote = "status.remote.listen (line 4)"
		first  = `analyzer "one": tcp.listen (line 8)`
	)
	for name, c := range map[string]struct {
		status, remote, one, two string
		want                     []string // each fault: the later key, and the earlier
	}{
		"none":                    {"127.0.0.1:8686", "0.0.0.0:8687", "0.0.0.0:4001", "0.0.0.0:4002", nil},
		"page and remote":         {"127.0.0.1:8686", "10.0.0.1:8686", "0.0.0.0:4001", "0.0.0.0:4002", nil},
		"remote everywhere":       {"127.0.0.1:8686", "0.0.0.0:8686", "0.0.0.0:4001", "0.0.0.0:4002", []string{"lab.toml:4: status.remote.listen|" + status}},
		"remote on both":          {"127.0.0.1:8686", "[::]:8686", "0.0.0.0:4001", "0.0.0.0:4002", []string{"lab.toml:4: status.remote.listen|" + status}},
		"remote without host":     {"[::1]:8686", ":8686", "0.0.0.0:4001", "0.0.0.0:4002", []string{"lab.toml:4: status.remote.listen|" + status}},
		"two families":            {"[::1]:8686", "0.0.0.0:8686", "0.0.0.0:4001", "0.0.0.0:4002", nil},
		"page by name":            {"localhost:8686", "[::1]:8686", "0.0.0.0:4001", "0.0.0.0:4002", []string{"lab.toml:4: status.remote.listen|" + status}},
		"analyzer and page":       {"127.0.0.1:8686", "0.0.0.0:8687", "0.0.0.0:8686", "0.0.0.0:4002", []string{`lab.toml:8: analyzer "one": tcp.listen|` + status}},
		"analyzer and remote":     {"127.0.0.1:8686", "0.0.0.0:8687", "0.0.0.0:4001", "10.0.0.1:8687", []string{`lab.toml:14: analyzer "two": tcp.listen|` + remote}},
		"analyzer, remote, [::]":  {"127.0.0.1:8686", "10.0.0.1:8687", "[::]:8687", "0.0.0.0:4002", []string{`lab.toml:8: analyzer "one": tcp.listen|` + remote}},
		"analyzers":               {"127.0.0.1:8686", "0.0.0.0:8687", "0.0.0.0:4001", "127.0.0.1:4001", []string{`lab.toml:14: analyzer "two": tcp.listen|` + first}},
		"analyzers, elsewhere":    {"127.0.0.1:8686", "0.0.0.0:8687", "10.0.0.1:4001", "10.0.0.2:4001", nil},
		"all of them":             {"127.0.0.1:1", "0.0.0.0:1", "[::]:1", ":1", []string{"lab.toml:4: |" + status, "lab.toml:8: |" + status, "lab.toml:14: |" + status}},
		"any port is for each":    {"127.0.0.1:0", "0.0.0.0:0", "[::]:0", ":0", nil},
		"a fault is no address":   {"127.0.0.1", "0.0.0.0", "8686", "0.0.0.0:8686", nil},
		"what is away is no port": {"127.0.0.1:8686", "0.0.0.0:8687", "0.0.0.0:4001", "0.0.0.0:4001\", connect = \"10.0.0.9:1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text := "@agent\n@server\nstatus.listen = %q\nstatus.remote.listen = %q\n[[analyzer]]\nname = \"one\"\ndriver = \"astm\"\ntcp = { listen = %q }\ntimezone = \"UTC\"\n" +
				"charset = \"utf-8\"\n[[analyzer]]\nname = \"two\"\ndriver = \"astm\"\ntcp = { listen = \"%s\" }\n"
			_, err := parse(t, parts(fmt.Sprintf(text, c.status, c.remote, c.one, c.two)))
			if err == nil {
				t.Fatal("a certificate is missing, and nobody says so")
			}
			var got []string
			for line := range strings.Lines(err.Error()) {
				if strings.Contains(line, " is an address that ") {
					got = append(got, line)
				}
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q\nwant %q", got, c.want)
			}
			for i, want := range c.want {
				later, earlier, _ := strings.Cut(want, "|")
				if !strings.HasPrefix(got[i], later) || !strings.Contains(got[i], "is an address that "+earlier+" takes") {
					t.Errorf("got %s\nwant %s", got[i], want)
				}
			}
		})
	}
}
