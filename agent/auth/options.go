package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// The values of [Options.Method].
const (
	MethodOAuth2 = "oauth2"
	MethodBasic  = "basic"
	MethodAuto   = "auto" // OAuth2 that may fall back to Basic
)

// AuthStyle is how the client's id and secret go to the token endpoint.
type AuthStyle string

// The values of [AuthStyle]; "" means StyleForm.
const (
	StyleForm   AuthStyle = "form"   // client_secret_post
	StyleHeader AuthStyle = "header" // client_secret_basic
)

// Defaults of [Options].
const (
	DefaultFallbackAfter = 2 * time.Minute
	DefaultReprobe       = 5 * time.Minute
)

// tokenTimeout bounds one token request, probeTimeout one call of Probe.
const (
	tokenTimeout = 20 * time.Second
	probeTimeout = 10 * time.Second
)

// Options says how to get credentials and where they may go.
type Options struct {
	// Method is MethodOAuth2, MethodBasic or MethodAuto.
	Method string

	// TokenURL, ClientID and ClientSecret are for OAuth2. ClientSecret is
	// called for each token request.
	TokenURL     string
	ClientID     string
	ClientSecret func() (string, error)
	Scopes       []string
	Audience     string
	AuthStyle    AuthStyle

	// Username and Password are for Basic. If Password is nil, Basic uses
	// ClientID and ClientSecret. It is called for each request.
	Username string
	Password func() (string, error)

	// FallbackAfter is how long the token endpoint must have been unreachable
	// before MethodAuto falls back; Reprobe is how often OAuth2 is tried again
	// after that. Zero means the default.
	FallbackAfter time.Duration
	Reprobe       time.Duration

	// Probe returns nil if the FHIR base answers at all, with or without
	// credentials. MethodAuto asks it before it falls back because the token
	// endpoint is unreachable; without it, that never leads to a fallback.
	Probe func(ctx context.Context) error

	// BaseURL is the FHIR base. Requests to any other origin get no
	// credentials.
	BaseURL string

	// HTTP makes the token requests. Redirects are not followed, whatever it
	// says. Nil means a plain client.
	HTTP *http.Client

	Log zerolog.Logger
}

// prepare sets defaults and returns every fault of o at once.
func (o *Options) prepare() error {
	if o.FallbackAfter <= 0 {
		o.FallbackAfter = DefaultFallbackAfter
	}
	if o.Reprobe <= 0 {
		o.Reprobe = DefaultReprobe
	}
	if o.AuthStyle == "" {
		o.AuthStyle = StyleForm
	}
	if o.Password == nil && o.Username == "" {
		o.Username, o.Password = o.ClientID, o.ClientSecret
	}
	faults := []error{checkURL("the server's url", o.BaseURL)}
	switch o.Method {
	case MethodOAuth2, MethodAuto:
		faults = append(faults, o.checkOAuth2())
	case MethodBasic:
	default:
		faults = append(faults, fmt.Errorf("method %q is not known: use %q, %q or %q", o.Method, MethodOAuth2, MethodBasic, MethodAuto))
	}
	if o.Method != MethodOAuth2 {
		faults = append(faults, o.checkBasic())
	}
	return errors.Join(faults...)
}

func (o *Options) checkOAuth2() error {
	faults := []error{checkURL("token_url", o.TokenURL)}
	if o.ClientID == "" || o.ClientSecret == nil {
		faults = append(faults, errors.New("OAuth2 needs client_id and a client secret"))
	}
	if o.AuthStyle != StyleForm && o.AuthStyle != StyleHeader {
		faults = append(faults, fmt.Errorf("auth style %q is not known: use %q or %q", o.AuthStyle, StyleForm, StyleHeader))
	}
	return errors.Join(faults...)
}

func (o *Options) checkBasic() error {
	if o.Username == "" || o.Password == nil {
		return errors.New("basic needs username and a password, or client_id and a client secret")
	}
	if strings.Contains(o.Username, ":") {
		return errors.New("basic cannot carry a username with a colon in it (RFC 7617): use another")
	}
	return nil
}

// checkURL returns an error if credentials must not travel to that address.
func checkURL(what, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s is not an address of the form https://host/path", what)
	}
	if u.User != nil {
		return fmt.Errorf("%s holds a user name or password: give them by their own settings", what)
	}
	if !protected(u) {
		return fmt.Errorf("%s is plain http to %s: secrets would travel in clear text; use https", what, u.Hostname())
	}
	return nil
}

// protected reports whether a secret sent to u cannot be read on the way.
func protected(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// origin is the part of an address that decides who gets a request.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
