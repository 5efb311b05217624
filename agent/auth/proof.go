package auth

import (
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/labcourier/labcourier/agent/clientkey"
)

// proof is how one token request shows who asks.
type proof struct {
	config *clientcredentials.Config
	secret string   // what it rests on, to tell whether it was replaced
	hide   []string // what must show up in no text
}

// proof reads secret or key as it is now. Its error says what cannot be read.
func (a *Authorizer) proof() (proof, error) {
	c := &clientcredentials.Config{
		ClientID: a.o.ClientID, TokenURL: a.o.TokenURL, Scopes: a.o.Scopes,
		AuthStyle: oauth2.AuthStyleInParams, EndpointParams: url.Values{},
	}
	if a.o.Audience != "" {
		c.EndpointParams.Set("audience", a.o.Audience)
	}
	switch a.o.ClientAuth {
	case ByTLS: // the connection shows it; the form has the client's id only
		return proof{config: c}, nil
	case ByKey:
		return a.keyProof(c)
	}
	secret, err := a.o.ClientSecret()
	if err != nil {
		return proof{}, fmt.Errorf("the client secret cannot be read: %w", err)
	}
	c.ClientSecret = secret
	if a.o.ClientAuth == ByHeader {
		c.AuthStyle = oauth2.AuthStyleInHeader
	}
	return proof{c, secret, []string{secret, url.QueryEscape(secret)}}, nil
}

func (a *Authorizer) keyProof(c *clientcredentials.Config) (proof, error) {
	text, err := a.o.Key()
	if err != nil {
		return proof{}, fmt.Errorf("the client key cannot be read: %w", err)
	}
	p := proof{c, text, nil}
	keys, err := clientkey.Parse([]byte(text))
	if err != nil {
		return p, fmt.Errorf("the client key cannot be used: %w", err)
	}
	key, err := keys.Pick(a.o.KeyID, a.o.KeyAlg)
	if err != nil {
		return p, fmt.Errorf("the client key cannot be used: %w", err)
	}
	assertion, err := key.Assertion(a.o.ClientID, a.o.AssertionAudience, a.skew.now(time.Now()))
	if err != nil {
		return p, fmt.Errorf("the client key cannot be used: %w", err)
	}
	c.EndpointParams.Set("client_assertion_type", clientkey.AssertionType)
	c.EndpointParams.Set("client_assertion", assertion)
	p.hide = []string{assertion}
	return p, nil
}

// skew is how far the token endpoint's clock is ahead of ours. A lab PC's clock
// may be an hour off, and no server takes an assertion from another hour.
type skew time.Duration

// littleSkew is within what servers take, and what the answer's way and the
// whole seconds of its Date leave uncertain.
const littleSkew = 30 * time.Second

// learn takes in the Date of an answer that came at now, and reports whether
// that changed anything.
func (s *skew) learn(date, now time.Time) bool {
	if date.IsZero() {
		return false
	}
	d := date.Sub(now.Round(0)) // by the wall clocks
	if (d - time.Duration(*s)).Abs() < littleSkew {
		return false
	}
	*s = skew(d)
	return true
}

// now is the server's time.
func (s skew) now(ours time.Time) time.Time { return ours.Add(time.Duration(s)) }
