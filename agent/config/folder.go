package config

import (
	"path/filepath"
	"strings"
	"time"
)

// folder checks the folder of an analyzer. Whether it is there is not looked at: a
// share that is away must not keep the agent from starting.
func (t table) folder(a *Analyzer) {
	f := a.Folder
	f.fault = func(key, problem, hint string) Fault {
		about, p := t.n.get(key), t.path.sub(key)
		if about == nil {
			return newFault(t.c.file, t.at, p, problem, hint)
		}
		return faultOf(about, t.c.file, p, problem, hint)
	}
	const where = `name the folder: path = "/srv/analyzer/out", 'D:\export' or '\\server\share\export'`
	if t.need("path", f.Path, where) && t.filePath("path", f.Path) {
		f.Path = t.c.abs(f.Path)
	}
	if _, err := filepath.Match(f.Pattern, "x"); err != nil || f.Pattern == "" || strings.ContainsAny(f.Pattern, `/\`) && t.has("pattern") {
		t.fault("pattern", "must be a pattern of file names, without folders", `use * for any characters and ? for one: "*.csv", "result_*.txt"`)
	}
	t.filePath("done", f.Done)
	if done := filepath.Clean(filepath.Join(f.Path, f.Done)); f.Done != "" && (done == f.Path || filepath.Clean(f.Done) == f.Path) {
		t.fault("done", "is the folder itself: files that were read must go somewhere else", `use done = "done", a folder in it`)
	}
	t.span("settle", f.Settle, 100*time.Millisecond, 10*time.Minute)
	if t.has("keep") {
		t.span("keep", f.Keep, 24*time.Hour, 10*365*24*time.Hour)
	}
	t.size("max_file", f.MaxFile, KiB, 256*MiB)
}

// folders gives each folder its journal, once it is known where that goes.
func (c *Config) folders() {
	for _, a := range c.Analyzers {
		if a.Folder != nil {
			a.Folder.Journal = filepath.Join(c.Agent.DataDir, "folders", a.Name+".json")
		}
	}
}
