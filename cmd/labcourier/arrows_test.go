package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/labcourier/labcourier"

// arrow lets the packages that match from import those of this module that
// match one of to. Both are path.Match patterns below the module's root; a
// star never crosses a slash, so a package in a new place needs a row.
type arrow struct {
	from string
	to   []string
}

// arrows is the drawing of agent/doc.go as a table: imports run one way, from
// the command through the agent to the spool and the core types. The rows that
// are not there matter most. Spool and drivers do not know each other, no
// protocol knows another, and the agent knows no protocol, port or simulator:
// the command hands those in.
func arrows() []arrow {
	return []arrow{
		{"cmd/*", []string{"agent", "agent/*", "drivers", "drivers/*", "spool", "configs", "packaging"}},

		{"agent", []string{"agent/*", "drivers", "drivers/trace", "spool"}}, // a format, not a protocol
		{"agent/deliver", []string{"agent/auth", "agent/fhir", "drivers", "spool"}},
		{"agent/fhir", []string{"agent/codes", "drivers"}},
		{"agent/codes", nil},
		{"agent/config", []string{"agent/alert", "agent/clientkey", "agent/codes", "agent/secretfile", "configs", "drivers"}},
		{"agent/admin", []string{"drivers/trace", "spool"}}, // a person's own way into the spool, and to the links
		{"agent/browse", []string{"agent/admin", "drivers", "spool"}},
		{"agent/history", nil},
		{"agent/doctor", []string{"agent/admin", "agent/auth", "agent/config", "agent/outbound", "agent/secretfile", "spool"}},
		{"agent/validate", []string{"agent/auth", "drivers"}}, // never agent/fhir: its mistakes would be in both sides
		{"agent/pagetest", nil},
		{"agent/metrics", []string{"agent/status"}},
		{"agent/alert", []string{"agent/status"}},
		{"agent/auth", []string{"agent/clientkey"}},
		{"agent/clientkey", nil},
		{"agent/secretfile", []string{"agent/dpapi"}},
		{"agent/dpapi", nil},
		{"agent/outbound", []string{"agent/secretfile"}},
		{"agent/status", nil},
		{"agent/sandbox", nil}, // the far end must not share a mistake with the near one

		{"drivers", nil},
		{"drivers/port", []string{"drivers"}},
		{"drivers/folder", []string{"drivers"}},
		{"drivers/session", []string{"drivers"}},
		{"drivers/mllp", []string{"drivers"}},
		{"drivers/astm", []string{"drivers", "drivers/session"}},
		{"drivers/hl7", []string{"drivers", "drivers/mllp", "drivers/session"}},
		{"drivers/poct", []string{"drivers", "drivers/session"}},
		{"drivers/text", []string{"drivers", "drivers/session"}},
		{"drivers/drivertest", []string{"drivers"}},
		{"drivers/porttest", nil},
		{"drivers/trace", []string{"drivers"}},
		{"drivers/anonymise", []string{"drivers"}},
		{"drivers/detect", []string{"drivers", "drivers/astm", "drivers/text", "drivers/trace"}},
		{"drivers/tap", []string{"drivers", "drivers/port", "drivers/trace"}},
		{"drivers/capturetest", []string{"drivers", "drivers/drivertest", "drivers/port", "drivers/simulator"}},
		{"drivers/simulator", []string{
			"drivers", "drivers/astm", "drivers/hl7", "drivers/mllp", "drivers/poct", "drivers/text", "drivers/trace",
		}},

		{"spool", nil},
		{"configs", nil},
		{"packaging", nil},
	}
}

// confined names the modules that one package wraps, so that their quirks are
// dealt with in one place. It binds test files too: a test that goes around
// the wrapper tests something that the program never does.
func confined() map[string]string {
	return map[string]string{
		"github.com/tarm/serial": "drivers/port",
		"go.etcd.io/bbolt":       "spool",
	}
}

// topLevel is what a visitor sees first; dotfiles may come and go.
func topLevel() []string {
	return []string{
		"agent", "cmd", "configs", "drivers", "packaging", "spool",
		"go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md",
	}
}

// source is one Go file: its path below the module's root, with slashes, and
// what it imports.
type source struct {
	file    string
	imports []string
}

func (s source) dir() string  { return path.Dir(s.file) }
func (s source) isTest() bool { return strings.HasSuffix(s.file, "_test.go") }

func TestImportArrows(t *testing.T) {
	sources := readSources(t, moduleDir(t))
	if !slices.ContainsFunc(sources, func(s source) bool { return s.file == "cmd/labcourier/main.go" }) {
		t.Fatalf("read %d Go files and main.go is not among them: this test looks in the wrong place", len(sources))
	}
	said := map[string]bool{}
	for _, s := range sources {
		if _, known := targets(s.dir()); !known && said[s.dir()] {
			continue // once for a package is enough
		}
		said[s.dir()] = true
		for _, complaint := range judge(s) {
			t.Error(complaint)
		}
	}
}

