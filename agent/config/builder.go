package config

import (
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"
)

// builder turns what the parser reads into the document's tree.
type builder struct {
	doc *document
	p   *unstable.Parser
}

// part is one part of a dotted key.
type part struct {
	name string
	at   place
	end  int // offset
}

func (b builder) path(e *unstable.Node) []part {
	var parts []part
	for it := e.Key(); it.Next(); {
		k := it.Node()
		parts = append(parts, part{string(k.Data), b.doc.place(int(k.Raw.Offset)), int(k.Raw.Offset + k.Raw.Length)})
	}
	return parts
}

func (b builder) clash(at place, earlier *node, problem, hint string) {
	problem = fmt.Sprintf("%s (line %d)", problem, earlier.at.line)
	b.doc.clashes = append(b.doc.clashes, flaw{at, problem, hint})
}

// header returns the table that a [header] or [[header]] opens. After a clash
// it is one outside the tree, which takes the keys that follow.
func (b builder) header(parts []part, list bool) *node {
	lost := newTable(parts[0].at, headed)
	table := b.descend(b.doc.root, parts[:len(parts)-1], implied)
	if table == nil {
		return lost
	}
	last := parts[len(parts)-1]
	old := table.get(last.name)
	switch {
	case list && (old == nil || old.kind == isList && old.tables):
		if old == nil {
			old = &node{kind: isList, at: parts[0].at, tables: true}
			table.set(last.name, old)
		}
		item := newTable(parts[0].at, headed)
		old.items = append(old.items, item)
		return item
	case list:
		b.clash(last.at, old, "this table is one of a list, but an earlier one of that name is not", brackets(last.name))
	case old == nil:
		t := newTable(parts[0].at, headed)
		table.set(last.name, t)
		return t
	case old.kind == isTable && old.origin == implied:
		old.origin, old.at = headed, parts[0].at
		return old
	case old.kind == isList && old.tables:
		b.clash(last.at, old, "this table has single brackets, but an earlier one of that name has double brackets", brackets(last.name))
	default:
		b.clash(last.at, old, "this table was given before", "keep one and move the other's keys into it")
	}
	return lost
}

// brackets is the hint to a table that was given with both kinds of brackets.
func brackets(name string) string {
	if name == "analyzer" {
		return "write double brackets around the name each time: [[analyzer]]"
	}
	return "write its name with the same brackets each time: single ones for a table, double ones for each of a list of tables"
}

// descend follows parts down from t and makes the tables that are missing. It
// returns nil after a clash.
func (b builder) descend(t *node, parts []part, o origin) *node {
	for _, p := range parts {
		next := t.get(p.name)
		if next != nil && next.kind == isList && next.tables {
			next = next.items[len(next.items)-1]
		}
		switch {
		case next == nil:
			next = newTable(p.at, o)
			t.set(p.name, next)
		case next.kind != isTable || next.origin == enclosed:
			b.clash(p.at, next, "nothing can be added here to what was given before", "write the whole table in one place")
			return nil
		}
		t = next
	}
	return t
}

// assign puts `key = value` into table.
func (b builder) assign(table *node, e *unstable.Node) {
	parts := b.path(e)
	last := parts[len(parts)-1]
	table = b.descend(table, parts[:len(parts)-1], dotted)
	if table == nil {
		return
	}
	if old := table.get(last.name); old != nil {
		b.clash(last.at, old, "this key was given before", "keep one of the two")
		return
	}
	table.set(last.name, b.value(e.Value(), last.at))
}

// value makes the node of a value that is named, or listed, at that place.
func (b builder) value(v *unstable.Node, at place) *node {
	switch v.Kind {
	case unstable.InlineTable:
		t := newTable(at, enclosed)
		for it := v.Children(); it.Next(); {
			b.assign(t, it.Node())
		}
		return t
	case unstable.Array:
		l := &node{kind: isList, at: at}
		for it := v.Children(); it.Next(); {
			l.items = append(l.items, b.value(it.Node(), b.elementPlace(it.Node(), at)))
		}
		return l
	}
	return &node{kind: scalar(v.Kind), at: at, text: string(v.Data), spoiled: b.doc.aside[at.line]}
}

// elementPlace is where an element of a list stands. The parser does not give
// the place of a list in a list: it is taken to be that of the outer one.
func (b builder) elementPlace(v *unstable.Node, outer place) place {
	if v.Raw.Length == 0 {
		return outer
	}
	return b.doc.place(int(v.Raw.Offset))
}

func scalar(k unstable.Kind) kind {
	switch k {
	case unstable.String:
		return isText
	case unstable.Integer:
		return isInteger
	case unstable.Float:
		return isFloat
	case unstable.Bool:
		return isBool
	}
	return isMoment
}
