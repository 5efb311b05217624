package config

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

const aboutAcme = `[profile]
manufacturer = "Acme"
model = "One"
links = ["serial", "listen"]
basis = "expected"
source = "made for this test"
notes = "none"

`

// testProfiles are profiles for the drivers of testKinds, good and bad.
func testProfiles() fs.FS {
	files := fstest.MapFS{}
	for name, analyzer := range map[string]string{
		"acme-one": lines(`[analyzer]`, `driver = "astm"`, `charset = "iso-8859-1"`, `status_default = "final"`,
			`serial = { baud = 19200, data_bits = 7, parity = "even", stop_bits = 2 }`, ``,
			`[analyzer.astm]`, `end = "eot"`, `retries = 3`, `ids = ["a", "b"]`, `codes = { x = "1", y = "2" }`),
		"acme-family":   lines(`[analyzer]`, `driver = "hl7"`),
		"acme-refused":  lines(`[analyzer]`, `driver = "astm"`, `astm = { end = "maybe", retries = 11 }`),
		"acme-unknown":  lines(`[analyzer]`, `driver = "astm"`, `astm = { edn = "L" }`),
		"acme-values":   lines(`[analyzer]`, `driver = "astm"`, `charset = "latin"`, `serial = { baud = 9601, parity = "evne" }`),
		"acme-poct":     lines(`[analyzer]`, `driver = "poct"`, `poct = { x = 1 }`),
		"acme-mistaken": lines(`[analyzer]`, `driver = "astm"`, `tcp = { listen = ":1" }`, `astm = 3`),
	} {
		about := aboutAcme
		if name == "acme-family" {
			about = strings.Replace(about, "links", "family = true\nlinks", 1)
		}
		files[name+".toml"] = &fstest.MapFile{Data: []byte(about + analyzer)}
	}
	files["notes.txt"] = &fstest.MapFile{Data: []byte("no profile")}
	return files
}

// goodProfiles are those that are in order by themselves.
func goodProfiles() fstest.MapFS {
	files, _ := testProfiles().(fstest.MapFS)
	delete(files, "acme-mistaken.toml")
	return files
}

// withAnalyzer is a good file with that analyzer only.
func withAnalyzer(ls ...string) string {
	return testAgent + testServer + testAuth + "[[analyzer]]\nname = \"a\"\ntimezone = \"UTC\"\n" + lines(ls...)
}

