package auth

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Fault is what is wrong with getting a token.
type Fault string

// The values of [Fault]; the package's documentation says what is which.
const (
	Refused     Fault = "refused"
	Unavailable Fault = "unavailable"
	Limited     Fault = "limited"
	Unreachable Fault = "unreachable"
)

// Error says why there are no credentials now. It holds no secret and no body
// of an answer.
type Error struct {
	Fault  Fault
	Status int    // of the token endpoint's answer; 0: there was none
	Code   string // the OAuth2 error code, if one was given
	Text   string // what happened, for a person

	// Wait is how long no other try will be made.
	Wait time.Duration
}

// Error says what happened and, where a person can do something, what.
func (e *Error) Error() string {
	hint := ""
	switch e.Fault {
	case Refused:
		hint = "; check client_id, its secret, key or certificate, and the client's rights at the server"
	case Unavailable:
		hint = "; check token_url, or whether the server lets this client use client credentials"
	}
	return "get access token: " + string(e.Fault) + ": " + e.Text + hint
}

// errStopped is what is left to say once Run has ended.
var errStopped = errors.New("get access token: the agent is stopping")

// unreachable makes an Error of a fault below or beside OAuth2.
func unreachable(text string) *Error { return &Error{Fault: Unreachable, Text: text} }

// judge makes an Error of what a token request came to.
func judge(err error, secrets ...string) *Error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return judgeAnswer(answer, secrets)
	}
	if words, ok := certificateRefused(err); ok {
		return &Error{Fault: Refused, Text: "the token endpoint does not accept this client's certificate (" + words + ")"}
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if failed.Timeout() {
			return unreachable("no answer in time")
		}
		return unreachable(printable(failed.Err.Error(), secrets)) // without the address, which may hold anything
	}
	// What is left is x/oauth2 saying that it cannot read a 200. Its text quotes
	// the answer's first byte at most, but that is not promised.
	return unreachable("the answer is not a token; check that token_url is the token endpoint and no portal or proxy answers in its place")
}

// certificateRefused tells a TLS alert about our certificate (RFC 8446, 6.2)
// from a network that fails: it is the peer's no.
func certificateRefused(err error) (words string, ok bool) {
	alert, ok := errors.AsType[*net.OpError](err)
	if !ok || alert.Op != "remote error" || alert.Err == nil {
		return "", false
	}
	words = printable(alert.Err.Error(), nil)
	return words, strings.Contains(words, "certificate") || strings.Contains(words, "access denied")
}

func judgeAnswer(answer *oauth2.RetrieveError, secrets []string) *Error {
	e := &Error{Status: answer.Response.StatusCode, Code: code(answer.ErrorCode)}
	e.Fault = fault(e.Status, e.Code, answer.ErrorDescription)
	e.Text = fmt.Sprintf("the token endpoint answered %d", e.Status)
	if e.Code != "" {
		e.Text += " " + e.Code
	}
	if words := clean(answer.ErrorDescription, secrets); words != "" {
		e.Text += fmt.Sprintf(" (%s)", words)
	}
	return e
}

// fault sorts an answer by its status and OAuth2 error code (RFC 6749, 5.2).
func fault(status int, code, description string) Fault {
	switch code {
	case "unsupported_grant_type":
		return Unavailable
	case "unauthorized_client":
		// By the RFC this client may not use this grant. Keycloak says it of a
		// wrong secret too: with 401 in newer versions, in older ones with a 400
		// and a description that tells.
		if status == 401 || status == 403 || speaksOfCredentials(description) {
			return Refused
		}
		return Unavailable
	case "invalid_client", "invalid_request", "invalid_grant", "invalid_scope", "access_denied":
		return Refused // whatever the status
	}
	switch {
	case status == 404 || status == 405 || status == 410 || status == 501:
		return Unavailable
	case code == "slow_down":
		return Limited
	case code == "server_error" || code == "temporarily_unavailable":
		return Unreachable
	case status == 408 || status == 425 || status == 429:
		return Limited
	case status >= 500:
		return Unreachable
	case status >= 400 || code != "": // an error code inside a 200 happens
		return Refused
	}
	return Unreachable // a redirect is not followed: it may lead anywhere
}

func speaksOfCredentials(description string) bool {
	description = strings.ToLower(description)
	for _, word := range []string{"secret", "credential", "password", "authenticat", "invalid client"} {
		if strings.Contains(description, word) {
			return true
		}
	}
	return false
}

// code returns s if it looks like an OAuth2 error code.
func code(s string) string {
	if len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return s
}

// longestWord and longestText bound what is repeated of a foreign text. A word
// longer than longestWord may be a token or a hash of a secret.
const (
	longestWord = 40
	longestText = 160
)

// clean returns a server's text in a form fit for a log, or "" if it may hold
// a secret.
func clean(s string, secrets []string) string {
	for w := range strings.FieldsSeq(s) {
		if len(w) > longestWord {
			return ""
		}
	}
	return printable(s, secrets)
}

// printable returns s as one short line of ASCII, or "" if it holds a secret.
func printable(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(s, secret) {
			return ""
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }), " ")
	if len(s) > longestText {
		s = s[:longestText] + "..."
	}
	return s
}
