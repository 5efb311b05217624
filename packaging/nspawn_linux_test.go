package packaging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/porttest"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// TestInstalled installs the deb on a Debian that systemd boots in a container,
// with analyzers and a server outside of it: results flow, through kill -9, a
// reboot and an upgrade, each once; purged, nothing is left. LABCOURIER_NSPAWN
// names a folder with the tree of that Debian, old.deb and new.deb; .ci/run makes
// it.
func TestInstalled(t *testing.T) {
	dir := os.Getenv("LABCOURIER_NSPAWN")
	if dir == "" {
		t.Skip("set LABCOURIER_NSPAWN: it boots a container, as root; .ci/run does")
	}
	l := newLab(t)
	box := boot(t, dir, l.line)

	box.do("", "dpkg", "--install", "/packages/old.deb")
	box.want("enabled", "systemctl", "is-enabled", "labcourier")
	box.want("inactive", "systemctl", "is-active", "labcourier")
	box.do("", "systemd-analyze", "security", "--threshold=20", "labcourier")
	verdict := strings.Split(box.ask("systemd-analyze", "security", "labcourier"), "\n")
	t.Log(verdict[len(verdict)-1])

	l.serverBack()
	t.Cleanup(func() { _ = l.stop(context.Background()) })
	// The commands of the install page.
	box.do(sandbox.DefaultClientSecret, "labcourier", "secret", "set", "client-secret")
	box.do(l.configuration(), "tee", "/etc/labcourier/labcourier.toml")
	box.do("", "labcourier", "check")
	box.do(ptyAllowed, "tee", "/etc/systemd/system/labcourier.service.d/pty.conf")
	box.do("", "systemctl", "daemon-reload")
	box.do("", "systemctl", "start", "labcourier")
	box.want("active", "systemctl", "is-active", "labcourier")
	if text := box.ask("systemctl", "show", "--property=StatusText", "labcourier"); !strings.Contains(text, "2 analyzers") {
		t.Errorf("ready, it says %q", text)
	}
	l.send(5)
	l.arrived()
	// Shut in as it is, the service still sees of itself what is measured.
	if text := l.metrics(); !strings.Contains(text, "\nprocess_resident_memory_bytes ") || !strings.Contains(text, "\nprocess_open_fds ") {
		t.Errorf("the metrics are\n%s", text)
	}
	if said := box.ask("journalctl", "--boot", "--unit=labcourier", "--output=cat", "--grep=ERROR"); strings.Contains(said, "ERROR") {
		t.Errorf("the log says\n%s", said)
	}

	t.Run("reload", func(t *testing.T) {
		pid := box.ask("systemctl", "show", "--property=MainPID", "--value", "labcourier")
		sending := l.sendBeside(20)
		box.do(l.configuration()+"[log]\nlevel = \"debug\"\n", "tee", "/etc/labcourier/labcourier.toml")
		box.do("", "systemctl", "reload", "labcourier")
		box.do(l.configuration()+"[lag]\n", "tee", "/etc/labcourier/labcourier.toml")
		if err := box.command("", "systemctl", "reload", "labcourier").Run(); err == nil {
			t.Error("a configuration with faults is taken over")
		}
		box.do(l.configuration(), "tee", "/etc/labcourier/labcourier.toml")
		box.do("", "sh", "-c", "kill -HUP "+pid)
		sending()
		box.want("active", "systemctl", "is-active", "labcourier")
		box.want(pid, "systemctl", "show", "--property=MainPID", "--value", "labcourier")
		l.arrived()
	})
	t.Run("kill -9", func(t *testing.T) {
		sending := l.sendBeside(20)
		box.do("", "sh", "-c", "kill -9 "+box.ask("systemctl", "show", "--property=MainPID", "--value", "labcourier"))
		sending()
		box.want("NRestarts=1", "systemctl", "show", "--property=NRestarts", "labcourier")
		l.arrived()
	})
	t.Run("reboot", func(t *testing.T) {
		sending := l.sendBeside(20)
		box.reboot()
		box.want("active", "systemctl", "is-active", "labcourier")
		sending()
		l.arrived()
	})
	t.Run("upgrade", func(t *testing.T) {
		l.serverAway()
		l.send(10)
		before := box.ask("labcourier", "version")
		box.do("", "dpkg", "--install", "/packages/new.deb")
		box.want("active", "systemctl", "is-active", "labcourier")
		if after := box.ask("labcourier", "version"); after == before {
			t.Errorf("still %s", after)
		}
		if n := strings.Count(box.ask("journalctl", "--boot", "--unit=labcourier", "--output=cat"), `"labcourier runs"`); n != 2 {
			t.Errorf("since the reboot it started %d times, not once for the boot and once for the upgrade", n)
		}
		l.serverBack()
		l.arrived()
	})
	t.Run("older refused", func(t *testing.T) { olderRefused(t, box, l) })
	t.Run("back to the older", func(t *testing.T) { backToTheOlder(t, box, l) })
	t.Run("restore", func(t *testing.T) { restore(t, box, l) })
	t.Run("remove and purge", func(t *testing.T) {
		box.do("", "dpkg", "--remove", "labcourier")
		box.do("", "test", "-s", "/var/lib/labcourier/spool.db")
		box.do("", "dpkg", "--purge", "labcourier")
		if left := box.ask("find", "/", "-xdev", "-name", "*labcourier*", "-not", "-path", "/proc/*"); left != "" {
			t.Errorf("purged, there is still\n%s", left)
		}
		if user := box.ask("grep", "labcourier", "/etc/passwd", "/etc/group"); user != "" {
			t.Errorf("purged, there is still %s", user)
		}
	})
	t.Run("service install", func(t *testing.T) { byHand(t, box, l) })
}