// The file's own values go before the profile's, key by key, also inside of the
// tables.
func TestProfileFillsIn(t *testing.T) {
	tests := []struct {
		name    string
		text    []string
		want    func(*Analyzer)
		options fakeOptions
	}{
		{"everything from the profile", []string{`profile = "acme-one"`, `serial = { device = "COM1" }`}, func(*Analyzer) {},
			fakeOptions{End: "eot", Retries: 3, IDs: []string{"a", "b"}, Codes: map[string]string{"x": "1", "y": "2"}}},
		{"nothing from the profile", []string{`profile = "acme-one"`, `driver = "astm"`, `charset = "utf-8"`, `status_default = "preliminary"`,
			`manufacturer = "M"`, `model = "m"`, `serial = { device = "COM1", baud = 300, data_bits = 8, parity = "none", stop_bits = 1 }`,
			`astm = { end = "L", retries = 0, ids = [], codes = { x = "", y = "9" } }`},
			func(a *Analyzer) {
				a.Charset, a.StatusDefault, a.Manufacturer, a.Model = "utf-8", "preliminary", "M", "m"
				a.Serial = &Serial{Device: "COM1", Baud: 300, DataBits: 8, Parity: "none", StopBits: 1, FlowControl: "none"}
			},
			fakeOptions{End: "L", IDs: []string{}, Codes: map[string]string{"x": "", "y": "9"}}},
		{"key by key", []string{`profile = "acme-one"`, `serial.device = "COM1"`, `serial.baud = 4800`, `astm.ids = ["c"]`, `astm.codes.y = "3"`, `astm.strict = true`},
			func(a *Analyzer) { a.Serial.Baud = 4800 },
			fakeOptions{End: "eot", Retries: 3, Strict: true, IDs: []string{"c"}, Codes: map[string]string{"x": "1", "y": "3"}}},
		{"tables with headers", []string{`profile = "acme-one"`, `[analyzer.serial]`, `device = "COM1"`, `[analyzer.astm]`, `retries = 4`},
			func(*Analyzer) {},
			fakeOptions{End: "eot", Retries: 4, IDs: []string{"a", "b"}, Codes: map[string]string{"x": "1", "y": "2"}}},
		{"no serial settings without a serial line", []string{`profile = "acme-one"`, `tcp = { listen = "127.0.0.1:1" }`},
			func(a *Analyzer) {
				a.Serial, a.TCP = nil, &TCP{Listen: "127.0.0.1:1", MaxConnections: 8, DialTimeout: 10e9}
			},
			fakeOptions{End: "eot", Retries: 3, IDs: []string{"a", "b"}, Codes: map[string]string{"x": "1", "y": "2"}}},
		{"a family names no model", []string{`profile = "acme-family"`, `serial = { device = "COM1" }`, `charset = "iso-8859-1"`, `status_default = "final"`},
			func(a *Analyzer) {
				a.Profile, a.Driver, a.Model = "acme-family", "hl7", ""
				a.Serial = &Serial{Device: "COM1", Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1, FlowControl: "none"}
			}, fakeOptions{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mustParse(t, withAnalyzer(tt.text...))
			want := Analyzer{
				Name: "a", Profile: "acme-one", Driver: "astm", Enabled: true, Timezone: "UTC", Charset: "iso-8859-1", StatusDefault: "final",
				Serial:       &Serial{Device: "COM1", Baud: 19200, DataBits: 7, Parity: "even", StopBits: 2, FlowControl: "none"},
				Manufacturer: "Acme", Model: "One", ResendWindow: c.Spool.ResendWindow, Deliver: "fhir", Corrections: "update", CorrectionsWithin: c.Analyzers[0].CorrectionsWithin, QC: "keep",
			}
			tt.want(&want)
			opts := append(compareConfigs(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Section" }, cmp.Ignore()))
			if diff := cmp.Diff(want, c.Analyzers[0], opts...); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if c.Analyzers[0].Encoding == nil || len(c.Warnings) > 0 {
				t.Errorf("no encoding, or warnings: %v", Faults(c.Warnings))
			}
			var o fakeOptions
			if err := c.Analyzers[0].Section.Decode(&o); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.options, o); diff != "" {
				t.Errorf("options (-want +got)\n%s", diff)
			}
		})
	}
}

// Another driver than the profile's is taken, with a warning, and without the
// settings of the profile's.
func TestProfileOfAnotherDriver(t *testing.T) {
	c := mustParse(t, withAnalyzer(`profile = "acme-one"`, `driver = "hl7"`, `tcp = { listen = "127.0.0.1:1" }`))
	if a := c.Analyzers[0]; a.Driver != "hl7" || a.Charset != "iso-8859-1" || a.Section != (drivers.NoSection{}) {
		t.Errorf("%+v", a)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Key != "analyzer[0].driver" || c.Warnings[0].Line != 13 {
		t.Errorf("warnings: %v", Faults(c.Warnings))
	}
}

// Two analyzers may have one profile, and neither changes it for the other.
func TestProfileIsShared(t *testing.T) {
	c := mustParse(t, withAnalyzer(`profile = "acme-one"`, `serial = { device = "COM1", baud = 300 }`, `astm.codes.x = "own"`,
		`[[analyzer]]`, `name = "b"`, `timezone = "UTC"`, `profile = "acme-one"`, `serial = { device = "COM2" }`))
	var a, b fakeOptions
	if err := errors.Join(c.Analyzers[0].Section.Decode(&a), c.Analyzers[1].Section.Decode(&b)); err != nil {
		t.Fatal(err)
	}
	if a.Codes["x"] != "own" || b.Codes["x"] != "1" || c.Analyzers[1].Serial.Baud != 19200 {
		t.Errorf("%v %v %d", a.Codes, b.Codes, c.Analyzers[1].Serial.Baud)
	}
}

func TestProfiles(t *testing.T) {
	all, err := allProfiles(goodProfiles())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	if want := []string{"acme-family", "acme-one", "acme-poct", "acme-refused", "acme-unknown", "acme-values"}; !slices.Equal(names, want) {
		t.Errorf("names %q", names)
	}
	want := Profile{Name: "acme-family", Manufacturer: "Acme", Model: "One", Family: true, Links: []string{"serial", "listen"},
		Basis: "expected", Source: "made for this test", Notes: "none", Driver: "hl7", Defaults: "driver = \"hl7\"\n"}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A profile with mistakes says all of them, in its own file; an analyzer that
// names it is told.
func TestBadProfiles(t *testing.T) {
	for name, want := range map[string]struct {
		text string
		told []string
	}{
		"empty": {"", []string{"profile.manufacturer is missing", "profile.links is missing", "profile.basis must be", "analyzer is missing"}},
		"keys not a profile's": {aboutAcme + "[analyzer]\ndriver = 'astm'\nname = 'x'\nenabled = false\nserial.device = 'COM1'\ntcp = {}\n",
			[]string{"bad.toml:11: analyzer.name is not a key", "bad.toml:12: analyzer.enabled is not a key", "analyzer.serial.device is not a key", "analyzer.tcp is not a table"}},
		"another driver's table": {aboutAcme + "[analyzer]\ndriver = 'astm'\nhl7 = {}\n", []string{"analyzer.hl7 is not a table"}},
		"no driver":              {aboutAcme + "[analyzer]\ncharset = 'utf-8'\n", []string{"analyzer.driver is missing"}},
		"no header":              {"analyzer = { driver = 'astm' }\n" + aboutAcme, []string{"analyzer is missing"}},
		"the wrong way round":    {"[analyzer]\ndriver = 'astm'\n" + aboutAcme, []string{"analyzer must be the last table"}},
		"words of its own": {strings.NewReplacer(`"expected"`, `"sure"`, `"listen"`, `"bluetooth"`).Replace(aboutAcme) + "[analyzer]\ndriver = 'astm'\n",
			[]string{"profile.links must be", "profile.basis must be"}},
		"no TOML":       {"[profile\n", []string{"bad.toml:1: "}},
		"not even TOML": {aboutAcme + "[analyzer]\ndriver = 'astm'\nx = 2026-13-45\n", []string{"bad.toml:11: "}},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"bad.toml": &fstest.MapFile{Data: []byte(want.text)}}
			_, err := allProfiles(files)
			for _, told := range want.told {
				if err == nil || !strings.Contains(err.Error(), told) {
					t.Errorf("not told: %q in\n%v", told, err)
				}
			}
			t.Setenv("TEST_SECRET", "x")
			_, err = parseWith(files, "lab.toml", []byte(withAnalyzer(`profile = "bad"`, `serial.device = "COM1"`, `driver = "astm"`)), testKinds())
			if fs, _ := errors.AsType[Faults](err); len(fs) != 1 || fs[0].Line != 12 || fs[0].Key != "analyzer[0].profile" {
				t.Errorf("the analyzer's fault: %v", err)
			}
		})
	}
}

