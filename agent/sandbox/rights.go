package sandbox

import (
	"slices"
	"sync"
)

// Interactions that a client can be permitted.
const (
	Create = "create"
	Read   = "read"
	Search = "search"
	Update = "update"
)

// rights is the client's access policy: interactions by resource type.
type rights struct {
	mu    sync.RWMutex
	table map[string][]string
}

// defaultRights is the access policy that labcourier ships: enough for
// conditional creates of results, and nothing else.
func defaultRights() map[string][]string {
	t := map[string][]string{}
	for _, typ := range []string{"Device", "Specimen", "Observation", "DiagnosticReport"} {
		t[typ] = []string{Create, Read, Search}
	}
	return t
}

// Permit sets what the client may do with a type; without interactions it may
// do nothing, and gets 403.
func (s *Server) Permit(typ string, interactions ...string) {
	s.rights.mu.Lock()
	defer s.rights.mu.Unlock()
	s.rights.table[typ] = slices.Clone(interactions)
}

// Forbid takes every right on a type away.
func (s *Server) Forbid(typ string) { s.Permit(typ) }

// may refuses what the client has no right to.
func (s *Server) may(typ string, interactions ...string) *outcome {
	s.rights.mu.RLock()
	defer s.rights.mu.RUnlock()
	for _, i := range interactions {
		if !slices.Contains(s.rights.table[typ], i) {
			return forbidden()
		}
	}
	return nil
}
