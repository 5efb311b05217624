package doctor_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/doctor"
	"github.com/labcourier/labcourier/spool"
)

func TestLocal(t *testing.T) {
	open := func(t *testing.T, dir string) {
		s, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{Reserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
	}
	for name, c := range map[string]struct {
		set     func(t *testing.T, cfg *config.Config)
		running bool
		want    []string
	}{
		"first time": {want: []string{"fine data", "fine spool: there is none yet", "fine admin: there is no admin token yet", "fine disk", "! wrong"}},
		"not there":  {set: func(_ *testing.T, cfg *config.Config) { cfg.Agent.DataDir += "/data" }, want: []string{"fine data: ", "not there yet"}},
		"nor above":  {set: func(_ *testing.T, cfg *config.Config) { cfg.Agent.DataDir += "/no/data" }, want: []string{"wrong data: neither"}},
		"a file": {set: func(t *testing.T, cfg *config.Config) {
			cfg.Agent.DataDir += "/file"
			write(t, cfg.Agent.DataDir, "x")
		}, want: []string{"wrong data: ", "is not a directory"}},
		"disk":        {set: func(_ *testing.T, cfg *config.Config) { cfg.Spool.Reserve = 1 << 60 }, want: []string{"wrong disk: ", "analyzers are refused"}},
		"disk, soon":  {set: func(_ *testing.T, cfg *config.Config) { cfg.Spool.Warn = 1 << 60 }, want: []string{"warning disk: "}},
		"in use":      {set: func(t *testing.T, cfg *config.Config) { open(t, cfg.Agent.DataDir) }, want: []string{"wrong spool: spool ", "in use by process"}},
		"by agent":    {set: func(t *testing.T, cfg *config.Config) { open(t, cfg.Agent.DataDir) }, running: true, want: []string{"fine spool", "in use by the running agent", "wrong admin: there is no admin token"}},
		"other agent": {set: func(t *testing.T, cfg *config.Config) { write(t, filepath.Join(cfg.Agent.DataDir, "spool.db"), "x") }, running: true, want: []string{"warning spool: an agent answers", "it does not use"}},
		"free":        {set: func(t *testing.T, cfg *config.Config) { write(t, filepath.Join(cfg.Agent.DataDir, "spool.db"), "x") }, want: []string{"fine spool", "in use by nobody"}},
		"kept": {set: func(t *testing.T, cfg *config.Config) {
			write(t, filepath.Join(cfg.Agent.DataDir, "spool.db.format1-20261122T103000Z.bak"), "x")
		}, want: []string{"fine spool: from before an upgrade", "format1-20261122T103000Z.bak is kept until 2026-12-22: 0 MiB"}},
		"admin": {set: func(t *testing.T, cfg *config.Config) {
			write(t, filepath.Join(cfg.Agent.DataDir, "admin-token"), "short")
		}, want: []string{"wrong admin: admin token admin-token is damaged"}},
		"secret": {set: func(_ *testing.T, cfg *config.Config) {
			cfg.Secrets = []config.SecretUse{
				{Key: "server.auth.password_file", Secret: config.FileSecret("/no/such/file")}, {Key: "server.auth.client_secret", Secret: config.Inline("hunter2")}}
		}, want: []string{"wrong secret: server.auth.password_file", "fine secret: server.auth.client_secret can be read", "! hunter2"}},
		"secret of the shadow": {set: func(_ *testing.T, cfg *config.Config) {
			cfg.Secrets = []config.SecretUse{{Key: "shadow.auth.password_file", Secret: config.FileSecret("/no/such/file")}}
		}, want: []string{"warning secret: shadow.auth.password_file", "! wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &config.Config{}
			cfg.Agent.DataDir = t.TempDir()
			if err := os.Chmod(cfg.Agent.DataDir, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.set != nil {
				c.set(t, cfg)
			}
			var said findings
			doctor.Local(cfg, "spool.db", c.running, func(f doctor.Finding) { said = append(said, f) })
			said.expect(t, c.want...)
			if left, _ := filepath.Glob(filepath.Join(cfg.Agent.DataDir, ".doctor-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
