package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Change gives a resource a new version, as some other client with every right
// would, without a request: somebody's correction by hand.
func (s *Server) Change(typ, id string, raw json.RawMessage) error {
	d, out := parseDraft(typ, raw)
	if out != nil {
		return fmt.Errorf("change %s in the sandbox: %s %s", typ, out.text, out.expression)
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.store.get(typ, id) == nil {
		return fmt.Errorf("change %s in the sandbox: there is none with this id", typ)
	}
	s.commit(result{status: 200, res: d.build(id, `"ClientApplication/other"`, s.o.Now()), write: true})
	return nil
}

// Remove deletes a resource, as some other client would. It reports whether there
// was one.
func (s *Server) Remove(typ, id string) bool {
	s.writer.Lock()
	defer s.writer.Unlock()
	return s.store.remove(typ, id)
}

// remove makes a type's table anew without a resource.
func (s *store) remove(typ, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.tables[typ]
	if old == nil || !slices.ContainsFunc(old.rows, func(r *resource) bool { return r.id == id }) {
		return false
	}
	t := &table{byID: map[string]int{}, byValue: map[string][]int{}}
	for _, r := range old.rows {
		if r.id != id {
			t.put(r)
		}
	}
	s.tables[typ] = t
	return true
}
