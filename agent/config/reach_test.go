package config

import (
	"path/filepath"
	"testing"
)

// TestReachOf: whatever is wrong with a file, the agent is found by what is right in it.
func TestReachOf(t *testing.T) {
	const listen = "127.0.0.1:8686"
	for name, c := range map[string]struct{ text, dataDir, listen string }{
		"in order":           {"[agent]\nname = \"lab\"\ndata_dir = \"d\"\n[status]\nlisten = \"127.0.0.1:1\"\n", "d", "127.0.0.1:1"},
		"defaults":           {"[agent]\nname = \"lab\"\n", "", listen},
		"faults elsewhere":   {"[agent]\ndata_dir = \"d\"\n[sever]\nurl = 1\n[[analyzer]]\ndirver = 2\n[status]\nlisten = \"127.0.0.1:1\"\n", "d", "127.0.0.1:1"},
		"an open quote":      {"[status]\nlisten = \"127.0.0.1:1\"\n[agent]\nname = \"lab\ndata_dir = \"d\"\n", "d", "127.0.0.1:1"},
		"an open list":       {"[agent]\ndata_dir = \"d\"\n[orders]\nx = [1,\n[status]\nlisten = \"127.0.0.1:1\"\n", "d", listen},
		"of the wrong types": {"[agent]\ndata_dir = 1\n[status]\nlisten = [2]\n", "", listen},
		"an open value":      {"agent.data_dir = \nstatus.listen = \"127.0.0.1:1\"\n", "", "127.0.0.1:1"},
		"no tables":          {"agent = 1\nstatus = \"x\"\n", "", listen},
		"nothing":            {"", "", listen},
		"UTF-16":             {"\xff\xfe[\x00", "", listen},
		"no UTF-8":           {"# \xff\n[status]\nlisten = \"127.0.0.1:1\"\n", "", listen},
		"a mark of UTF-8":    {"\xef\xbb\xbf[status]\nlisten = \"127.0.0.1:1\"\n", "", "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			want := Reach{DefaultDataDir(), c.listen}
			if c.dataDir != "" {
				want.DataDir = filepath.Join(dir, c.dataDir)
			}
			if got := reachOf(filepath.Join(dir, "lab.toml"), []byte(c.text)); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	if got := ReachOf(filepath.Join(t.TempDir(), "none.toml")); got != (Reach{DefaultDataDir(), listen}) {
		t.Errorf("no file: %+v", got)
	}
}
