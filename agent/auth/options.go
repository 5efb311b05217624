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

// ClientAuth is how the client shows the token endpoint who it is.
type ClientAuth string

// The values of [ClientAuth]; "" means ByHeader, which every token endpoint
// has to take (RFC 6749, 2.3.1).
const (
	ByHeader ClientAuth = "header"          // client_secret_basic
	ByForm   ClientAuth = "form"            // client_secret_post
	ByKey    ClientAuth = "private_key_jwt" // an assertion, signed with the client's key
	ByTLS    ClientAuth = "tls"             // the certificate that Options.HTTP shows (RFC 8705)
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

	// TokenURL and ClientID are for OAuth2, and one of what ClientAuth asks for:
	// ClientSecret for ByHeader and ByForm, Key for ByKey. They are called for
	// each token request.
	TokenURL     string
	ClientID     string
	ClientAuth   ClientAuth
	ClientSecret func() (string, error)
	Key          func() (string, error) // as package clientkey parses it
	Scopes       []string
	Audience     string

	// KeyID chooses a key of several, or names the only one; KeyAlg is how it
	// signs; AssertionAudience is whom the assertion is for. Empty means the
	// first, what suits the key, and TokenURL.
	KeyID             string
	KeyAlg            string
	AssertionAudience string

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
	if o.ClientAuth == "" {
		o.ClientAuth = ByHeader
	}
	if o.AssertionAudience == "" {
		o.AssertionAudience = o.TokenURL
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
	if o.ClientID == "" {
		faults = append(faults, errors.New("OAuth2 needs client_id"))
	}
	switch o.ClientAuth {
	case ByHeader, ByForm:
		if o.ClientSecret == nil {
			faults = append(faults, fmt.Errorf("client authentication %q needs a client secret", o.ClientAuth))
		}
	case ByKey:
		if o.Key == nil {
			faults = append(faults, fmt.Errorf("client authentication %q needs a client key", o.ClientAuth))
		}
	case ByTLS:
	default:
		faults = append(faults, fmt.Errorf("client authentication %q is not known: use %q, %q, %q or %q", o.ClientAuth, ByHeader, ByForm, ByKey, ByTLS))
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
