package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/labcourier/labcourier/drivers/porttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"labcourier": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := (&program{in: os.Stdin, out: os.Stdout, err: os.Stderr}).main(ctx, os.Args[1:])
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs the command line as a person would; see testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel() // its time goes by waiting
	commands := map[string]func(*testscript.TestScript, bool, []string){"until": scriptUntil}
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: commands, Setup: func(e *testscript.Env) error {
		free := porttest.Reserve(t, 4)
		e.Setenv("ANALYZER", free[0])
		e.Setenv("STATUS", free[1])
		e.Setenv("TAP", free[3])
		lab := fmt.Sprintf(`[agent]
name = "lab"
data_dir = "data"
[server]
url = "http://%s/fhir/R4" # nobody is there
[server.auth]
method = "basic"
username = "u"
password_env = "LAB_PASSWORD"
[status]
listen = %q
[[analyzer]]
name = "xn-550"
driver = "astm"
tcp = { listen = %q }
timezone = "Europe/Zurich"
charset = "iso-8859-1"
`, free[2], free[1], free[0])
		e.Setenv("LAB_PASSWORD", "secret")
		if err := os.WriteFile(filepath.Join(e.WorkDir, "bare.toml"), []byte(lab+"astm = { framing = \"none\", answer = \"ack\" }\n"), 0o600); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(e.WorkDir, "lab.toml"), []byte(lab), 0o600)
	}})
}

// scriptUntil is `until PATTERN COMMAND...`: it runs the command again and again,
// until what that writes has the pattern.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("never in %q: %s, %v", args[1:], args[0], err)
		}
	}
}