// olderRefused installs the older package over messages that wait in the newer
// one's format: it says why it does not run, and changes nothing.
func olderRefused(t *testing.T, box *container, l *lab) {
	if kept := box.ask("sh", "-c", "ls /var/lib/labcourier/spool.db.format*.bak"); strings.Count(kept, ".bak") != 1 {
		t.Errorf("of the format before the upgrade there is kept: %q", kept)
	}
	if said := box.ask("labcourier", "doctor"); !strings.Contains(said, "from before an upgrade") {
		t.Errorf("doctor says\n%s", said)
	}
	l.serverAway()
	l.send(5)
	box.do("", "dpkg", "--install", "/packages/old.deb")
	box.want("yes", "sh", "-c", "journalctl --boot --unit=labcourier --output=cat | grep -q 'a newer labcourier wrote this spool' && echo yes")
	if state := box.ask("systemctl", "is-active", "labcourier"); state == "active" {
		t.Error("the older program runs")
	}
	before := box.ask("sha256sum", "/var/lib/labcourier/spool.db")
	box.refused("systemctl", "restart", "labcourier")
	if after := box.ask("sha256sum", "/var/lib/labcourier/spool.db"); before == "" || after != before {
		t.Errorf("the older program changed the spool: %s, then %s", before, after)
	}
	box.do("", "dpkg", "--install", "/packages/new.deb")
	box.want("active", "systemctl", "is-active", "labcourier")
	l.serverBack()
	l.arrived()
}

// backToTheOlder does what the install page says of it, with messages waiting.
func backToTheOlder(t *testing.T, box *container, l *lab) {
	l.serverAway()
	l.send(5)
	format := box.ask("sh", "-c", "ls /var/lib/labcourier | sed -n 's/^spool\\.db\\.\\(format[0-9]*\\)-.*\\.bak$/\\1/p'")
	box.documented("Back to the older version", 0, "format1", format, "apt install", "apt-get install --yes --quiet", "./labcourier_OLDER_amd64.deb", "/packages/old.deb")
	box.want("active", "systemctl", "is-active", "labcourier")
	l.serverBack()
	l.arrived()
}

// restore does what the install page says of backups.
func restore(t *testing.T, box *container, l *lab) {
	box.documented("Back up and restore", 0)
	l.send(3)
	l.arrived()
	box.documented("Back up and restore", 1)
	box.want("active", "systemctl", "is-active", "labcourier")
	l.send(3)
	l.arrived()
}

