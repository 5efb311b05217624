package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kinds of request, in the log and the counts. Creates, reads, searches and
// updates have the names of the interactions.
const (
	KindToken       = "token"
	KindBatch       = "batch"
	KindTransaction = "transaction" // a fault or a refusal that comes first counts as batch
	KindMetadata    = "metadata"
	KindBot         = "bot"
	KindHealth      = "health"
	KindOther       = "other"
)

// kindOf tells the kind before anything is looked at but method and path, so
// that a request which meets a fault is counted too.
func kindOf(r *http.Request) string {
	switch r.URL.Path {
	case TokenPath:
		return KindToken
	case "/healthcheck":
		return KindHealth
	}
	path, ok := strings.CutPrefix(r.URL.Path, BasePath)
	path = strings.Trim(path, "/")
	switch {
	case !ok:
		return KindOther
	case path == "" && r.Method == http.MethodPost:
		return KindBatch
	case path == "metadata":
		return KindMetadata
	case isBot(path):
		return KindBot
	}
	if o, out := parseOp(r.Method, path+"?"+r.URL.RawQuery); out == nil {
		return o.kind
	}
	return KindOther
}

// Request is what the log keeps of a request: nothing of its query or body.
type Request struct {
	Time    time.Time
	Method  string
	Path    string
	Auth    string // AuthBearer, ...
	Kind    string // KindToken, Create, ...
	Status  int    // 0: it was never answered, or not to the end
	Entries int    // of a bundle
	Bytes   int    // of the body, after gunzip
	Break   Break
}

// Counts is what the server has seen since it was made.
type Counts struct {
	Kind   map[string]int // requests by kind
	Auth   map[string]int // by the scheme shown; whether it was good tells Status
	Status map[int]int    // by status; 0: connections that a fault killed

	Created  int // resources that clients created
	Existing int // conditional creates that found theirs
	Updated  int
	Refused  int // interactions refused, alone or as entries of an answer that was 200
}

func newCounts() Counts {
	return Counts{Kind: map[string]int{}, Auth: map[string]int{}, Status: map[int]int{}}
}

type requestLog struct {
	mu     sync.Mutex
	size   int
	list   []Request
	counts Counts
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= 2*l.size {
		l.list = append(l.list[:0], l.list[len(l.list)-l.size+1:]...)
	}
	l.list = append(l.list, r)
	l.counts.Kind[r.Kind]++
	l.counts.Auth[r.Auth]++
	l.counts.Status[r.Status]++
}

// note counts the result of an interaction.
func (l *requestLog) note(r result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.err != nil:
		l.counts.Refused++
	case r.write && r.status == 201:
		l.counts.Created++
	case r.write:
		l.counts.Updated++
	case r.existed:
		l.counts.Existing++
	}
}

// Requests returns the newest requests, oldest first, in the order in which
// they were answered.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.list)
}

// Counts returns a copy of the counts.
func (s *Server) Counts() Counts {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	c := s.log.counts
	c.Kind, c.Auth, c.Status = maps.Clone(c.Kind), maps.Clone(c.Auth), maps.Clone(c.Status)
	return c
}
