package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
)

// op is one interaction with the store: a request of its own, or an entry of a
// bundle. It is parsed, then resolved to an identity, then run.
type op struct {
	kind      string // Create, Read, Search or Update
	typ       string
	id        string // of Read and Update; of Create once resolved
	params    string // of Search, or of a conditional Update
	condition string // of a conditional Create
	ifMatch   string
	base      string // the server's own URL, for links

	draft   *draft   // of Create and Update
	invalid *outcome // why there is no draft
	matches []*resource
}

// parseOp reads what a method and an URL below the base ask for.
func parseOp(method, target string) (*op, *outcome) {
	path, params, _ := strings.Cut(target, "?")
	typ, id, deep := strings.Cut(strings.Trim(path, "/"), "/")
	o := &op{typ: typ, id: id, params: params}
	switch {
	case typ == "" || deep && id != "_search" && !validID(id):
		return nil, notFound()
	case !knownType(typ):
		return nil, badRequest("Unknown resource type")
	case method == http.MethodPost && !deep:
		o.kind = Create
	case method == http.MethodPost && id == "_search":
		o.kind, o.id = Search, ""
	case method == http.MethodGet && !deep:
		o.kind = Search
	case method == http.MethodGet:
		o.kind = Read
	case method == http.MethodPut && (deep || params != ""):
		o.kind = Update
		if deep {
			o.params = "" // an id leaves no condition
		}
	default:
		return nil, notFound()
	}
	return o, nil
}

// validID reports whether id is a FHIR id. What is none could break out of the
// text that it is put into.
func validID(id string) bool {
	for _, c := range []byte(id) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 64
}

func (o *op) setBody(raw []byte) {
	if o.kind == Create || o.kind == Update {
		o.draft, o.invalid = parseDraft(o.typ, raw)
	}
}

// resolve finds out which resource a create or update is about, and gives a
// new one its id. Nothing is stored yet.
func (s *Server) resolve(o *op) *outcome {
	condition := o.condition
	if o.kind == Update && o.id == "" {
		condition = o.params
	}
	if condition != "" && (o.kind == Create || o.kind == Update) {
		if out := s.may(o.typ, Search); out != nil {
			return out
		}
		q, out := parseQuery(o.typ, condition)
		if out != nil {
			return out
		}
		if out := s.charge(searchUnits); out != nil {
			return out
		}
		q.limit, q.offset = 2, 0
		o.matches, _ = s.store.search(q)
	}
	switch {
	case len(o.matches) == 1:
		o.id = o.matches[0].id
	case o.kind == Create || o.kind == Update && o.id == "":
		o.id = newUUID()
	}
	return nil
}

// run does a resolved op, up to a resource that is to be stored: see
// result.write.
func (s *Server) run(o *op, resolved map[string]string) result {
	switch o.kind {
	case Search:
		return s.search(o.base, o.typ, o.params)
	case Read:
		return s.read(o)
	case Update:
		return s.update(o, resolved)
	}
	return s.create(o, resolved)
}

func (s *Server) read(o *op) result {
	if out := s.may(o.typ, Read); out != nil {
		return failed(out)
	}
	if out := s.charge(readUnits); out != nil {
		return failed(out)
	}
	if r := s.store.get(o.typ, o.id); r != nil {
		return done(http.StatusOK, r)
	}
	return failed(notFound())
}

func (s *Server) create(o *op, resolved map[string]string) result {
	if out := s.may(o.typ, Create); out != nil {
		return failed(out)
	}
	switch len(o.matches) {
	case 0:
	case 1:
		r := done(http.StatusOK, o.matches[0])
		r.existed = true
		return r
	default:
		return failed(multipleMatches())
	}
	return s.write(o, resolved, http.StatusCreated)
}

func (s *Server) update(o *op, resolved map[string]string) result {
	if out := s.may(o.typ, Update); out != nil {
		return failed(out)
	}
	if len(o.matches) > 1 {
		return failed(multipleMatches())
	}
	now := s.store.get(o.typ, o.id)
	if o.draft != nil {
		if id := text(find(o.draft.raw, "id")); id != "" && id != o.id {
			return failed(badRequest("Incorrect ID"))
		}
	}
	switch {
	case now == nil && o.params == "":
		return failed(notFound())
	case now == nil:
		return s.write(o, resolved, http.StatusCreated)
	case o.ifMatch != "" && o.ifMatch != `W/"`+now.version+`"`:
		return failed(&outcome{status: http.StatusPreconditionFailed, code: "conflict", text: "Precondition Failed"})
	}
	return s.write(o, resolved, http.StatusOK)
}

func (s *Server) write(o *op, resolved map[string]string, status int) result {
	if o.invalid != nil {
		return failed(o.invalid)
	}
	cost := createUnits
	if status == http.StatusOK {
		cost = updateUnits
	}
	if out := s.charge(cost); out != nil {
		return failed(out)
	}
	author, _ := json.Marshal("ClientApplication/" + s.o.ClientID)
	r := done(status, o.draft.rewrite(resolved).build(o.id, string(author), s.o.Now()))
	r.write = true
	return r
}

// do runs one op of its own.
func (s *Server) do(o *op) (r result) {
	defer func() { s.log.note(r) }()
	if o.kind == Create || o.kind == Update {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	if out := s.resolve(o); out != nil {
		return failed(out)
	}
	r = s.run(o, nil)
	s.commit(r)
	return r
}
