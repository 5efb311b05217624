package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Source is asked for what is shown. Both methods may be called at any time,
// from several goroutines, and answer at once.
type Source interface {
	// Snapshot tells how the agent does now. The caller may change what it got.
	Snapshot() Snapshot

	// Ready returns nil while every listener is open and the spool accepts, and
	// otherwise what is missing, in words without patient data.
	Ready() error
}

// Arrival is one result as it arrived at the demo's server. Its content is
// shown to anyone who can open the page, so it is for made-up data only.
type Arrival struct {
	Time     Time   `json:"time"`
	Analyzer string `json:"analyzer"`
	Test     string `json:"test"`
	Value    string `json:"value"`
	Unit     string `json:"unit"`
	Specimen string `json:"specimen"`
}

// Options says what a Server serves and where.
type Options struct {
	Listen string // loopback address and port; port 0 takes a free one
	Source Source

	// Admin, if set, serves AdminPrefix. It looks after its callers' rights itself.
	Admin http.Handler

	// Browse, if set, serves BrowsePaths and what is below them, to those whom it
	// lets sign in. It takes POST as well.
	Browse      http.Handler
	BrowsePaths []string

	// History, if set, is what the page draws of the last day.
	History History

	// Metrics, if set, serves /metrics.
	Metrics http.Handler

	// Extra, if set, lists the last results that arrived, newest first. Only the
	// demo sets it: see Arrival.
	Extra func() []Arrival

	// Remote, if set, serves other computers as well.
	Remote *Remote

	Log zerolog.Logger
	Now func() time.Time // nil means time.Now
}

// AdminPrefix is where Options.Admin is served, and the only part of the
// endpoint that takes other methods than GET and HEAD.
const AdminPrefix = "/api/admin/"

// Server is the local status endpoint.
type Server struct {
	o    Options
	page *page
	mux  *http.ServeMux

	streams  chan struct{} // open streams of events
	last     lastSum
	stopping chan struct{} // closed when Run ends

	mu   sync.Mutex
	ln   net.Listener // nil until Listen
	port string       // that ln has
	far  net.Listener // for other computers; nil: none, or not yet

	remote *remote // nil: none
}

// Limits of the endpoint. One browser takes six connections; nobody else needs
// more than one.
const (
	maxConns       = 48
	maxHeaderBytes = 16 << 10
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	idleTimeout    = 30 * time.Second
	stopTimeout    = 2 * time.Second
)

// NewServer checks o and returns a Server that does not listen yet. An address
// beyond loopback is an error.
func NewServer(o Options) (*Server, error) {
	if err := loopbackOnly(o.Listen); err != nil {
		return nil, err
	}
	if o.Source == nil {
		return nil, errors.New("status endpoint: no source to show")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p, err := newPage()
	if err != nil {
		return nil, fmt.Errorf("status page: %w", err)
	}
	p.messages, p.history = o.Browse != nil, o.History
	s := &Server{o: o, page: p, mux: http.NewServeMux(), streams: make(chan struct{}, maxStreams), stopping: make(chan struct{})}
	s.routes()
	if o.Remote != nil {
		if s.remote, err = newRemote(*o.Remote, o.Log, o.Now); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func loopbackOnly(listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("status address %q: %w: write it as 127.0.0.1:8686", listen, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("status address %q: port is not a number from 0 to 65535", listen)
	} else if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("status address %q is not on this computer alone: use 127.0.0.1:%d, or [::1]:%d; other computers come by [status.remote]", listen, n, n)
	}
	return nil
}

// Listen opens the endpoint's port; Run serves it. A server that listens has to
// be run, if only with an ended context, for the port to be closed again.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", s.o.Listen)
	if err != nil {
		return fmt.Errorf("open status endpoint: %w: another labcourier may be running; stop it or change [status] listen", err)
	}
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	if !at.Addr().Unmap().IsLoopback() { // "localhost" is what the hosts file makes of it
		ln.Close()
		return fmt.Errorf("status address %q leads to %s, which is not loopback: use 127.0.0.1", s.o.Listen, at.Addr())
	}
	if s.remote != nil {
		if s.far, err = s.remote.listen(); err != nil {
			ln.Close()
			return err
		}
	}
	s.ln, s.port = ln, strconv.Itoa(int(at.Port()))
	return nil
}

// RemoteAddr is the address for other computers that is listened on; "" if none
// is.
func (s *Server) RemoteAddr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.far == nil {
		return ""
	}
	return s.far.Addr().String()
}

