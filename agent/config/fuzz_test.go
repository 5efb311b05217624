package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// FuzzParse: whatever the file holds, Parse ends with a Config or with Faults,
// each complete and in the file's order, and none of them tells the secret that
// stands in the file.
func FuzzParse(f *testing.F) {
	const token = "q7/Zx+hunter2==" // no analyzer may be called so
	f.Setenv("TEST_SECRET", "x")
	f.Setenv("CREDENTIALS_DIRECTORY", "")
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, `client_secret_env = "TEST_SECRET"`, `client_secret = "SECRET"`, 1)))
	f.Add([]byte("[server.auth]\nclient_secret = SECRET\npassword = \"SECRET\n"))
	f.Add([]byte("[server.auth]\nSECRET = 1\n\"SECRET\" = { SECRET = 2 }\n[\"SECRET\"]\n"))
	f.Add([]byte("server = { url = 'https://u:SECRET@h', auth = { client_secret_env = 'SECRET', scopes = ['SECRET', 1] } }\n"))
	f.Add([]byte("[[analyzer]]\nname = 'SECRET'\ndriver = 'SECRET'\ntcp.listen = 'SECRET'\ncharset = 'SECRET'\ntimezone = 'SECRET'\nastm = { end = 'SECRET', idle = 'SECRET', SECRET = 1 }\n"))
	f.Add([]byte(withAnalyzer(`profile = "roche-cobas-c311"`, `serial.device = "COM1"`, `astm.end = "SECRET"`)))
	f.Add([]byte(withAnalyzer(`profile = "tosoh-g8"`, `profile = 'SECRET'`, `driver = "astm"`, `astm = { x.y = [{}] }`)))
	f.Add([]byte("a = [[[{b = [1,\n# c\n2]}]]]\r\n'''x''' = \"\"\"y\n\"\"\"\n[a.b]\n[[a.b]]\nd = 2026-02-31T25:00:00Z\ne = 0x_1\n"))
	goldens, err := filepath.Glob(filepath.Join("testdata", "bad", "*", "*.toml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, g := range goldens {
		text, err := os.ReadFile(g)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(parts(string(text))))
	}
	kinds := testKinds()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			return
		}
		if bytes.Contains(bytes.ReplaceAll(text, []byte("SECRET"), nil), []byte(token)) {
			return
		}
		text = bytes.ReplaceAll(text, []byte("SECRET"), []byte(token))
		before := slices.Clone(text)
		c, err := Parse("lab.toml", text, kinds)
		if !bytes.Equal(text, before) {
			t.Fatal("Parse changed the text")
		}
		reach := reachOf("lab.toml", text)
		if err == nil {
			accepted(t, c, text, token)
			if reach != c.Reach() {
				t.Fatalf("the agent is looked for at %+v, and is at %+v", reach, c.Reach())
			}
			return
		}
		fs, ok := errors.AsType[Faults](err)
		if !ok || len(fs) == 0 || c != nil {
			t.Fatalf("neither Config nor Faults: %v", err)
		}
		complete(t, fs, bytes.Count(text, []byte("\n"))+1, token)
	})
}

func accepted(t *testing.T, c *Config, text []byte, token string) {
	t.Helper()
	var all any
	if err := toml.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), &all); err != nil {
		t.Fatalf("accepted, but no TOML: %v", err)
	}
	complete(t, c.Warnings, bytes.Count(text, []byte("\n"))+1, token)
	for _, a := range c.Analyzers {
		if (a.Serial == nil) == (a.TCP == nil) || a.Zone == nil || a.Section == nil || !properName(a.Name) {
			t.Fatalf("an analyzer that cannot be: %+v", a)
		}
	}
}

func complete(t *testing.T, fs []Fault, lines int, token string) {
	t.Helper()
	for i, f := range fs {
		if f.File != "lab.toml" || f.Line < 0 || f.Line > lines || (f.Line == 0) != (f.Column == 0) || f.Problem == "" || f.Hint == "" {
			t.Fatalf("incomplete: %+v", f)
		}
		if i > 0 && f.Line < fs[i-1].Line {
			t.Fatalf("not in order: %v", Faults(fs))
		}
		if strings.Contains(f.String()+f.Key, token) {
			t.Fatalf("the secret is told")
		}
	}
}

// Two goroutines may decode a section at the same time.
func TestSectionIsShared(t *testing.T) {
	c := mustParse(t, good+"[analyzer.astm]\nend = \"eot\"\nids = [\"a\", \"b\"]\ncodes = { x = \"y\" }\n")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var o fakeOptions
			if err := c.Analyzers[0].Section.Decode(&o); err != nil || fmt.Sprint(o.End, o.IDs, o.Codes) != "eot[a b] map[x:y]" {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	wg.Wait()
	if err := c.Analyzers[0].Section.Decode(fakeOptions{}); err == nil {
		t.Error("a section decodes into what is no pointer")
	}
}
