package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	// unknownLife is the life of a token that says nothing of it.
	unknownLife = time.Hour

	// longestLife bounds what an answer may claim, so that arithmetic with it
	// stays sane.
	longestLife = 30 * 24 * time.Hour

	// longestAnswer bounds what is read of a token endpoint's answer.
	longestAnswer = 256 << 10
)

// token is an access token and its times, which are on the monotonic clock.
type token struct {
	access  string
	got     time.Time // when it was asked for: its life began later
	expires time.Time
	serial  uint64 // tells it from every other token
	used    bool
}

func (t *token) life() time.Duration { return t.expires.Sub(t.got) }

// renewAt is when a new token is to be asked for: at 80 % of the life.
func (t *token) renewAt() time.Time { return t.got.Add(t.life() / 5 * 4) }

// usableUntil is a little before the end, so that a request which leaves now
// still arrives in time.
func (t *token) usableUntil() time.Time {
	return t.expires.Add(-min(10*time.Second, t.life()/10))
}

func (t *token) usable(now time.Time) bool { return t != nil && now.Before(t.usableUntil()) }

// fetch makes one token request. The secret that it was made with is returned,
// too, so that the caller can tell later whether it was replaced.
func (a *Authorizer) fetch(ctx context.Context) (*token, string, *Error) {
	p, err := a.proof()
	if err != nil {
		// Its own fault kind would change nothing: it is not the server's no, so
		// it waits and tries again, and it never leads to Basic, which most often
		// uses the same secret.
		return nil, p.secret, &Error{Fault: Refused, Text: printable(err.Error(), nil)}
	}
	t, fault, turned := a.request(ctx, p)
	if fault != nil && fault.Fault == Refused && turned && a.o.ClientAuth == ByKey {
		// The assertion was made by a clock that the server does not share.
		if again, err := a.proof(); err == nil {
			t, fault, _ = a.request(ctx, again)
			p = again
		}
	}
	return t, p.secret, fault
}

// request makes one token request with p. It reports whether the answer changed
// what is known of the server's clock.
func (a *Authorizer) request(ctx context.Context, p proof) (t *token, fault *Error, turned bool) {
	client, tidy := *a.http, &tidyTransport{next: a.http.Transport}
	client.Transport = tidy
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, &client), tokenTimeout)
	defer cancel()
	asked := time.Now()
	answer, err := p.config.Token(ctx)
	turned = a.skew.learn(tidy.date, time.Now())
	if err != nil {
		e := judge(err, p.hide...)
		if e.Fault == Limited {
			e.Wait = tidy.wait
		}
		return nil, e, turned
	}
	t, fault = readToken(answer, asked)
	return t, fault, turned
}

// readToken takes what is needed out of an answer to a request made at asked.
func readToken(answer *oauth2.Token, asked time.Time) (*token, *Error) {
	if !strings.EqualFold(answer.Type(), "Bearer") {
		return nil, unreachable(fmt.Sprintf("the token's type is %q, not Bearer", code(strings.ToLower(answer.TokenType))))
	}
	if strings.ContainsFunc(answer.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, unreachable("the token holds characters that no header can carry (RFC 6750, 2.1)")
	}
	life := unknownLife
	if !answer.Expiry.IsZero() {
		// x/oauth2 counts from when the answer came. The server may have begun
		// as early as when it was asked.
		life = answer.Expiry.Sub(asked) - time.Since(asked)
	}
	life = min(max(life, 100*time.Millisecond), longestLife)
	return &token{access: answer.AccessToken, got: asked, expires: asked.Add(life)}, nil
}

// tidyTransport makes answers of token endpoints readable for x/oauth2, which
// fails on an expires_in of "3600.0" or "", and takes JSON labelled text/plain
// for a form. It serves one request.
type tidyTransport struct {
	next http.RoundTripper
	wait time.Duration // the answer's Retry-After
	date time.Time     // the server's clock; zero: it did not tell
}

// RoundTrip implements [http.RoundTripper].
func (t *tidyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		t.wait = min(time.Duration(seconds)*time.Second, time.Hour)
	}
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		t.date = date
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	if tidied, ok := tidy(body); ok {
		body = tidied
		answer.Header.Set("Content-Type", "application/json")
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	return answer, nil
}

// tidy returns a JSON object with its expires_in as a whole number of seconds,
// or without it if it makes no sense. It reports false for anything else.
func tidy(body []byte) ([]byte, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return nil, false
	}
	for name, raw := range members {
		if !strings.EqualFold(name, "expires_in") { // encoding/json folds, so x/oauth2 does
			continue
		}
		delete(members, name)
		if seconds, ok := wholeSeconds(raw); ok {
			members[name] = strconv.AppendInt(nil, seconds, 10)
		}
	}
	tidied, err := json.Marshal(members)
	return tidied, err == nil
}

// wholeSeconds reads a positive number of seconds, quoted or not, rounded down
// but not to nothing.
func wholeSeconds(raw json.RawMessage) (int64, bool) {
	text := strings.TrimSpace(strings.Trim(strings.TrimSpace(string(raw)), `"`))
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 {
		return 0, false
	}
	return int64(max(1, min(seconds, longestLife.Seconds()))), true
}
