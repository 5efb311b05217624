package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

func TestDefaults(t *testing.T) {
	c := mustParse(t, good)
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %v", Faults(c.Warnings))
	}
	want := &Config{
		File:  "lab.toml",
		Agent: Agent{Name: "lab", DataDir: DefaultDataDir(), IdentifierBase: "urn:labcourier", StopTimeout: 10 * time.Second},
		Server: Server{
			URL: "https://fhir.example.org/R4", Deliver: "fhir", Timeout: 30 * time.Second, MaxBody: 900 << 10, MaxParallel: 8,
			CertFor: "all", Proxy: Proxy{Address: "environment"},
			Auth: Auth{Method: "auto", TokenURL: "https://fhir.example.org/token", ClientID: "agent",
				ClientAuth: "header", FallbackAfter: 2 * time.Minute, Reprobe: 5 * time.Minute},
		},
		Status: Status{Listen: "127.0.0.1:8686"},
		Log:    Log{Level: "info", Format: "auto", MaxSize: 20 << 20, MaxAge: 720 * time.Hour, MaxFiles: 10},
		Alerts: Alerts{Hold: 2 * time.Minute, Digest: 5 * time.Minute, LinkDown: 10 * time.Minute, Waiting: 30 * time.Minute, Expiry: 14 * 24 * time.Hour},
		Spool: Spool{ResendWindow: 30 * time.Minute, Retain: 720 * time.Hour, RetainBytes: 4 << 30, RetainAudit: 17520 * time.Hour,
			Reserve: 512 << 20, Warn: 2 << 30, MaxMessage: 16 << 20},
		Analyzers: []Analyzer{{
			Name: "xn", Driver: "astm", Enabled: true, Timezone: "UTC", Charset: "utf-8",
			Serial:        &Serial{Device: "/dev/ttyUSB7", Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1, FlowControl: "none"},
			StatusDefault: drivers.StatusPreliminary, Deliver: "fhir", Corrections: "update", CorrectionsWithin: 24 * time.Hour, QC: "keep", ResendWindow: 30 * time.Minute, Section: drivers.NoSection{},
		}},
	}
	if diff := cmp.Diff(want, c, compareConfigs()...); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s, err := c.Server.Auth.ClientSecret.Read(); err != nil || s != "s3cret/value+" {
		t.Errorf("secret: %v", err)
	}
	if o := c.Analyzers[0].ParseOptions(); o.Location != time.UTC || o.Charset == nil || o.DefaultStatus != "preliminary" || o.Section == nil {
		t.Errorf("parse options: %+v", o)
	}
}

// compareConfigs leaves out what has no value to compare.
func compareConfigs() []cmp.Option {
	return []cmp.Option{
		cmp.FilterPath(func(p cmp.Path) bool {
			switch p.Last().String() {
			case ".ClientSecret", ".Token", ".SignKey", ".ClientKey", ".Password", ".Key", ".OldKeys", ".Zone", ".Encoding", ".Secrets", ".digest", ".Warnings", ".fault":
				return true
			}
			return false
		}, cmp.Ignore()),
		cmp.AllowUnexported(Config{}, Folder{}),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b section) bool { return a.path == b.path }),
	}
}

