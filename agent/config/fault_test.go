package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/drivers"
)

// Fifteen mistakes of every sort in one file are told at once, in its order,
// each with its own place.
func TestAllAtOnce(t *testing.T) {
	_, err := parse(t, lines(
		`[agent]`,                                // 1
		`name = lab`,                             // 2 no value
		`data_dir = "C:\ProgramData\labcourier"`, // 3 an escape that is none
		`stop_timeout = 10`,                      // 4 wrong type
		`[server]`,                               // 5 [server.auth] is missing
		`url = "http://10.0.0.5/fhir"`,           // 6 plain http
		`ca_file = "/nowhere/ca.pem"`,            // 7 no such file
		`tiemout = "3s"`,                         // 8 unknown key
		`deliver = "bot"`,                        // 9 no bot
		`[status]`,                               // 10
		`listen = "0.0.0.0:2575"`,                // 11 not loopback
		`[[analyzer]]`,                           // 12
		`name = "xn"`,                            // 13
		`driver = "atsm"`,                        // 14 no such driver
		`tcp = { listen = ":2575" }`,             // 15 the status page's port
		`timezone = "Europe/Zürich"`,             // 16 no such zone
		`[[analyzer]]`,                           // 17 no link
		`name = "XN"`,                            // 18 the same name
		`driver = "astm"`,                        // 19
		`hl7 = {}`,                               // 20 another driver's settings
		`[analyzer.astm]`,                        // 21
		`retries = "many"`,                       // 22 wrong type
	))
	fs, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("not Faults: %v", err)
	}
	var at []int
	for _, f := range fs {
		at = append(at, f.Line)
		if f.File != "lab.toml" || f.Column < 1 || f.Problem == "" || f.Hint == "" {
			t.Errorf("incomplete: %+v", f)
		}
	}
	if want := []int{2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 15, 16, 17, 18, 20, 22}; !slices.Equal(at, want) {
		t.Errorf("faults on lines %v, want %v:\n%v", at, want, err)
	}
}

func TestPlaces(t *testing.T) {
	_, err := parse(t, testAgent+testServer+testAuth+"x = { y = 1 }\n"+`analyzer = [{ name = "ü", "ü" = 3, driver = "poct" }]`)
	fs, _ := errors.AsType[Faults](err)
	want := []Fault{
		{Line: 9, Column: 1, Key: "server.auth.x"},
		{Line: 10, Column: 1, Key: "server.auth.analyzer"},
		{Line: 1, Column: 1, Key: "analyzer"},
	}
	for _, w := range want {
		if !slices.ContainsFunc(fs, func(f Fault) bool { return f.Line == w.Line && f.Column == w.Column && f.Key == w.Key }) {
			t.Errorf("no fault %+v in\n%+v", w, fs)
		}
	}
	_, err = parse(t, `analyzer = [{ name = "ü", "ü" = 3, driver = "poct" }]`+"\n"+testAgent+testServer+testAuth)
	fs, _ = errors.AsType[Faults](err)
	for _, w := range []Fault{
		{Line: 1, Column: 15, Key: "analyzer[0].name"},
		{Line: 1, Column: 27, Key: `analyzer[0]."..."`},
		{Line: 1, Column: 36, Key: "analyzer[0].driver"},
	} {
		if !slices.ContainsFunc(fs, func(f Fault) bool { return f.Line == w.Line && f.Column == w.Column && f.Key == w.Key }) {
			t.Errorf("no fault %+v in\n%+v", w, fs)
		}
	}
}

