package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Authorizer puts credentials on requests. Its methods may be called from any
// goroutine.
type Authorizer struct {
	o      Options
	origin string
	http   *http.Client
	wake   chan struct{} // tells Run to look at due again; holds one
	skew   skew          // Run's own

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever what follows changes
	wanted  bool          // somebody waits for a token
	stopped bool
	method  string // in use: MethodOAuth2 or MethodBasic
	since   time.Time
	reason  string // why Basic is used although OAuth2 is wished
	token   *token // nil: none
	serial  uint64

	next      time.Time // no token request before this
	tried     time.Time // when the last one ended
	fault     *Error    // why the last one failed; nil: it did not
	faultAt   time.Time
	awaySince time.Time // first of the present run of unreachable answers
	refused   string    // the secret that was refused; a new one is tried at once
	rejected  time.Time // when a young token was last rejected
	failures  *backoff.ExponentialBackOff
	rejects   *backoff.ExponentialBackOff
}

// Ticket names the credential that a request was sent with.
type Ticket struct {
	method string
	serial uint64
}

// Method is how the request was authorized: MethodOAuth2 or MethodBasic.
func (t Ticket) Method() string { return t.method }

// State is what the status page shows. It holds no secret.
type State struct {
	Method       string // in use: MethodOAuth2 or MethodBasic
	Since        time.Time
	Fallback     bool   // Basic is used because OAuth2 cannot be
	Reason       string // why so, or why there are no credentials now
	TokenExpires time.Time
	LastError    string // the last thing that went wrong with a token request
	LastErrorAt  time.Time
}

// New checks o and returns an Authorizer. It asks nobody for anything before
// Run.
func New(o Options) (*Authorizer, error) {
	if err := o.prepare(); err != nil {
		return nil, fmt.Errorf("set up authorization: %w", err)
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("set up authorization: %w", err)
	}
	a := &Authorizer{
		o: o, origin: origin(base), http: tokenClient(o.HTTP),
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
		method: o.Method, since: time.Now(),
		failures: pauses(), rejects: pauses(),
	}
	if o.Method == MethodAuto {
		a.method = MethodOAuth2
	}
	return a, nil
}

// pauses are the waits between token requests that fail: some 1, 2, 4 … 60 s.
func pauses() *backoff.ExponentialBackOff {
	p := backoff.NewExponentialBackOff()
	p.InitialInterval, p.Multiplier, p.RandomizationFactor, p.MaxInterval = time.Second, 2, 0.2, 50*time.Second
	return p
}

func tokenClient(given *http.Client) *http.Client {
	c := http.Client{Timeout: tokenTimeout}
	if given != nil {
		c = *given
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	// A 307 would send the secret on to wherever it points.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// Authorize sets r's Authorization header. It waits for a token that is being
// fetched, but never beyond ctx. If there are no credentials and none will come
// soon, it says so at once with an [Error].
func (a *Authorizer) Authorize(ctx context.Context, r *http.Request) (Ticket, error) {
	if !protected(r.URL) || origin(r.URL) != a.origin {
		return Ticket{}, fmt.Errorf("authorize request: credentials for %s are not sent to another place", a.origin)
	}
	for {
		ticket, access, again, err := a.current(time.Now())
		switch {
		case err != nil:
			return Ticket{}, err
		case again != nil:
		case ticket.method == MethodBasic:
			return ticket, a.setBasic(r)
		default:
			r.Header.Set("Authorization", "Bearer "+access)
			return ticket, nil
		}
		select {
		case <-ctx.Done():
			return Ticket{}, fmt.Errorf("authorize request: wait for access token: %w", ctx.Err())
		case <-again:
		}
	}
}

// current returns the credential in use, or a channel to wait on, or an error.
func (a *Authorizer) current(now time.Time) (t Ticket, access string, again <-chan struct{}, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.method == MethodBasic:
		return Ticket{method: MethodBasic}, "", nil, nil
	case a.token.usable(now):
		if !a.token.used {
			a.token.used = true
			a.kick() // a short-lived token that is in use is renewed early
		}
		return Ticket{MethodOAuth2, a.token.serial}, a.token.access, nil, nil
	case a.stopped:
		return Ticket{}, "", nil, errStopped
	case a.fault != nil && now.Before(a.next):
		a.wanted = true
		e := *a.fault
		e.Wait = a.next.Sub(now)
		return Ticket{}, "", nil, &e
	}
	a.wanted = true
	a.kick()
	return Ticket{}, "", a.changed, nil
}

func (a *Authorizer) setBasic(r *http.Request) error {
	password, err := a.o.Password()
	if err != nil {
		return fmt.Errorf("authorize request: read password: %w", err)
	}
	r.SetBasicAuth(a.o.Username, password)
	return nil
}

// youngReject is how soon after one rejected young token another one counts as
// the same trouble.
const youngReject = 5 * time.Minute

// Reject tells that the server answered 401 to a request with that ticket. The
// first call drops the token and has it renewed, later ones for the same ticket
// do nothing. Where new tokens are rejected, too, renewals come ever slower.
// With Basic in fallback, OAuth2 is tried again soon.
func (a *Authorizer) Reject(t Ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if t.method == MethodBasic && a.fallback() {
		if soon := a.tried.Add(30 * time.Second); soon.Before(a.next) {
			a.next = soon
		}
		a.kick()
		return
	}
	if t.method != MethodOAuth2 || a.token == nil || t.serial != a.token.serial {
		return
	}
	young := now.Sub(a.token.got) < a.token.life()/2
	a.token = nil
	a.next = now
	if young {
		if !a.rejected.IsZero() && now.Sub(a.rejected) < youngReject {
			a.next = now.Add(a.rejects.NextBackOff())
			a.fault = &Error{Fault: Refused, Status: http.StatusUnauthorized, Text: "the server rejects new tokens, too"}
			a.faultAt = now
		} else {
			a.rejects.Reset()
		}
		a.rejected = now
	}
	a.o.Log.Warn().Msg("the server rejected the access token; renewing it")
	a.announce()
}

// State tells what is in use and since when.
func (a *Authorizer) State() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := State{Method: a.method, Since: a.since, Fallback: a.fallback(), Reason: a.reason}
	if a.token.usable(time.Now()) {
		s.TokenExpires = a.token.expires
	} else if !s.Fallback && a.fault != nil {
		s.Reason = a.fault.Error()
	}
	if a.fault != nil {
		s.LastError, s.LastErrorAt = a.fault.Error(), a.faultAt
	}
	return s
}

func (a *Authorizer) fallback() bool {
	return a.o.Method == MethodAuto && a.method == MethodBasic
}

// announce makes waiters and Run look again. a.mu is held.
func (a *Authorizer) announce() {
	close(a.changed)
	a.changed = make(chan struct{})
	a.kick()
}

func (a *Authorizer) kick() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}