// byHand makes the service without a package, as from the tar.
func byHand(t *testing.T, box *container, l *lab) {
	const program = "/usr/local/bin/labcourier"
	box.do("", "dpkg-deb", "--extract", "/packages/new.deb", "/opt/unpacked")
	if out := box.refused("/opt/unpacked/usr/bin/labcourier", "service", "start"); !strings.Contains(out, "labcourier service install") {
		t.Errorf("not installed, start says %q", out)
	}
	box.do("", "install", "/opt/unpacked/usr/bin/labcourier", program)
	box.do("", program, "service", "install", "--url", "https://fhir.example/R4", "--client-id", "abc")
	if text := box.ask("cat", "/etc/labcourier/labcourier.toml"); !strings.Contains(text, "\nurl = \"https://fhir.example/R4\"\n") {
		t.Errorf("the first configuration is\n%s", text)
	}
	if out := box.refused(program, "service", "status"); !strings.Contains(out, "installed and does not run") {
		t.Errorf("installed, status says %q", out)
	}
	if out := box.refused(program, "service", "install"); !strings.Contains(out, "installed already") {
		t.Errorf("installed, install says %q", out)
	}
	if out := box.refused(program, "service", "start"); !strings.Contains(out, "journalctl -u labcourier") {
		t.Errorf("with faults in the configuration, start says %q", out)
	}
	box.do(sandbox.DefaultClientSecret, program, "secret", "set", "client-secret")
	box.do(l.configuration(), "tee", "/etc/labcourier/labcourier.toml")
	box.do(ptyAllowed, "tee", "/etc/systemd/system/labcourier.service.d/pty.conf")
	box.do("", program, "service", "install", "--update")
	box.do("", program, "service", "start")
	l.send(5)
	l.arrived()
	box.do("", program, "service", "restart")
	if out := box.ask(program, "service", "status"); out != "The service runs under linux-systemd." {
		t.Errorf("running, status says %q", out)
	}
	box.do("", program, "service", "stop")
	box.want("inactive", "systemctl", "is-active", "labcourier")
	box.do("", program, "service", "uninstall")
	if _, err := box.command("", "test", "-e", "/etc/systemd/system/labcourier.service").Output(); err == nil {
		t.Error("uninstalled, the unit is still there")
	}
	box.do("", "test", "-s", "/var/lib/labcourier/spool.db")
}

// ptyAllowed lets the service open a pseudo-terminal, which stands in for the
// serial line of a machine that has none.
const ptyAllowed = "[Service]\nDeviceAllow=char-pts rw\n"

// patience is how long the test waits for what must come. It decides nothing when
// all is well.
const patience = 3 * time.Minute

// lab is what stands outside of the container: two analyzers and a server.
type lab struct {
	t       *testing.T
	server  *sandbox.Server
	address string // of the server
	stop    func(context.Context) error
	listen  string // where the agent listens for the first analyzer
	status  string
	line    string // the device that the agent opens for the second
	benches []*bench
}

// bench is one analyzer.
type bench struct {
	port  drivers.Port
	model simulator.Model
	next  func() []byte

	mu    sync.Mutex
	acked int
}

func newLab(t *testing.T) *lab {
	l := &lab{t: t, server: sandbox.New(sandbox.Options{TokenLifetime: time.Minute})}
	free := porttest.Reserve(t, 3)
	l.address, l.listen, l.status = free[0], free[1], free[2]
	tcp, err := port.Connect(port.ConnectConfig{Address: l.listen})
	if err != nil {
		t.Fatal(err)
	}
	pty, line, err := simulator.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	l.line = line
	// As a serial line is: the group dialout, which Debian numbers 20, opens it.
	if err := errors.Join(os.Chown(line, 0, 20), os.Chmod(line, 0o660)); err != nil {
		t.Fatal(err)
	}
	for i, p := range []drivers.Port{tcp, pty} {
		name := []string{"chemistry", "haematology"}[i]
		model, ok := simulator.ModelNamed(name)
		if !ok {
			t.Fatalf("no model %s", name)
		}
		generator := simulator.NewGenerator(model, fmt.Sprintf("SIM%d-", i), uint64(i))
		l.benches = append(l.benches, &bench{port: p, model: model, next: func() []byte { return generator.Next(time.Now()) }})
	}
	return l
}