func TestFaultAsJSON(t *testing.T) {
	b, err := json.Marshal(Faults{{File: "f", Line: 2, Column: 3, Key: "k", Problem: "p", Hint: "h"}})
	if want := `[{"file":"f","line":2,"column":3,"key":"k","problem":"p","hint":"h"}]`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

func TestWarnings(t *testing.T) {
	const cut = `serial = { device = "/dev/ttyUSB7" }` + "\n" + `timezone = "UTC"` + "\n" + `charset = "utf-8"` + "\n"
	bare := strings.Replace(good, cut, "", 1)
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"inline secret", strings.Replace(good, `client_secret_env = "TEST_SECRET"`, `client_secret = "hunter2"`, 1),
			[]string{"lab.toml:8: server.auth.client_secret holds a secret in the configuration itself"}},
		{"guesses", bare + "tcp = { listen = \"0.0.0.0:2575\" }\n", []string{
			`lab.toml:9: analyzer "xn": timezone is not set`, `lab.toml:9: analyzer "xn": charset is not set`,
			`lab.toml:12: analyzer "xn": tcp.listen takes connections from everybody`}},
		{"a serial server for two", bare + "timezone = 'UTC'\ncharset = 'utf-8'\ntcp = { connect = 'moxa:1' }\n[[analyzer]]\nname = 'b'\ndriver = 'astm'\ntimezone = 'UTC'\ncharset = 'utf-8'\ntcp = { connect = 'MOXA:1' }\n",
			[]string{`lab.toml:20: analyzer "b": tcp.connect is the address that analyzer "xn" (line 14) connects to as well`}},
		{"a user for oauth2", strings.Replace(good, "[server.auth]\n", "[server.auth]\nmethod = 'oauth2'\nusername = 'u'\npassword_env = 'TEST_SECRET'\n", 1),
			[]string{`lab.toml:7: server.auth.username is not used by method "oauth2"`}},
		{"nothing to do", good + "enabled = false\n", []string{`lab.toml:15: analyzer "xn": enabled is false, as for every analyzer`}},
		{"two on one line, one of them off", good + "[[analyzer]]\nname = 'b'\ndriver = 'astm'\nenabled = false\nserial.device = '/dev/ttyUSB7'\ntimezone = 'UTC'\ncharset = 'utf-8'\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustParse(t, tt.text)
			text := Faults(c.Warnings).Error()
			if len(c.Warnings) != len(tt.want) || strings.Contains(text, "hunter2") {
				t.Fatalf("warnings:\n%s", text)
			}
			for i, w := range tt.want {
				if !strings.HasPrefix(c.Warnings[i].String(), w) {
					t.Errorf("warning %d: %s\nwant: %s", i, c.Warnings[i], w)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Setenv("TEST_SECRET", "x")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, path, want string }{
		{"in order", write("good.toml", good), ""},
		{"not there", filepath.Join(dir, "none.toml"), "there is no such file"},
		{"a folder", dir, "this is a folder, not a file"},
		{"empty", write("empty.toml", "\ufeff \r\n"), "this file is empty"},
		{"too large", write("large.toml", strings.Repeat("#\n", maxFile/2+1)), "this file is larger than 1 MiB"},
		{"UTF-16", write("utf16.toml", "\xff\xfe[\x00"), "this file is UTF-16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(tt.path, testKinds())
			if tt.want == "" {
				if err != nil || c.File != tt.path {
					t.Errorf("%v", err)
				}
				return
			}
			fs, ok := errors.AsType[Faults](err)
			if !ok || len(fs) != 1 || fs[0].Problem != tt.want || fs[0].Hint == "" || fs[0].Line != 0 || !strings.HasPrefix(err.Error(), tt.path+": ") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	_, err := Load(write("latin1.toml", "# ok\n# Z\xfcrich\n"), testKinds())
	if fs, _ := errors.AsType[Faults](err); len(fs) != 1 || fs[0].Line != 2 || fs[0].Column != 4 || fs[0].Problem != "this line is not UTF-8" {
		t.Errorf("Latin-1: %v", err)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // WriteFile's mode is cut by the umask
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, path, want string }{
		{"in order", at("secret", "x", 0o600), ""},
		{"read only", at("ro", "x", 0o400), ""},
		{"relative", "secret", ""},
		{"missing", filepath.Join(dir, "none"), "does not exist"},
		{"folder", dir, "is a folder"},
		{"empty", at("empty", "", 0o600), "is empty"},
		{"no regular file", os.DevNull, "is not a regular file"},
		{"open to the group", at("group", "x", 0o640), "group or others have rights on it (mode 0640)"},
		{"open to all", at("all", "x", 0o604), "group or others have rights on it (mode 0604)"},
		{"nothing", "", "is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.HasPrefix(tt.name, "open to") {
				t.Skip("a file's mode says nothing on Windows")
			}
			text := strings.Replace(good, `client_secret_env = "TEST_SECRET"`, "client_secret_file = '"+tt.path+"'", 1)
			_, err := Parse(filepath.Join(dir, "lab.toml"), []byte(text), testKinds())
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			fs, _ := errors.AsType[Faults](err)
			if len(fs) != 1 || fs[0].Line != 8 || !strings.Contains(fs[0].Problem, tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDriverWords(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		text string
		want []string // place and key
	}{
		{"names a key", errors.New("retries is 11: use 0 to 10"), "[analyzer.x]\nend = 1\nretries = 11\n", []string{"17 analyzer[0].x.retries"}},
		{"names none", errors.New("no"), "[analyzer.x]\nend = 1\n", []string{"15 analyzer[0].x"}},
		{"has no table", errors.New("needs a port"), "", []string{"9 analyzer[0]"}},
		{"says several", errors.Join(errors.New("a: end"), errors.New("b: retries\nc")), "[analyzer.x]\nretries = 1\nend = 1\n",
			[]string{"16 analyzer[0].x.retries", "17 analyzer[0].x.end"}},
		{"wraps", fmt.Errorf("x: %w", Faults{{Line: 3, Key: "k"}}), "", []string{"3 k"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TEST_SECRET", "x")
			kind := drivers.Kind{Name: "x", New: func(string, drivers.Section, drivers.Deps) (drivers.Driver, error) { return nil, tt.err }}
			text := strings.Replace(good, `"astm"`, `"x"`, 1) + tt.text
			_, err := Parse("lab.toml", []byte(text), []drivers.Kind{kind})
			fs, _ := errors.AsType[Faults](err)
			var got []string
			for _, f := range fs {
				got = append(got, fmt.Sprintf("%d %s", f.Line, f.Key))
				if strings.Contains(f.Problem, "\n") {
					t.Errorf("more than one line: %s", f.Problem)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v:\n%v", got, tt.want, err)
			}
		})
	}
}