// FuzzProfile: whatever a profile and the analyzer that names it hold, reading
// ends with a Config or with Faults that stand in the file, and of a good profile
// and a good file nothing is lost: the file's own keys keep their values.
func FuzzProfile(f *testing.F) {
	f.Setenv("TEST_SECRET", "x")
	f.Setenv("CREDENTIALS_DIRECTORY", "")
	files, _ := testProfiles().(fstest.MapFS)
	for _, file := range files {
		f.Add(file.Data, "serial.device = 'COM1'\nastm.end = 'L'\n")
	}
	f.Add([]byte(aboutAcme+"[analyzer]\ndriver = 'astm'\nastm.rules = [{match = 'a'}]\n"), "tcp.listen = ':1'\n[[analyzer.astm.rules]]\nskip = true\n")
	f.Add([]byte(aboutAcme+"[analyzer]\ndriver = 'astm'\nserial = { baud = 300 }\n"), "serial = 3\nastm = []\n")
	kinds := testKinds()
	f.Fuzz(func(t *testing.T, profile []byte, analyzer string) {
		if len(profile)+len(analyzer) > 16<<10 {
			return
		}
		text := withAnalyzer(`profile = "p"`) + analyzer
		c, err := parseWith(fstest.MapFS{"p.toml": {Data: profile}}, "lab.toml", []byte(text), kinds)
		if err != nil {
			fs, ok := errors.AsType[Faults](err)
			if !ok || len(fs) == 0 {
				t.Fatalf("no Faults: %v", err)
			}
			complete(t, fs, strings.Count(text, "\n")+1, "\x00")
			return
		}
		for _, a := range c.Analyzers {
			if (a.Serial == nil) == (a.TCP == nil) || a.Zone == nil || a.Section == nil || a.Driver == "" {
				t.Fatalf("an analyzer that cannot be: %+v", a)
			}
			if a.Name == "a" && (a.Profile != "p" || a.Timezone != "UTC") {
				t.Fatalf("the file's own values are lost: %+v", a)
			}
		}
	})
}

func TestProfileHint(t *testing.T) {
	for name, want := range map[string]string{
		"sysmex-xn":        `did you mean "sysmex-xn-550"?`,
		"XN 550":           `did you mean "sysmex-xn-550"?`,
		"sysmex_xn-55O":    `did you mean "sysmex-xn-550"?`,
		"sysmex":           `did you mean "sysmex-kx-21", "sysmex-xn-550", "sysmex-xp-100" or "sysmex-xs-800i"?`,
		"sysmex-xn-series": "without a profile, write the analyzer's settings out",
		"x":                "without a profile, write the analyzer's settings out",
		"-":                "without a profile, write the analyzer's settings out",
	} {
		if got := ProfileHint(name); !strings.Contains(got, want) {
			t.Errorf("%q: %s", name, got)
		}
	}
}
