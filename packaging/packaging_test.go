package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestScriptsFor(t *testing.T) {
	s, err := ScriptsFor("/opt/lab/courier", "/opt/lab/core.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"systemd": s.Systemd, "openrc": s.OpenRC, "sysv": s.SysV} {
		for _, gone := range []string{Program, Config, "{{"} {
			if strings.Contains(text, gone) {
				t.Errorf("%s still holds %s", name, gone)
			}
		}
		for _, there := range []string{"/opt/lab/courier", "run --config /opt/lab/core.toml", "/opt/lab/courier reload --config /opt/lab/core.toml"} {
			if !strings.Contains(text, there) {
				t.Errorf("%s does not hold %s", name, there)
			}
		}
	}
	if !strings.Contains(s.Systemd, "\nExecStart=/opt/lab/courier run --config /opt/lab/core.toml\n") {
		t.Errorf("no such ExecStart in\n%s", s.Systemd)
	}
	same, err := ScriptsFor(Program, Config)
	if err != nil || same.Systemd != systemdUnit || same.OpenRC != openRCScript || same.SysV != sysVScript {
		t.Errorf("the packages' own places change the texts (%v)", err)
	}
}

func TestScriptsForRefuses(t *testing.T) {
	for _, path := range []string{"/opt/lab courier/x", "/opt/%h", "/opt/{{Name}}", "/opt/a'b", "/opt/$HOME", "/opt/a\nUser=root"} {
		if _, err := ScriptsFor(path, Config); err == nil {
			t.Errorf("a program at %q is taken", path)
		}
		if _, err := ScriptsFor(Program, path); err == nil {
			t.Errorf("a configuration at %q is taken", path)
		}
	}
}

// TestUnitExposure holds the figure that the hardening page names.
func TestUnitExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze here")
	}
	unit := filepath.Join(t.TempDir(), "labcourier.service")
	if err := os.WriteFile(unit, []byte(systemdUnit), 0o600); err != nil {
		t.Fatal(err)
	}
	// It exits with 1 above the threshold, which counts in tenths.
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", unit).CombinedOutput()
	figure := regexp.MustCompile(`exposure level for labcourier\.service: ([0-9.]+)`).FindSubmatch(out)
	switch {
	case figure == nil && err != nil:
		t.Skipf("this systemd-analyze does not judge files: %v", err)
	case figure == nil || err != nil:
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	default:
		t.Logf("systemd-analyze security: %s", figure[1])
	}
}

// TestShell lets a shell read the scripts without running them.
func TestShell(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell here")
	}
	for _, file := range []string{"openrc/labcourier", "sysv/labcourier"} {
		if out, err := exec.Command("sh", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestPlaybook lets Ansible read the playbook of the page about many sites.
func TestPlaybook(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("no ansible-playbook here (Debian: ansible-core)")
	}
	page, err := os.ReadFile("FLEET.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "```yaml\n")
	text, _, closed := strings.Cut(text, "```")
	if !ok || !closed {
		t.Fatal("the page has no playbook")
	}
	for _, c := range []struct {
		text  string
		right bool
	}{{text, true}, {strings.Replace(text, "ansible.builtin.apt", "ansible.builtin.apd", 1), false}} {
		dir := t.TempDir()
		site := filepath.Join(dir, "site.yml")
		if err := os.WriteFile(site, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "ansible-playbook", "--syntax-check", "--inventory", "lab_pcs,", site)
		cmd.Env = append(os.Environ(), "ANSIBLE_HOME="+dir, "ANSIBLE_LOCAL_TEMP="+dir, "LC_ALL=C.UTF-8")
		if out, err := cmd.CombinedOutput(); (err == nil) != c.right {
			t.Errorf("ansible-playbook: %v\n%s", err, out)
		}
	}
}

func TestStarter(t *testing.T) {
	if plain, err := Starter(Values{}); err != nil || plain != starter {
		t.Errorf("without values the starter changes (%v)", err)
	}
	text, err := Starter(Values{URL: "https://fhir.example/R4", TokenURL: "https://fhir.example/token", ClientID: "a-$1-b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`url = "https://fhir.example/R4"`, `token_url = "https://fhir.example/token"`, `client_id = "a-$1-b"`, "# client_secret_file ="} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	for _, bad := range []string{"a\"b", "a\nb", `a\b`} {
		if _, err := Starter(Values{ClientID: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
