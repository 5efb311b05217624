package config

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// checker judges what a document means.
type checker struct {
	file     string
	dir      string // where relative paths start
	kinds    []drivers.Kind
	profiles fs.FS // NAME.toml each
	bad      map[badKey]bool
	faults   []Fault
	warnings []Fault
	secrets  []SecretUse
	learn    *learnt // what Schema is made of; else nil
}

func newChecker(file string, kinds []drivers.Kind, profiles fs.FS) *checker {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil { // no working directory
		dir = filepath.Dir(file)
	}
	return &checker{file: file, dir: dir, kinds: kinds, profiles: profiles, bad: map[badKey]bool{}}
}

// faulty reports whether something was told of that line.
func (c *checker) faulty(line int) bool {
	return slices.ContainsFunc(c.faults, func(f Fault) bool { return f.Line == line })
}

func (c *checker) reader() *reader {
	return &reader{bad: c.bad, fault: func(n *node, p path, problem, hint string) {
		c.faults = append(c.faults, faultOf(n, c.file, p, problem, hint))
	}}
}

// abs is a path of the file, made absolute.
func (c *checker) abs(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// table is one table of the file while it is judged.
type table struct {
	c    *checker
	n    *node // nil: it is not there
	at   place // of its header or key; where it is not there, of the table that it belongs in
	path path
	told bool // it is not there under its name, and was told already
}

// sub is the table at a key of t.
func (t table) sub(key string) table {
	n := t.n.get(key)
	if n == nil {
		return table{t.c, nil, t.at, t.path.sub(key), t.c.bad[badKey{t.n, key}]}
	}
	return table{t.c, n, n.at, t.path.sub(key), false}
}

// read reads t into dst, a pointer to a struct, which gets its defaults first.
func (t table) read(dst any, others ...string) {
	t.c.learn.table(t.path, dst, others)
	if d, ok := dst.(defaulter); ok {
		d.setDefaults()
	}
	if t.n == nil || t.n.spoiled {
		return
	}
	v := reflect.ValueOf(dst).Elem()
	if t.n.kind != isTable {
		t.c.reader().mismatch(t.n, t.path, v.Type())
		return
	}
	t.c.reader().table(t.n, t.path, v, others...)
}

// has reports whether key is there, readable or not, or was meant to be.
func (t table) has(key string) bool { return t.n.get(key) != nil || t.c.bad[badKey{t.n, key}] }

// gone reports whether nothing can be said about the keys of t: it is not
// there, or is no table.
func (t table) gone() bool { return t.n == nil || t.n.kind != isTable }

// fault notes a mistake at key, or of t itself if key is empty. A key that was
// told already is passed over.
func (t table) fault(key, problem, hint string) {
	if f, ok := t.note(key, problem, hint); ok {
		t.c.faults = append(t.c.faults, f)
	}
}

// warn notes a warning as fault notes a mistake.
func (t table) warn(key, problem, hint string) {
	if f, ok := t.note(key, problem, hint); ok {
		t.c.warnings = append(t.c.warnings, f)
	}
}

func (t table) note(key, problem, hint string) (Fault, bool) {
	if t.told {
		return Fault{}, false
	}
	about, p := t.n, t.path
	if key != "" {
		if t.c.bad[badKey{t.n, key}] {
			return Fault{}, false
		}
		p, about = t.path.sub(key), t.n.get(key)
	}
	if about == nil || key == "" && t.n.from == "" {
		return newFault(t.c.file, t.at, p, problem, hint), true
	}
	return faultOf(about, t.c.file, p, problem, hint), true
}

// need reports whether key is there; it is a fault if not. The hint says what
// to write.
func (t table) need(key, value, hint string) bool {
	switch {
	case !t.has(key):
		t.fault(key, "is missing", hint)
		return false
	case value == "":
		t.fault(key, "is empty", hint)
		return false
	}
	return true
}

// oneOf checks that the value at key is one of words.
func (t table) oneOf(key, value string, words ...string) {
	t.c.learn.choice(t.path, key, words)
	if !slices.Contains(words, value) {
		_, hint := meant(value, words)
		t.fault(key, "must be "+quoted(words), hint)
	}
}

// span checks the range of a time span.
func (t table) span(key string, value, low, high time.Duration) {
	if value < low || value > high {
		t.fault(key, fmt.Sprintf("must be from %q to %q", spanText(low), spanText(high)), "give a time span in that range, or remove the key for the default")
	}
}

// size checks the range of a size.
func (t table) size(key string, value, low, high Size) {
	if value < low || value > high {
		t.fault(key, fmt.Sprintf("must be from %q to %q", low, high), "give a size in that range, or remove the key for the default")
	}
}

// number checks the range of a number.
func (t table) number(key string, value, low, high int) {
	t.c.learn.number(t.path, key, low, high)
	if value < low || value > high {
		t.fault(key, fmt.Sprintf("must be from %d to %d", low, high), "give a number in that range, or remove the key for the default")
	}
}

// name checks what is used as a name in identifiers and on the command line.
func (t table) name(key, value, example string) {
	if t.need(key, value, fmt.Sprintf("give it a name such as %q", example)) && !properName(value) {
		t.fault(key, "must begin with a letter or digit and hold only letters (A to Z), digits, - _ . and no more than 64 of them",
			"the name becomes part of identifiers: choose one in plain letters")
	}
}

// properName reports whether name may be the name of an agent or an analyzer.
func properName(name string) bool {
	if name == "" || len(name) > 64 || strings.ContainsRune("-_.", rune(name[0])) {
		return false
	}
	for i := range len(name) {
		if !isBare(name[i]) && name[i] != '.' {
			return false
		}
	}
	return true
}