// Addr is the address that is listened on; before Listen, the one asked for.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil {
		return s.o.Listen
	}
	return s.ln.Addr().String()
}

// Run serves until ctx ends, listening first where that was not done, and
// returns nil then. When it returns, the port is closed, and nothing of it runs
// any more.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	s.mu.Lock()
	ln, port, far := s.ln, s.port, s.far
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.ln, s.far = nil, nil
		s.mu.Unlock()
	}()
	own := func(host string) bool { return ownHost(host, port) }
	var servers []*http.Server
	served := make(chan error, 2)
	serve := func(srv *http.Server, ln net.Listener) {
		servers = append(servers, srv)
		go func() { served <- srv.Serve(ln) }()
	}
	serve(s.server(guard(own, "localhost:"+port, s.takesPost, s.mux)), newCappedListener(ln, maxConns))
	if far != nil {
		farPort := strconv.Itoa(far.Addr().(*net.TCPAddr).Port)
		own := func(host string) bool { return s.remote.ownName(host, farPort) }
		serve(s.server(guard(own, "what its certificate says", s.takesPost, s.remote.withPassword(s.mux))), far)
	}
	var err error
	running := len(servers)
	select {
	case err = <-served:
		err = fmt.Errorf("serve status endpoint: %w", err)
		running--
	case <-ctx.Done():
	}
	close(s.stopping) // streams of events end by themselves
	grace, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	}
	for range running {
		<-served //nolint:errcheck // ErrServerClosed, by Shutdown
	}
	return err
}

// server is the endpoint's HTTP server, with its limits.
func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(s.o.Log.With().Str("component", "status").Logger(), "", 0),
	}
}

func (s *Server) routes() {
	s.mux.HandleFunc("GET /{$}", s.servePage)
	s.mux.HandleFunc("GET /events", s.serveEvents)
	s.mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.snapshot()) })
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	s.mux.HandleFunc("GET /readyz", s.serveReady)
	if s.o.Extra != nil {
		s.mux.HandleFunc("GET /api/demo", s.serveDemo)
	}
	if s.o.Browse != nil {
		for _, p := range s.o.BrowsePaths {
			s.mux.Handle(p, s.o.Browse)
		}
	}
	if s.o.Metrics != nil {
		s.mux.Handle("GET /metrics", s.o.Metrics)
	}
	if s.o.Admin != nil {
		s.mux.Handle(AdminPrefix, s.o.Admin)
	}
	for name, a := range s.page.assets {
		s.mux.HandleFunc("GET "+name, a.serve)
	}
}

// takesPost reports whether a path is more than a show.
func (s *Server) takesPost(path string) bool {
	if strings.HasPrefix(path, AdminPrefix) {
		return true
	}
	return slices.ContainsFunc(s.o.BrowsePaths, func(p string) bool {
		return path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)
	})
}

func (s *Server) snapshot() Snapshot {
	snap := s.o.Source.Snapshot()
	if snap.Agent.Now.IsZero() {
		snap.Agent.Now = At(s.o.Now())
	}
	return snap
}

func (s *Server) arrivals() []Arrival {
	if s.o.Extra == nil {
		return nil
	}
	return s.o.Extra()
}

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	body, err := s.page.render(s.snapshot(), s.arrivals(), s.o.Extra != nil)
	if err != nil {
		s.o.Log.Error().Err(err).Msg("status page cannot be rendered")
		plain(w, http.StatusInternalServerError, "the page cannot be shown; /api/status has the same as JSON")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(body) // a reader that went away needs no answer
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if err := s.o.Source.Ready(); err != nil {
		plain(w, http.StatusServiceUnavailable, "not ready: "+clean(err.Error()))
		return
	}
	plain(w, http.StatusOK, "ready")
}

func (s *Server) serveDemo(w http.ResponseWriter, _ *http.Request) {
	list := s.arrivals()
	if list == nil {
		list = []Arrival{}
	}
	s.answer(w, map[string]any{"arrivals": list})
}

func (s *Server) answer(w http.ResponseWriter, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		s.o.Log.Error().Err(err).Msg("status cannot be written as JSON")
		plain(w, http.StatusInternalServerError, "the status cannot be written as JSON")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}
