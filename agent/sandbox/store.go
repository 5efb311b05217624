package sandbox

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// resource is one version of a resource. It never changes.
type resource struct {
	typ, id, version string
	updated          time.Time
	raw              []byte
	identifiers      []Identifier
}

func (r *resource) ref() string { return r.typ + "/" + r.id }

// table holds the resources of a type in the order of their creation.
type table struct {
	rows    []*resource
	byID    map[string]int
	byValue map[string][]int // rows by identifier value, whatever the system
}

// store holds the current version of every resource.
type store struct {
	mu     sync.RWMutex
	tables map[string]*table
}

func newStore() *store { return &store{tables: map[string]*table{}} }

// put adds the resources, or replaces those of the same type and id, at once.
func (s *store) put(rs ...*resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rs {
		t := s.tables[r.typ]
		if t == nil {
			t = &table{byID: map[string]int{}, byValue: map[string][]int{}}
			s.tables[r.typ] = t
		}
		t.put(r)
	}
}

func (t *table) put(r *resource) {
	row, ok := t.byID[r.id]
	if ok {
		for _, id := range t.rows[row].identifiers {
			t.byValue[id.Value] = slices.DeleteFunc(t.byValue[id.Value], func(n int) bool { return n == row })
		}
		t.rows[row] = r
	} else {
		row = len(t.rows)
		t.rows = append(t.rows, r)
		t.byID[r.id] = row
	}
	for _, id := range r.identifiers {
		rows := t.byValue[id.Value]
		if at, has := slices.BinarySearch(rows, row); !has {
			t.byValue[id.Value] = slices.Insert(rows, at, row)
		}
	}
}

// get returns the resource, or nil.
func (s *store) get(typ, id string) *resource {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tables[typ]; t != nil {
		if row, ok := t.byID[id]; ok {
			return t.rows[row]
		}
	}
	return nil
}

// all returns the resources of a type in the order of their creation.
func (s *store) all(typ string) []*resource {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tables[typ]; t != nil {
		return slices.Clone(t.rows)
	}
	return nil
}

func (s *store) count(typ string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tables[typ]; t != nil {
		return len(t.rows)
	}
	return 0
}

func (s *store) types() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for name := range s.tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// search returns the resources that match q in the order of their creation, at
// most limit of them from the offset on, and how many match. Limit < 0: all.
func (s *store) search(q query) (found []*resource, total int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[q.typ]
	if t == nil {
		return nil, 0
	}
	visit := func(r *resource) {
		if !q.matches(r) {
			return
		}
		total++
		if total > q.offset && (q.limit < 0 || len(found) < q.limit) {
			found = append(found, r)
		}
	}
	rows, indexed := q.candidates(t)
	switch {
	case indexed:
		if q.newestFirst {
			slices.Reverse(rows)
		}
		for _, row := range rows {
			visit(t.rows[row])
		}
	case q.newestFirst:
		for _, r := range slices.Backward(t.rows) {
			visit(r)
		}
	default:
		for _, r := range t.rows {
			visit(r)
		}
	}
	return found, total
}

// parseIdentifiers reads an identifier member: a list, or one as a few types
// have it.
func parseIdentifiers(b []byte) ([]Identifier, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] == '{' {
		one := make([]Identifier, 1)
		err := json.Unmarshal(b, &one[0])
		return one, err
	}
	var list []Identifier
	err := json.Unmarshal(b, &list)
	return list, err
}
