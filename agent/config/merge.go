package config

import "slices"

// merged is own with what it does not say itself taken from def, key by key and
// table by table. Own is not changed: the document may be looked at again. Keys
// of own keep their order and come first.
func merged(own, def *node) *node {
	m := newTable(own.at, own.origin)
	for _, name := range own.names {
		v := own.keys[name]
		if d := def.get(name); d != nil && v.kind == isTable && d.kind == isTable {
			v = merged(v, d)
		}
		m.set(name, v)
	}
	for _, name := range def.names {
		if own.get(name) == nil {
			m.set(name, def.keys[name])
		}
	}
	return m
}

// without is the table n without those keys.
func (n *node) without(keys ...string) *node {
	m := *n
	m.names, m.keys = nil, map[string]*node{}
	for _, name := range n.names {
		if !slices.Contains(keys, name) {
			m.set(name, n.keys[name])
		}
	}
	return &m
}

// lent is n as a value of the profile of that name: where it stands in the file
// is where the profile is named.
func (n *node) lent(profile string, at place) *node {
	m := *n
	m.at, m.from = at, profile
	if n.kind == isTable {
		m.keys = make(map[string]*node, len(n.keys))
		for name, v := range n.keys {
			m.keys[name] = v.lent(profile, at)
		}
	}
	m.items = nil
	for _, item := range n.items {
		m.items = append(m.items, item.lent(profile, at))
	}
	return &m
}

// lender is the profile that n, or some of what is in it, comes from; "" if all
// of it is the file's own.
func (n *node) lender() string {
	if n == nil {
		return ""
	}
	for _, name := range n.names {
		if from := n.keys[name].lender(); n.from == "" && from != "" {
			return from
		}
	}
	return n.from
}
