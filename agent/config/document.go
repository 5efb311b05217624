package config

import (
	"errors"
	"slices"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// kind is what a value of the file is, in the words of the messages.
type kind string

const (
	isText    kind = "text"
	isInteger kind = "a whole number"
	isFloat   kind = "a number with a decimal point"
	isBool    kind = "true or false"
	isMoment  kind = "a date or time"
	isList    kind = "a list"
	isTable   kind = "a table"
)

// node is one value of the document. It does not change once the document is
// built.
type node struct {
	kind kind
	at   place  // of the key that names it, or of the element of a list
	text string // of a scalar: the content of a text, else as written

	// spoiled marks what stands for a value that could not be read, which was
	// told already.
	spoiled bool

	// from is the profile that the value comes from, "" for the file itself.
	from string

	names  []string         // of a table: its keys in the file's order
	keys   map[string]*node // of a table
	origin origin           // of a table
	items  []*node          // of a list
	tables bool             // of a list: made by [[headers]]
}

// origin is how a table came to be, which decides what may add to it.
type origin uint8

const (
	implied  origin = iota // by a header below it
	headed                 // by its own [header]
	dotted                 // by a dotted key
	enclosed               // { }
)

func newTable(at place, o origin) *node {
	return &node{kind: isTable, at: at, keys: map[string]*node{}, origin: o}
}

func (n *node) set(name string, v *node) {
	n.names = append(n.names, name)
	n.keys[name] = v
}

// get returns the value at key, nil if there is none. It may be called on a
// table that is not there.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	return n.keys[key]
}

// flaw is a mistake in the document that is not about the meaning of keys.
type flaw struct {
	at            place
	problem, hint string
}

// document is a file as a tree in which every value has its place.
type document struct {
	source
	root    *node
	clashes []flaw       // keys and tables given twice
	slips   []flaw       // mistakes of syntax
	aside   map[int]bool // lines whose value was put aside because of one
	whole   bool         // the tree holds the whole file
}

// maxSlips bounds how often reading starts over after a mistake of syntax.
const maxSlips = 25

// readDocument reads text, which it may change.
func readDocument(text []byte) *document {
	d := &document{source: newSource(text), aside: map[int]bool{}}
	for !d.whole && len(d.slips) < maxSlips {
		err, begins := d.build()
		if err == nil {
			d.whole = true
			break
		}
		if !d.slip(err, begins) {
			break
		}
	}
	return d
}

// flaws is what is wrong with the document, whatever it means.
func (d *document) flaws() []flaw { return slices.Concat(d.slips, d.clashes) }

// lastWord lets the library judge what this package found to be in order: its
// rules on values, and on which table may be added to, are finer. It may be
// asked only if there are no flaws.
func (d *document) lastWord() (flaw, bool) {
	var all any
	err := toml.Unmarshal(d.text, &all)
	if err == nil {
		return flaw{}, false
	}
	f := flaw{place{1, 1}, "this is not valid TOML: a value that cannot be, or a key that clashes with an earlier one",
		"check numbers and dates, and that each table is written in one place only"}
	if de, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := de.Position()
		f.at = place{line, column}
	}
	return f, true
}

// build makes the tree. After an error it also returns the line on which the
// statement in error begins.
func (d *document) build() (_ *unstable.ParserError, begins int) {
	var p unstable.Parser
	p.Reset(d.text)
	d.root, d.clashes = newTable(place{1, 1}, headed), nil
	b := builder{d, &p}
	table, end := d.root, 0
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.KeyValue {
			b.assign(table, e)
			end = int(e.Raw.Offset + e.Raw.Length)
			continue
		}
		parts := b.path(e)
		table = b.header(parts, e.Kind == unstable.ArrayTable)
		end = parts[len(parts)-1].end
	}
	if err, ok := errors.AsType[*unstable.ParserError](p.Error()); ok {
		return err, d.statementAfter(end)
	}
	return nil, 0
}