// serverBack lets the server listen, serverAway ends that.
func (l *lab) serverBack() {
	l.t.Helper()
	_, stop, err := l.server.Start(l.address)
	if err != nil {
		l.t.Fatal(err)
	}
	l.stop = stop
}

func (l *lab) serverAway() {
	if err := l.stop(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

// metrics asks the agent for them.
func (l *lab) metrics() string {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, "http://"+l.status+"/metrics", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

func (l *lab) configuration() string {
	return fmt.Sprintf(`[agent]
name = "ci"
[server]
url = "http://%[1]s%[2]s"
[server.auth]
token_url = "http://%[1]s%[3]s"
client_id = %[4]q
client_secret_file = "/etc/labcourier/secrets/client-secret"
[spool]
reserve = "64MiB"
[status]
listen = %[5]q
[[analyzer]]
name = "tcp"
driver = "astm"
tcp = { listen = %[6]q, allow = ["127.0.0.1"] }
timezone = "UTC"
[[analyzer]]
name = "serial"
driver = "astm"
serial = { device = "/dev/ttyLAB0" }
timezone = "UTC"
`, l.address, sandbox.BasePath, sandbox.TokenPath, sandbox.DefaultClientID, l.status, l.listen)
}

// send lets each analyzer send n messages, each until it is acknowledged.
func (l *lab) send(n int) {
	l.t.Helper()
	l.sendBeside(n)()
}

// sendBeside begins what send does; the function it returns waits for the end.
func (l *lab) sendBeside(n int) (wait func()) {
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	ended := make(chan error, len(l.benches))
	for _, b := range l.benches {
		go func() { ended <- b.run(ctx, n) }()
	}
	return func() {
		l.t.Helper()
		defer cancel()
		for range l.benches {
			if err := <-ended; !errors.Is(err, io.EOF) {
				l.t.Fatalf("an analyzer did not get rid of its messages: %v", err)
			}
		}
	}
}

func (b *bench) run(ctx context.Context, n int) error {
	sent := 0
	an := simulator.Analyzer{
		Port: b.port, Sender: b.model.Sender(), Retry: 200 * time.Millisecond,
		Next: func(context.Context) ([]byte, error) {
			if sent == n {
				return nil, io.EOF
			}
			sent++
			return b.next(), nil
		},
		Acknowledged: func([]byte) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.acked++
		},
	}
	return an.Run(ctx)
}

// arrived waits until the server has a report for each message that was
// acknowledged, and fails if it gets another or one twice.
func (l *lab) arrived() {
	l.t.Helper()
	want := 0
	for _, b := range l.benches {
		b.mu.Lock()
		want += b.acked
		b.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if err := l.server.Wait(ctx, "DiagnosticReport", want); err != nil {
		l.t.Fatalf("%d of %d messages arrived: %v", l.server.Len("DiagnosticReport"), want, err)
	}
	if got := l.server.Len("DiagnosticReport"); got != want {
		l.t.Fatalf("%d messages were acknowledged, %d reports are there", want, got)
	}
	for _, twice := range l.server.Duplicates() {
		if strings.Contains(twice, "urn:labcourier") {
			l.t.Errorf("twice: %s", twice)
		}
	}
	l.t.Logf("%d messages acknowledged, each on the server once", want)
}

// container is a Debian that systemd boots.
type container struct {
	t      *testing.T
	args   []string
	said   bytes.Buffer
	nspawn *exec.Cmd
	leader string // its process 1, seen from here
}

// boot boots the tree in dir, with line as its serial line. The network is this
// machine's: what the analyzers connect to is the agent's own listener.
func boot(t *testing.T, dir, line string) *container {
	c := &container{t: t, args: []string{
		"--quiet", "--boot", "--register=no", "--keep-unit", fmt.Sprint("--machine=labcourier-ci-", os.Getpid()), // others may run this beside us
		"--directory=" + filepath.Join(dir, "tree"), "--bind-ro=" + dir + ":/packages", "--bind=" + line + ":/dev/ttyLAB0",
	}}
	c.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.ask("journalctl", "--no-pager", "--unit=labcourier", "--lines=60"))
			t.Log(c.said.String())
		}
		_ = c.nspawn.Process.Signal(os.Interrupt)
		_ = exec.Command("kill", "-9", c.leader).Run()
		_ = c.nspawn.Wait()
	})
	return c
}

