package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// credentials is the one client that the server knows, and its tokens.
type credentials struct {
	mu       sync.Mutex
	id       string
	secret   string
	retiring string // after a rotation: good for tokens, not for Basic at FHIR
	tokens   map[string]time.Time
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// tokenSecret reports whether the pair is good for a token; unknown tells a
// wrong client from a wrong secret.
func (c *credentials) tokenSecret(id, secret string) (ok, unknown bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != c.id {
		return false, true
	}
	return same(secret, c.secret) || c.retiring != "" && same(secret, c.retiring), false
}

func (c *credentials) basic(id, secret string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return id == c.id && same(secret, c.secret)
}

func (c *credentials) bearer(token string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ends, ok := c.tokens[token]
	return ok && now.Before(ends)
}

// issue remembers a new token, and forgets those that have ended.
func (c *credentials) issue(token string, now, ends time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t, e := range c.tokens {
		if !now.Before(e) {
			delete(c.tokens, t)
		}
	}
	c.tokens[token] = ends
}

// ExpireTokens ends every token that was given out so far.
func (s *Server) ExpireTokens() {
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	clear(s.creds.tokens)
}

// RotateSecret gives the client a new secret. As observed, the old one still
// gets tokens, but is refused as Basic at FHIR. Tokens stay good.
func (s *Server) RotateSecret(secret string) {
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	s.creds.retiring, s.creds.secret = s.creds.secret, secret
}

// token answers the token endpoint. Errors are 400 whatever they are, and a
// body that is not a form is refused in plain text.
func (s *Server) token(c *call) reply {
	if c.r.Method != http.MethodPost {
		return newReply(http.StatusNotFound, textType, []byte("Not found"))
	}
	if c.mediaType() != "application/x-www-form-urlencoded" {
		return newReply(http.StatusBadRequest, textType, []byte("Unsupported content type"))
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return tokenError("invalid_request", "Invalid request")
	}
	id, secret, header := c.r.BasicAuth()
	if !header {
		id, secret = form.Get("client_id"), form.Get("client_secret")
		if id != "" {
			c.entry.Auth = AuthForm
		}
	}
	switch grant := form.Get("grant_type"); grant {
	case "client_credentials":
	case "":
		return tokenError("invalid_request", "Missing grant_type")
	default:
		return tokenError("unsupported_grant_type", "Unsupported grant type")
	}
	switch ok, unknown := s.creds.tokenSecret(id, secret); {
	case unknown:
		return tokenError("invalid_request", "Invalid client")
	case !ok:
		return tokenError("invalid_request", "Invalid secret")
	}
	now := s.o.Now()
	access := newToken(id, now, now.Add(s.o.TokenLifetime))
	s.creds.issue(access, now, now.Add(s.o.TokenLifetime))
	body, _ := json.Marshal(map[string]any{ // strings and an int: cannot fail
		"token_type":   "Bearer",
		"expires_in":   int(s.o.TokenLifetime / time.Second),
		"scope":        "openid",
		"id_token":     newToken(id, now, now.Add(s.o.TokenLifetime)),
		"access_token": access,
	})
	rep := newReply(http.StatusOK, jsonType, body)
	rep.header.Set("Cache-Control", "no-store")
	return rep
}

func tokenError(code, description string) reply {
	body, _ := json.Marshal(map[string]string{"error": code, "error_description": description})
	return newReply(http.StatusBadRequest, jsonType, body)
}

// newToken looks like the ES256 JWT of the real server. Its signature is
// random: it is good because the server remembers it.
func newToken(client string, issued, ends time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	id, _ := json.Marshal(client)
	claims := fmt.Sprintf(`{"sub":%s,"client_id":%s,"scope":"openid","iat":%d,"exp":%d}`, id, id, issued.Unix(), ends.Unix())
	sig := make([]byte, 64)
	rand.Read(sig)
	return part([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + part([]byte(claims)) + "." + part(sig)
}

// Schemes by which a request can show who sends it.
const (
	AuthNone   = "none"
	AuthBasic  = "basic"
	AuthBearer = "bearer"
	AuthForm   = "form" // client id and secret in the body of a token request
	AuthOther  = "other"
)

func authScheme(r *http.Request) string {
	h := r.Header.Get("Authorization")
	scheme, _, _ := strings.Cut(h, " ")
	switch {
	case h == "":
		return AuthNone
	case strings.EqualFold(scheme, "basic"):
		return AuthBasic
	case strings.EqualFold(scheme, "bearer"):
		return AuthBearer
	}
	return AuthOther
}

// known reports whether a FHIR request shows good credentials.
func (s *Server) known(r *http.Request) bool {
	switch authScheme(r) {
	case AuthBasic:
		id, secret, ok := r.BasicAuth()
		return ok && s.creds.basic(id, secret)
	case AuthBearer:
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return s.creds.bearer(strings.TrimSpace(token), s.o.Now())
	}
	return false
}
