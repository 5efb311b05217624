package folder

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options describe one folder.
type Options struct {
	Path    string // the folder
	Pattern string // which files, as path.Match; upper and lower case are the same
	Done    string // where files go: a folder in Path, or an absolute path on the same disk or share

	// Settle is for how long size and time of a file do not change before it is
	// taken for whole. 0 means DefaultSettle.
	Settle time.Duration

	// Keep is how long files are kept in Done. 0: for ever, and Done has no day
	// folders.
	Keep time.Duration

	// MaxFile is the largest file that is read, in bytes. 0 means DefaultMaxFile.
	MaxFile int64

	// Journal is the file that remembers, across restarts, which files are being
	// taken. It must not lie in Path.
	Journal string
}

// Defaults of Options.
const (
	DefaultPattern = "*"
	DefaultDone    = "done"
	DefaultSettle  = 2 * time.Second
	DefaultMaxFile = 64 << 20
)

func (o Options) withDefaults() Options {
	if o.Pattern == "" {
		o.Pattern = DefaultPattern
	}
	if o.Done == "" {
		o.Done = DefaultDone
	}
	if o.Settle == 0 {
		o.Settle = DefaultSettle
	}
	if o.MaxFile == 0 {
		o.MaxFile = DefaultMaxFile
	}
	return o
}

// done is the folder of files that are stored.
func (o Options) done() string {
	if filepath.IsAbs(o.Done) {
		return o.Done
	}
	return filepath.Join(o.Path, o.Done)
}

// target is the folder to which a file is moved now.
func (o Options) target(now time.Time) string {
	if o.Keep == 0 {
		return o.done()
	}
	return filepath.Join(o.done(), now.Format(dayFormat))
}

// dayFormat names the day folders.
const dayFormat = "2006-01-02"

// unfinished are the names under which programs write a file before they give it
// its own.
func unfinished() []string { return []string{".tmp", ".temp", ".part", ".partial", ".filepart"} }

// wants reports whether a file of that name is to be read. Hidden files and those
// that a program is still writing under another name are wanted only by a pattern
// that spells that out.
func (o Options) wants(name string) bool {
	name, pattern := strings.ToLower(name), strings.ToLower(o.Pattern)
	if ok, err := filepath.Match(pattern, name); !ok || err != nil {
		return false
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") {
		return pattern[0] == name[0]
	}
	ext := filepath.Ext(name)
	return !slices.Contains(unfinished(), ext) || filepath.Ext(pattern) == ext
}