func TestEveryKeyTakesEffect(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("x\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := "\ufeff" + strings.ReplaceAll(lines(
		`agent = { name = "A.b-1_", data_dir = "data", identifier_base = "https://x.org/id", stop_timeout = "1m30s" }`,
		`[server]`, `url = "http://localhost:8103/fhir/R4///"`, `timeout = "5s"`, `max_body = "1MB"`, `max_parallel = 0x10`,
		`proxy = "http://proxy:3128"`, `no_proxy = [".lab"]`, `proxy_username = "p"`, `proxy_password_credential = "pw"`,
		`auth.method = "basic"`, `auth.username = "u"`, `auth.password_credential = "pw"`, `auth.scopes = ["a", "b"]`,
		`auth.audience = "aud"`, `auth.client_auth = "form"`, `auth.fallback_after = "36h"`, `auth.reprobe = "1h"`,
		`[status]`, `listen = "[::1]:0"`, `[log]`, `level = "trace"`, `format = "json"`, `levels = { deliver = "debug" }`, `file = "l.log"`, `max_size = "1MiB"`, `max_age = "0s"`, `max_files = 3`,
		`[spool]`, `resend_window = "0s"`, `retain = "1d12h"`, `retain_bytes = "0B"`, `retain_audit = "10d"`, `reserve = "64MiB"`, `warn = "1GB"`, `max_message = "1MiB"`,
		`[alerts]`, `mute = ["silent", "disk"]`, `hold = "0s"`, `digest = "1h"`, `link_down = "0s"`, `waiting = "1m"`, `expiry = "30d"`,
		`[alerts.webhook]`, `url = "https://x.org/hook?a=b"`, `token_credential = "pw"`, `sign_key_credential = "pw"`,
		`[alerts.email]`, `server = "127.0.0.1:25"`, `tls = "none"`, `from = "Lab <a@b.org>"`, `to = ["c@d.org"]`, `username = "u"`, `password_credential = "pw"`,
		`[[analyzer]]`, `name = "one"`, `driver = "astm"`, `enabled = false`, `timezone = "Europe/Zurich"`, `charset = "Windows-1252"`,
		`status_default = "final"`, `resend_window = "1m"`, `manufacturer = "Ü"`, `model = 'm'`, `serial_number = "7"`, `location = """l"""`,
		`[analyzer.serial]`, `device = "COM3"`, `baud = 19_200`, `data_bits = 7`, `parity = "even"`, `stop_bits = 2`, `flow_control = "rts-cts"`,
		`[analyzer.astm]`, `end = "eot"`, `idle = "3s"`, `retries = 2`, `frames = 65535`, `strict = true`, `ratio = 2`, `ids = ["x"]`, `limit = 5`,
		`[analyzer.astm.codes]`, `"Na+" = "2951-2"`, `[[analyzer.astm.rules]]`, `match = "a"`, `[[analyzer.astm.rules]]`, `skip = true`,
		`[[analyzer]]`, `name = "two"`, `driver = "hl7"`, `tcp = { listen = ":2575", allow = ["10.0.5.7/24", "::1", "::ffff:10.1.0.0/112"], max_connections = 2 }`,
		`[[analyzer]]`, `name = "three"`, `driver = "hl7"`, `tcp.connect = "meter:4001"`, `tcp.dial_timeout = "3s"`, `hl7 = {}`,
	), "\n", "\r\n")
	c, err := Parse(filepath.Join(dir, "lab.toml"), []byte(text), testKinds())
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File:  filepath.Join(dir, "lab.toml"),
		Agent: Agent{Name: "A.b-1_", DataDir: filepath.Join(dir, "data"), IdentifierBase: "https://x.org/id", StopTimeout: 90 * time.Second},
		Server: Server{
			URL: "http://localhost:8103/fhir/R4", Deliver: "fhir", Timeout: 5 * time.Second, MaxBody: 1e6, MaxParallel: 16,
			CertFor: "all", Proxy: Proxy{Address: "http://proxy:3128", NoProxy: []string{".lab"}, Username: "p"},
			Auth: Auth{Method: "basic", Username: "u", Scopes: []string{"a", "b"}, Audience: "aud",
				ClientAuth: "form", FallbackAfter: 36 * time.Hour, Reprobe: time.Hour},
		},
		Status: Status{Listen: "[::1]:0"},
		Log:    Log{Level: "trace", Format: "json", Levels: map[string]string{"deliver": "debug"}, File: filepath.Join(dir, "l.log"), MaxSize: 1 << 20, MaxFiles: 3},
		Alerts: Alerts{Mute: []string{"silent", "disk"}, Digest: time.Hour, Waiting: time.Minute, Expiry: 30 * 24 * time.Hour,
			Webhook: &Webhook{URL: "https://x.org/hook?a=b"},
			Email:   &Email{Server: "127.0.0.1:25", TLS: "none", From: "Lab <a@b.org>", To: []string{"c@d.org"}, Username: "u"}},
		Spool: Spool{Retain: 36 * time.Hour, RetainAudit: 240 * time.Hour, Reserve: 64 << 20, Warn: 1e9, MaxMessage: 1 << 20},
		Analyzers: []Analyzer{{
			Name: "one", Driver: "astm", Timezone: "Europe/Zurich", Charset: "Windows-1252",
			Serial:        &Serial{Device: "COM3", Baud: 19200, DataBits: 7, Parity: "even", StopBits: 2, FlowControl: "rts-cts"},
			StatusDefault: drivers.StatusFinal, ResendWindow: time.Minute, Deliver: "fhir", Corrections: "update", CorrectionsWithin: 24 * time.Hour, QC: "keep",
			Manufacturer: "Ü", Model: "m", SerialNumber: "7", Location: "l",
		}, {
			Name: "two", Driver: "hl7", Enabled: true, Timezone: "Local", StatusDefault: "preliminary", Deliver: "fhir", Corrections: "update", CorrectionsWithin: 24 * time.Hour, QC: "keep",
			TCP: &TCP{Listen: ":2575", Allow: []string{"10.0.5.7/24", "::1", "::ffff:10.1.0.0/112"}, MaxConnections: 2, DialTimeout: 10 * time.Second,
				Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.5.0/24"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.1.0.0/16")}},
		}, {
			Name: "three", Driver: "hl7", Enabled: true, Timezone: "Local", StatusDefault: "preliminary", Deliver: "fhir", Corrections: "update", CorrectionsWithin: 24 * time.Hour, QC: "keep",
			TCP: &TCP{Connect: "meter:4001", MaxConnections: 8, DialTimeout: 3 * time.Second},
		}},
	}
	opts := append(compareConfigs(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Section" }, cmp.Ignore()))
	if diff := cmp.Diff(want, c, opts...); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s, err := c.Server.Auth.Password.Read(); err != nil || s != "x" {
		t.Errorf("password: %v", err)
	}
	if z := c.Analyzers[0].Zone.String(); z != "Europe/Zurich" {
		t.Errorf("zone %s", z)
	}
	if on := c.Enabled(); len(on) != 2 || on[0].Name != "two" {
		t.Errorf("enabled: %+v", on)
	}
	five := 5
	o := fakeOptions{Retries: 9}
	if err := c.Analyzers[0].Section.Decode(&o); err != nil {
		t.Fatal(err)
	}
	wantOptions := fakeOptions{End: "eot", Idle: 3 * time.Second, Retries: 2, Frames: 65535, Strict: true, Ratio: 2, IDs: []string{"x"},
		Codes: map[string]string{"Na+": "2951-2"}, Limit: &five}
	wantOptions.Rules = append(wantOptions.Rules, struct {
		Match string `toml:"match"`
		Skip  bool   `toml:"skip"`
	}{Match: "a"}, struct {
		Match string `toml:"match"`
		Skip  bool   `toml:"skip"`
	}{Skip: true})
	if diff := cmp.Diff(wantOptions, o); diff != "" {
		t.Errorf("section (-want +got)\n%s", diff)
	}
}

func TestDigest(t *testing.T) {
	a, b := mustParse(t, good), mustParse(t, good+"# x\n")
	if len(a.Digest()) != 64 || a.Digest() == b.Digest() || a.Digest() != mustParse(t, good).Digest() {
		t.Errorf("%s %s", a.Digest(), b.Digest())
	}
}

func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "labcourier.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The example is in order but for its secret file, shows every key, and its
// commented lines are the defaults that they claim to be.
func TestExample(t *testing.T) {
	text := example(t)
	kinds := append(testKinds(), drivers.Kind{Name: "text"})
	_, err := Parse("labcourier.toml", []byte(text), kinds)
	fs, _ := err.(Faults)
	if len(fs) != 1 || fs[0].Key != "server.auth.client_secret_file" {
		t.Fatalf("want one fault, the secret file's; got:\n%v", err)
	}
	text = strings.Replace(text, "/etc/labcourier/client-secret", filepath.ToSlash(secretFile(t, "x")), 1)
	read := func(text string) *Config {
		c, err := Parse("labcourier.toml", []byte(text), kinds)
		if err != nil {
			t.Fatalf("the example is refused:\n%v", err)
		}
		return c
	}
	plain := read(text)
	if len(plain.Warnings) > 0 {
		t.Errorf("warnings:\n%v", Faults(plain.Warnings))
	}
	bare := regexp.MustCompile(`(?m)^#([a-z_]+ = )`)
	shown := read(bare.ReplaceAllString(text, "$1"))
	opts := compareConfigs()
	if filepath.Separator != '/' { // the default shown is the one of Linux
		plain.Agent.DataDir, shown.Agent.DataDir = "", ""
	}
	if diff := cmp.Diff(plain, shown, opts...); diff != "" {
		t.Errorf("the example shows other defaults (-real +shown)\n%s", diff)
	}
	for _, v := range []any{Agent{}, Server{}, Proxy{}, authKeys{}, Status{}, Log{}, Spool{}, Alerts{}, webhookKeys{}, emailKeys{}, Analyzer{}, Serial{}, TCP{}} {
		for _, f := range fields(reflect.TypeOf(v)) {
			if !regexp.MustCompile(`(?m)(^(# ?)?|[{,] )` + f.name + ` = `).MatchString(text) {
				t.Errorf("the example does not show %T's key %s", v, f.name)
			}
		}
	}
}

// A line under its stable name and under the kernel's is one line.
func TestDevice(t *testing.T) {
	dir := t.TempDir()
	line, link := filepath.Join(dir, "ttyUSB0"), filepath.Join(dir, "by-id")
	if err := os.WriteFile(line, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(line, link); err != nil {
		t.Skip("this system makes no links: ", err)
	}
	for _, same := range [][2]string{{line, link}, {"COM3", "com3"}, {`\\.\COM12`, "COM12:"}, {"/dev/none", "/dev/./none"}} {
		if device(same[0]) != device(same[1]) {
			t.Errorf("%s and %s are two lines: %s, %s", same[0], same[1], device(same[0]), device(same[1]))
		}
	}
	if device("COM1") == device("COM11") || device("/dev/ttyS0") == device("/dev/ttyS1") {
		t.Error("two lines are one")
	}
}

// Large files are refused like small ones, however odd, and none of them takes
// the stack or the memory.
func TestLargeFiles(t *testing.T) {
	for name, line := range map[string]string{
		"broken lines":  "a =\n",
		"unknown keys":  "KEY = 1\n",
		"one name":      "[[analyzer]]\nname = 'a'\nserial.device = 'b'\n",
		"one address":   "[[analyzer]]\ntcp.listen = ':1'\n",
		"comments":      "#\n",
		"deep":          "a.",
		"deep brackets": "[",
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for i := 0; text.Len() < maxFile/16; i++ {
				text.WriteString(strings.ReplaceAll(line, "KEY", fmt.Sprintf("k%d", i)))
			}
			if _, err := parse(t, text.String()); err == nil {
				t.Error("accepted")
			}
		})
	}
}