// TestImportArrowsSeen shows that each kind of wrong arrow is caught: a test
// over a tree that is right proves nothing about one that is not.
func TestImportArrowsSeen(t *testing.T) {
	ours := func(p string) string { return module + "/" + p }
	for _, c := range []struct {
		name, file, imports string
		want                string // part of the complaint; empty: none
	}{
		{"the command wires everything", "cmd/labcourier/run.go", ours("drivers/port"), ""},
		{"the agent takes the spool", "agent/agent.go", ours("spool"), ""},
		{"a standard package", "spool/spool.go", "os", ""},
		{"another module with our name in front", "spool/spool.go", module + "-extra/x", ""},
		{"a protocol over its framing", "drivers/hl7/session.go", ours("drivers/mllp"), ""},
		{"agent to a protocol", "agent/agent.go", ours("drivers/astm"), "agent -> drivers/astm"},
		{"agent to a port", "agent/run.go", ours("drivers/port"), "agent -> drivers/port"},
		{"agent to the simulator", "agent/run.go", ours("drivers/simulator"), "agent -> drivers/simulator"},
		{"drivers to the spool", "drivers/driver.go", ours("spool"), "drivers -> spool"},
		{"spool to the drivers", "spool/put.go", ours("drivers"), "spool -> drivers"},
		{"protocol to protocol", "drivers/astm/link.go", ours("drivers/hl7"), "drivers/astm -> drivers/hl7"},
		{"protocol to its port", "drivers/astm/session.go", ours("drivers/port"), "drivers/astm -> drivers/port"},
		{"mapping to delivery", "agent/fhir/plan.go", ours("agent/deliver"), "agent/fhir -> agent/deliver"},
		{"sandbox to the mapping", "agent/sandbox/fhir.go", ours("agent/fhir"), "agent/sandbox -> agent/fhir"},
		{"anything to the command", "agent/agent.go", ours("cmd/labcourier"), "agent -> cmd/labcourier"},
		{"the module's root", "spool/put.go", module, "spool -> ."},
		{"a package without a row", "agent/extra/extra.go", "os", "say who may import whom"},
		{"a package below one with a row", "drivers/astm/wire/wire.go", "os", "say who may import whom"},
		{"a file at the root", "tool.go", "os", "say who may import whom"},
		{"a test goes where it likes", "agent/agent_test.go", ours("drivers/astm"), ""},
		{"serial in its port", "drivers/port/tarm.go", "github.com/tarm/serial", ""},
		{"serial elsewhere", "drivers/astm/link.go", "github.com/tarm/serial", "only drivers/port"},
		{"bbolt in the spool", "spool/spool.go", "go.etcd.io/bbolt", ""},
		{"bbolt elsewhere", "agent/intake.go", "go.etcd.io/bbolt", "only spool"},
		{"a part of bbolt, in a test", "agent/intake_test.go", "go.etcd.io/bbolt/errors", "only spool"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(judge(source{c.file, []string{c.imports}}), "\n")
			if c.want == "" && got != "" {
				t.Errorf("complains without cause: %s", got)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %q, want a complaint with %q", got, c.want)
			}
			if c.want != "" && !strings.Contains(got, c.file) {
				t.Errorf("%q does not name the file", got)
			}
		})
	}
}

func TestTopLevel(t *testing.T) {
	allowed := topLevel()
	for _, name := range rootEntries(t, moduleDir(t)) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(allowed, name) {
			t.Errorf("%s: the top level holds %s and dotfiles only", name, strings.Join(allowed, ", "))
		}
	}
}

// judge says what is wrong with the imports of one file.
func judge(s source) (complaints []string) {
	say := func(format string, args ...any) {
		complaints = append(complaints, s.file+": "+fmt.Sprintf(format, args...))
	}
	may, known := targets(s.dir())
	if !known {
		say("package %s is not in the table of arrows: say who may import whom", s.dir())
	}
	for _, p := range s.imports {
		if to, ours := below(p, module); ours && known && !s.isTest() && !matches(may, to) {
			say("%s -> %s is no arrow of the design (agent/doc.go); it may import %s", s.dir(), to, orNothing(may))
		}
		for wrapped, home := range confined() {
			if _, is := below(p, wrapped); is && s.dir() != home {
				say("imports %s; only %s does, everything else goes through that package", p, home)
			}
		}
	}
	return complaints
}

// targets returns what the package in dir may import of this module.
func targets(dir string) (to []string, known bool) {
	for _, a := range arrows() {
		if matches([]string{a.from}, dir) {
			return a.to, true
		}
	}
	return nil, false
}

// below returns the part of p under root, "." for root itself.
func below(p, root string) (string, bool) {
	if p == root {
		return ".", true
	}
	return strings.CutPrefix(p, root+"/")
}

func matches(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, dir)
		return ok && err == nil
	})
}

func orNothing(patterns []string) string {
	if len(patterns) == 0 {
		return "nothing of this module"
	}
	return strings.Join(patterns, ", ")
}

// readSources reads the imports of every Go file of the module, whatever its
// build tags: an arrow that only Windows draws is an arrow.
func readSources(t *testing.T, root string) (found []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipUnseen(root, file, d.Name())
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		s, err := readSource(root, file)
		found = append(found, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// skipUnseen leaves out the folders that ./... leaves out.
func skipUnseen(root, dir, name string) error {
	hidden := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata"
	if dir != root && hidden {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); dir != root && err == nil {
		return fs.SkipDir // another module
	}
	return nil
}

func readSource(root, file string) (source, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root, file)
	if err != nil {
		return source{}, err
	}
	s := source{file: filepath.ToSlash(rel)}
	for _, spec := range parsed.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("%s: import %s: %w", rel, spec.Path.Value, err)
		}
		s.imports = append(s.imports, p)
	}
	return s, nil
}

// moduleDir walks up to go.mod.
func moduleDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above this test")
		}
		dir = up
	}
}

// rootEntries lists the top level as git has it, so that a binary built beside
// the source is nobody's business; without git (a source archive) it lists the
// folder itself.
func rootEntries(t *testing.T, root string) []string {
	t.Helper()
	// Whoever owns the checkout: a CI machine often runs as somebody else, and
	// git then refuses to look.
	out, err := exec.Command("git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z").Output()
	if err == nil && len(out) > 0 {
		var names []string
		for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
			name, _, _ := strings.Cut(file, "/")
			names = append(names, name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
