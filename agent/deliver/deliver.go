package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
)

// Queue is where messages come from, lane by lane.
type Queue interface {
	// Next returns the oldest message of the lane that is neither delivered nor
	// parked. It waits for one until ctx ends. It removes nothing: the same
	// message comes again until Done or Park was called for it.
	Next(ctx context.Context, lane string) (spool.Record, error)

	// Done tells that the server has the message.
	Done(lane string, q spool.Seq, r spool.Receipt) error

	// Park sets the message aside for a person.
	Park(lane string, q spool.Seq, r spool.Reason) error
}

// Authorizer puts credentials on requests.
type Authorizer interface {
	// Authorize sets r's Authorization header. An [auth.Error] says for how long
	// there are no credentials.
	Authorize(ctx context.Context, r *http.Request) (auth.Ticket, error)

	// Reject tells that a request with this ticket was answered with 401.
	Reject(t auth.Ticket)
}

var (
	_ Queue      = (*spool.Spool)(nil)
	_ Authorizer = (*auth.Authorizer)(nil)
)

// Mapper reads a message and maps it. It is pure. Its error holds no patient
// data; it is an [ErrUnmappable] where the message could be read.
type Mapper func(rec spool.Record) (fhir.Plan, error)

// ErrUnmappable marks, wrapped, a Mapper's error about a message that was read
// but has no mapping. Any other error counts as a message that cannot be read.
var ErrUnmappable = errors.New("message cannot be mapped")

// Defaults of [Options].
const (
	DefaultConcurrency = 4
	DefaultTimeout     = time.Minute
	DefaultGrace       = 5 * time.Second
	DefaultMaxBody     = fhir.DefaultMaxBody
)

// Options says what to deliver, from where and to whom.
type Options struct {
	// BaseURL is the FHIR base: "https://api.medplum.com/fhir/R4".
	BaseURL string

	// HTTP makes the requests. It should bound dialing and the TLS handshake to
	// some seconds, so that a server that comes back is noticed soon. Redirects
	// are not followed, whatever it says. Nil means a plain client.
	HTTP *http.Client

	Auth  Authorizer
	Queue Queue
	Map   Mapper
	Lanes []string

	Orders *Orders // look for the order of each specimen; nil: do not

	// Bots are the lanes whose messages go to a bot and not as FHIR.
	Bots map[string]Bot

	Concurrency int           // requests in flight, over all lanes
	Timeout     time.Duration // of one request, answer included
	Grace       time.Duration // what a request in flight is given when Run ends
	MaxBody     int           // of one request, in bytes before compression; larger steps are split
	UserAgent   string

	Log zerolog.Logger
}

// Deliverer runs the lanes. Its methods may be called from any goroutine.
type Deliverer struct {
	o        Options
	client   *client
	breaker  *breaker
	requests requests
	pacer    *pacer
	gate     *semaphore.Weighted // first come, first served

	mu      sync.Mutex
	lanes   []*lane
	running context.Context // nil: not running
	work    sync.WaitGroup  // lanes that run
}

// New checks o and returns a Deliverer. It sends nothing before Run.
func New(o Options) (*Deliverer, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.User != nil || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("set up delivery: the server's url is not an address of the form https://host/path")
	}
	if o.Auth == nil || o.Queue == nil || o.Map == nil {
		return nil, errors.New("set up delivery: Auth, Queue and Map are required")
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	d := &Deliverer{
		o: o, client: newClient(o.HTTP, o.UserAgent),
		breaker: newBreaker(o.Log), pacer: newPacer(),
		gate: semaphore.NewWeighted(int64(o.Concurrency)),
	}
	for _, name := range o.Lanes {
		if err := d.AddLane(name); err != nil {
			return nil, fmt.Errorf("set up delivery: %w", err)
		}
	}
	return d, nil
}

// AddLane adds a lane, and starts it if the Deliverer runs.
func (d *Deliverer) AddLane(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		if l.name == name {
			return fmt.Errorf("add lane %s: it is there already", name)
		}
	}
	l := newLane(d, name)
	d.lanes = append(d.lanes, l)
	if d.running != nil {
		d.start(d.running, l)
	}
	return nil
}

// start runs a lane. d.mu is held.
func (d *Deliverer) start(ctx context.Context, l *lane) {
	d.work.Go(func() { l.run(ctx) })
}

// Run delivers until ctx ends, and then returns nil. A request that is in
// flight at that moment is given Options.Grace to be answered; what was not
// settled comes again with the next Run.
func (d *Deliverer) Run(ctx context.Context) error {
	d.mu.Lock()
	if d.running != nil {
		d.mu.Unlock()
		return errors.New("run delivery: it runs already")
	}
	d.running = ctx
	for _, l := range d.lanes {
		d.start(ctx, l)
	}
	d.mu.Unlock()

	d.watch(ctx)
	<-ctx.Done()

	d.mu.Lock()
	d.running = nil
	d.mu.Unlock()
	d.work.Wait()
	d.client.http.CloseIdleConnections()
	return nil
}