// start boots the container and waits until it is up.
func (c *container) start() {
	c.t.Helper()
	c.leader = ""
	c.nspawn = exec.Command("systemd-nspawn", c.args...)
	c.nspawn.Stdout, c.nspawn.Stderr = &c.said, &c.said
	if err := c.nspawn.Start(); err != nil {
		c.t.Fatal(err)
	}
	for late := time.Now().Add(patience); time.Now().Before(late); <-time.After(200 * time.Millisecond) {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.nspawn.Process.Pid))
		c.leader, _, _ = strings.Cut(strings.TrimSpace(string(children)), " ")
		if c.leader != "" && c.ask("systemctl", "is-active", "multi-user.target") == "active" {
			return
		}
	}
	c.t.Fatal("the container does not come up")
}

func (c *container) reboot() {
	c.t.Helper()
	_ = c.command("", "systemctl", "reboot").Run() // it may not live to see its end
	ended := make(chan struct{})
	go func() {
		_ = c.nspawn.Wait() // with 133, which asks to be started again
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		c.t.Fatal("the container does not go down")
	}
	c.start()
}

func (c *container) command(in string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c.t.Cleanup(cancel)
	inside := append([]string{"--target=" + c.leader, "--all", "--", "/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER="}, args...)
	cmd := exec.CommandContext(ctx, "nsenter", inside...)
	cmd.Stdin, cmd.WaitDelay = strings.NewReader(in), time.Second
	return cmd
}

// do runs a command inside, which must succeed.
func (c *container) do(in string, args ...string) {
	c.t.Helper()
	if args[0] == "tee" {
		c.do("", "mkdir", "--parents", filepath.Dir(args[1]))
	}
	if out, err := c.command(in, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// documented runs a block of commands of the install page inside, as root, with
// words replaced by others.
func (c *container) documented(heading string, block int, replace ...string) {
	c.t.Helper()
	page, err := os.ReadFile("INSTALL.md")
	if err != nil {
		c.t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```sh\n")
	if !ok || len(blocks) < block+2 {
		c.t.Fatalf("the install page has no block %d under %s", block, heading)
	}
	text, _, _ := strings.Cut(blocks[block+1], "```")
	text = strings.NewReplacer(append(replace, "sudo ", "")...).Replace(text)
	c.do("set -ex\ncd /root\n"+text, "sh", "-s")
}

// refused runs a command inside that must fail, and returns what it says.
func (c *container) refused(args ...string) string {
	c.t.Helper()
	out, err := c.command("", args...).CombinedOutput()
	if err == nil {
		c.t.Errorf("%s succeeds", strings.Join(args, " "))
	}
	return string(out)
}

// ask runs a command inside and returns what it says, whether it succeeds or not.
func (c *container) ask(args ...string) string {
	out, _ := c.command("", args...).Output()
	return strings.TrimSpace(string(out))
}

// want waits until a command says this.
func (c *container) want(answer string, args ...string) {
	c.t.Helper()
	var said string
	for late := time.Now().Add(patience); time.Now().Before(late); <-time.After(200 * time.Millisecond) {
		if said = c.ask(args...); said == answer {
			return
		}
	}
	c.t.Fatalf("%s says %q, not %q", strings.Join(args, " "), said, answer)
}
