package sandbox

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Where the server's two halves are, below the address it listens on.
const (
	TokenPath = "/oauth2/token"
	BasePath  = "/fhir/R4"
)

// Client credentials of a Server whose Options name none.
const (
	DefaultClientID     = "sandbox-client"
	DefaultClientSecret = "sandbox-secret"
)

// Options is how a Server behaves from the start. The zero Options are usable:
// no limits, transactions that run as batches, the default client.
type Options struct {
	ClientID     string
	ClientSecret string

	// TokenLifetime is how long a token is good for; 0 means one hour.
	TokenLifetime time.Duration

	// TransactionBundles switches the project feature of that name on, which
	// makes transactions atomic. It is off by default there, and here.
	TransactionBundles bool

	// MaxBody is the largest body in bytes, after gunzip; 0 means 1 MB.
	MaxBody int

	// Limits per minute; 0 means none, and no RateLimit header for it. A real
	// server has 160 token requests per address and 50,000 units per client.
	TokensPerMinute   int
	RequestsPerMinute int
	UnitsPerMinute    int

	// ResetExtension adds the extension to a 429 by which newer versions tell
	// when the window ends.
	ResetExtension bool

	// Bot, if set, answers Bot/<id>/$execute. Its error becomes a 400, whatever
	// the reason. Without it, bots are forbidden like all else.
	Bot func(c BotCall) (answer string, err error)

	// LogSize is how many requests Requests remembers at least; 0 means 100,000.
	LogSize int

	// Now is the clock of tokens, limits and meta; nil means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.ClientID == "" {
		o.ClientID = DefaultClientID
	}
	if o.ClientSecret == "" {
		o.ClientSecret = DefaultClientSecret
	}
	if o.TokenLifetime <= 0 {
		o.TokenLifetime = time.Hour
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.LogSize <= 0 {
		o.LogSize = 100_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Server is the FHIR and OAuth2 server. It is safe for concurrent use.
type Server struct {
	o      Options
	hook   atomic.Pointer[Hook]
	creds  credentials
	rights rights
	store  *store
	log    requestLog

	tokenWindow   window
	requestWindow window
	unitWindow    window

	// writer makes a conditional create's search and create one step, and a
	// bundle one unit: real servers do it by serialising transactions.
	writer sync.Mutex
	subs   subscribers
}

var _ http.Handler = (*Server)(nil)

// New returns a server with an empty store.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{o: o, store: newStore()}
	s.creds = credentials{id: o.ClientID, secret: o.ClientSecret, tokens: map[string]time.Time{}}
	s.rights.table = defaultRights()
	s.log = requestLog{size: o.LogSize, counts: newCounts()}
	s.tokenWindow.limit = o.TokensPerMinute
	s.requestWindow.limit = o.RequestsPerMinute
	s.unitWindow.limit = o.UnitsPerMinute
	s.subs.changed = make(chan struct{})
	return s
}

// Start serves on a loopback address until stop is called; "" means any free
// port of 127.0.0.1. FHIR is at baseURL + BasePath, tokens at baseURL +
// TokenPath. The same address can be started again after stop, which is how a
// test lets a server go away and come back with all that it stored.
//
// stop lets requests in flight finish until its ctx ends, and then cuts them
// off: with a ctx that has ended already it is a crash.
func (s *Server) Start(addr string) (baseURL string, stop func(context.Context) error, err error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if err := loopback(addr); err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("listen for the sandbox server: %w", err)
	}
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are its business
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l) // ends with ErrServerClosed, and only by stop
	}()
	stop = func(ctx context.Context) error {
		defer func() { <-served }()
		if srv.Shutdown(ctx) == nil {
			return nil
		}
		return srv.Close()
	}
	return "http://" + l.Addr().String(), stop, nil
}

// loopback refuses addresses that others could reach: the sandbox's secret is
// known to everybody.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("sandbox address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("sandbox address %q is not loopback: use 127.0.0.1 with a port", addr)
}
