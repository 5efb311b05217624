package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Identifier is a resource's business identifier.
type Identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// String is the identifier as a search writes it: system|value.
func (i Identifier) String() string { return i.System + "|" + i.Value }

// Resource is a stored resource, with the text of its numbers as it was sent.
// Raw must not be changed.
type Resource struct {
	Type        string
	ID          string
	Identifiers []Identifier
	Raw         json.RawMessage
}

func (r *resource) public() Resource {
	return Resource{Type: r.typ, ID: r.id, Identifiers: r.identifiers, Raw: r.raw}
}

// Resources returns the resources of a type in the order of their creation.
func (s *Server) Resources(typ string) []Resource {
	rows := s.store.all(typ)
	out := make([]Resource, len(rows))
	for i, r := range rows {
		out[i] = r.public()
	}
	return out
}

// Len tells how many resources of a type there are.
func (s *Server) Len(typ string) int { return s.store.count(typ) }

// ByIdentifier returns the resources of every type with that identifier.
func (s *Server) ByIdentifier(system, value string) []Resource {
	var out []Resource
	for _, typ := range s.store.types() {
		found, _ := s.store.search(query{
			typ: typ, limit: -1,
			identifiers: []token{{system: system, value: value}},
		})
		for _, r := range found {
			out = append(out, r.public())
		}
	}
	return out
}

// Duplicates names the identifiers that several resources of one type hold, as
// "Type system|value". Between types an identifier may repeat, and those of a
// series (a system that ends in ":series") are meant to be shared.
func (s *Server) Duplicates() []string {
	var out []string
	for _, typ := range s.store.types() {
		holders := map[Identifier]string{}
		told := map[Identifier]bool{}
		for _, r := range s.store.all(typ) {
			for _, id := range r.identifiers {
				if strings.HasSuffix(id.System, ":series") {
					continue
				}
				first, ok := holders[id]
				if !ok {
					holders[id] = r.id
				} else if first != r.id && !told[id] {
					told[id] = true
					out = append(out, typ+" "+id.String())
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// Dangling names the references that point at nothing, as "Type/id -> reference".
// Contained resources and absolute http URLs are not looked at.
func (s *Server) Dangling() []string {
	var out []string
	for _, typ := range s.store.types() {
		for _, r := range s.store.all(typ) {
			for ref := range references(r.raw) {
				if s.dangles(ref) {
					out = append(out, r.ref()+" -> "+ref)
				}
			}
		}
	}
	return out
}

func (s *Server) dangles(ref string) bool {
	for _, prefix := range []string{"#", "http://", "https://", "ClientApplication/"} {
		if strings.HasPrefix(ref, prefix) {
			return false
		}
	}
	typ, id, _ := strings.Cut(ref, "/")
	id, _, _ = strings.Cut(id, "/_history/")
	return s.store.get(typ, id) == nil
}

// Add stores a resource as some other client with every right would, without a
// request, and returns its id: orders to query, or somebody else's duplicate.
func (s *Server) Add(raw json.RawMessage) (id string, err error) {
	var head struct{ ResourceType string }
	if err := json.Unmarshal(raw, &head); err != nil {
		return "", fmt.Errorf("add to the sandbox: %w", err)
	}
	if !knownType(head.ResourceType) {
		return "", fmt.Errorf("add to the sandbox: %q is not a resource type", head.ResourceType)
	}
	d, out := parseDraft(head.ResourceType, raw)
	if out != nil {
		return "", fmt.Errorf("add %s to the sandbox: %s %s", head.ResourceType, out.text, out.expression)
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	r := d.build(newUUID(), `"ClientApplication/other"`, s.o.Now())
	s.commit(result{status: 201, res: r, write: true})
	return r.id, nil
}

// subscribers are told of what is stored.
type subscribers struct {
	mu      sync.Mutex
	funcs   map[int]func(string, json.RawMessage)
	next    int
	changed chan struct{} // closed and replaced at every commit
}

// Created has f called with every resource that is created from now on, one
// after the other in their order, until cancel. The resource can be found by
// then. Writing waits for f, so f is quick and sends no request to the server.
func (s *Server) Created(f func(typ string, raw json.RawMessage)) (cancel func()) {
	s.subs.mu.Lock()
	defer s.subs.mu.Unlock()
	if s.subs.funcs == nil {
		s.subs.funcs = map[int]func(string, json.RawMessage){}
	}
	n := s.subs.next
	s.subs.next++
	s.subs.funcs[n] = f
	return func() {
		s.subs.mu.Lock()
		defer s.subs.mu.Unlock()
		delete(s.subs.funcs, n)
	}
}

// Wait returns when there are at least n resources of the type, and Created's
// functions were told of them; or with ctx's cause when that ends.
func (s *Server) Wait(ctx context.Context, typ string, n int) error {
	for {
		s.subs.mu.Lock()
		changed := s.subs.changed
		s.subs.mu.Unlock()
		s.writer.Lock() // between a write and the telling of it nothing is counted
		have := s.store.count(typ)
		s.writer.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d %s, have %d: %w", n, typ, have, context.Cause(ctx))
		}
	}
}

// commit stores at once what the results say to write, and tells who wants to
// know. The caller holds s.writer.
func (s *Server) commit(results ...result) {
	var rs []*resource
	for _, r := range results {
		if r.write {
			rs = append(rs, r.res)
		}
	}
	if len(rs) == 0 {
		return
	}
	s.store.put(rs...)
	s.subs.mu.Lock()
	var funcs []func(string, json.RawMessage)
	for _, f := range s.subs.funcs {
		funcs = append(funcs, f)
	}
	close(s.subs.changed)
	s.subs.changed = make(chan struct{})
	s.subs.mu.Unlock()
	for _, r := range results {
		if !r.write || r.status != 201 {
			continue
		}
		for _, f := range funcs {
			f(r.res.typ, r.res.raw)
		}
	}
}
