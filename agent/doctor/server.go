package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/outbound"
)

// Limits of one look. A person waits for them.
const (
	lookTimeout  = 10 * time.Second // for a name, a connection, a request
	tokenTimeout = 25 * time.Second // for signing in: the authorizer's own limit, and a little
	longestRead  = 4 << 20          // of an answer; CapabilityStatements are long
)

// Server is how the agent reaches and uses its server.
type Server struct {
	URL      string // the FHIR base, without a slash at the end
	TokenURL string // "" where no token is asked for
	Timeout  time.Duration

	HTTP   *http.Client // for the FHIR base
	Tokens *http.Client // for the token endpoint

	// Auth is not running yet; it runs while the server is looked at.
	Auth *auth.Authorizer

	Resources bool     // messages become resources
	Heartbeat bool     // the agent's own Device is written
	Bots      []string // bots that messages go to, by id or "system|value"

	UserAgent string
}

// Examine looks at the server from the outside in. Where one part is wrong, what
// stands on it is not tried.
func (s Server) Examine(ctx context.Context, r Report) {
	s.HTTP, s.Tokens = still(s.HTTP), still(s.Tokens)
	base, err := url.Parse(s.URL)
	if err != nil {
		r.wrong("server", "url of [server] is not an address", "write it as \"https://host/path\"")
		return
	}
	reached := s.reach(ctx, "server", s.HTTP, base, r)
	if reached {
		reached = s.metadata(ctx, r)
	}
	if tokens, err := url.Parse(s.TokenURL); s.TokenURL != "" && err == nil && tokens.Host != base.Host {
		if s.reach(ctx, "token endpoint", s.Tokens, tokens, r) {
			s.tokenHost(ctx, tokens, r)
		}
	}
	if !reached {
		return // whether it takes the credentials would not be known
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Auth.Run(running) // it returns nil when it is told to stop
	}()
	if s.signIn(ctx, r) {
		s.rights(ctx, r)
	}
	stop()
	<-ended
}

// still is a client that follows nobody: a redirect could lead credentials away,
// and hides that the address is not the server's own.
func still(c *http.Client) *http.Client {
	copied := *c
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// reach goes as far as a TCP connection to the host of an address, or to the
// proxy before it.
func (s Server) reach(ctx context.Context, what string, c *http.Client, to *url.URL, r Report) bool {
	host, hint := to, "check the address, this computer's network, and whether a firewall lets it out"
	proxy, err := outbound.ProxyOf(c, to)
	switch {
	case err != nil:
		r.wrong("proxy", "which proxy leads to the "+what+" cannot be told", "check proxy of [server], and HTTPS_PROXY")
		return false
	case proxy != nil:
		host, hint = proxy, "check proxy of [server], or HTTPS_PROXY; proxy = \"none\" goes without"
		what = "proxy"
		r.fine("proxy", "%s is reached through %s", to.Hostname(), proxy.Host)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if net.ParseIP(host.Hostname()) == nil {
		found, err := (&net.Resolver{}).LookupHost(ctx, host.Hostname())
		if err != nil || len(found) == 0 {
			r.wrong("name", "no address is found for "+host.Hostname()+", the "+what, "check the name; or this computer's name server (DNS)")
			return false
		}
		r.fine("name", "%s is %s", host.Hostname(), found[0])
	}
	address := net.JoinHostPort(host.Hostname(), portOf(host))
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		r.wrong("connection", "no connection to "+address+", the "+what+": "+netCause(err), hint)
		return false
	}
	conn.Close()
	r.fine("connection", "%s, the %s, answers", address, what)
	return true
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// get asks for an address. With credentials it waits for a token.
func (s Server) get(ctx context.Context, c *http.Client, address string, signed bool) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, max(s.Timeout, lookTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/fhir+json")
	req.Header.Set("User-Agent", s.UserAgent)
	if signed {
		if _, err := s.Auth.Authorize(ctx, req); err != nil {
			return nil, err
		}
	}
	return send(c, req)
}

// tokenHost looks at the TLS of a token endpoint that is elsewhere. What it
// answers to a GET says nothing.
func (s Server) tokenHost(ctx context.Context, at *url.URL, r Report) {
	a, err := s.get(ctx, s.Tokens, at.Scheme+"://"+at.Host+"/", false)
	if err != nil {
		r.unanswered("token endpoint", err)
		return
	}
	r.certificate("token endpoint", at, a)
}

// signIn gets a token, or whatever the configured method has, as the agent does.
func (s Server) signIn(ctx context.Context, r Report) bool {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		r.wrong("sign-in", err.Error(), "check url of [server]")
		return false
	}
	ticket, err := s.Auth.Authorize(ctx, req)
	state := s.Auth.State()
	switch {
	case err != nil:
		r.wrong("sign-in", err.Error(), "see [server.auth]; `labcourier secret check` looks at the secrets alone")
		return false
	case state.Fallback:
		r.warn("sign-in", "basic is used in the place of OAuth2: "+state.Reason, "check token_url; if this server has no OAuth2, write method = \"basic\"")
	case ticket.Method() == auth.MethodBasic:
		r.fine("sign-in", "by basic; whether the server takes it shows below")
	default:
		r.fine("sign-in", "by OAuth2: a token was given, good for %s", lifetime(time.Until(state.TokenExpires)))
	}
	return true
}

func lifetime(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}
