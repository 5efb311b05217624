package auth

import (
	"context"
	"time"
)

// secretPoll is how often a refused secret is looked at again. It is read
// from where it is kept; the server is asked only if it changed.
const secretPoll = 5 * time.Second

// shortLife is the life below which a token is renewed early only if somebody
// uses it: an idle agent does not ask for a token every second.
const shortLife = time.Minute

// Run fetches and renews tokens until ctx ends, and then returns nil. Tokens
// that were fetched stay usable after that.
func (a *Authorizer) Run(ctx context.Context) error {
	defer a.stop()
	if a.o.Method == MethodBasic {
		<-ctx.Done()
		return nil
	}
	for {
		at, ask := a.due(time.Now())
		if ask {
			if wait := time.Until(at); wait <= 0 {
				a.attempt(ctx)
			} else {
				a.sleep(ctx, wait)
			}
		} else {
			a.sleep(ctx, 0)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (a *Authorizer) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	a.announce()
}

// sleep waits until woken, until ctx ends, or, if d is not zero, for d.
func (a *Authorizer) sleep(ctx context.Context, d time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-a.wake:
	case <-timer:
	}
}

// due returns when the next token request is to be made, if at all. While a
// secret stands refused, it is the time to look at the secret again.
func (a *Authorizer) due(now time.Time) (at time.Time, ask bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.fallback():
		return a.next, true
	case a.fault != nil:
		if a.refused != "" && now.Before(a.next) {
			return earlier(a.next, a.tried.Add(secretPoll)), true
		}
		return a.next, true
	case a.token == nil:
		return a.next, true
	case a.token.life() < shortLife && !a.token.used:
		return time.Time{}, a.wanted
	}
	return a.token.renewAt(), true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// attempt asks for a token, if it is time to, and takes the outcome in.
func (a *Authorizer) attempt(ctx context.Context) {
	if a.unchangedSecret() {
		return
	}
	t, secret, fault := a.fetch(ctx)
	if ctx.Err() != nil {
		return
	}
	answers := fault != nil && a.mayGiveUp(fault) && a.probe(ctx)

	a.mu.Lock()
	defer a.mu.Unlock()
	a.tried = time.Now()
	a.wanted = false
	if fault == nil {
		a.accept(t)
	} else {
		a.fail(fault, secret, answers)
	}
	a.announce()
}

// unchangedSecret reports whether a refused secret is still the same while it
// is not yet time to try it again nevertheless.
func (a *Authorizer) unchangedSecret() bool {
	a.mu.Lock()
	refused, early := a.refused, time.Now().Before(a.next)
	a.mu.Unlock()
	if refused == "" || !early {
		return false
	}
	if p, err := a.proof(); err == nil && p.secret != refused {
		return false
	}
	a.mu.Lock()
	a.tried = time.Now()
	a.mu.Unlock()
	return true
}

// mayGiveUp reports whether OAuth2 has been unreachable for so long that only
// the FHIR base has to be asked before falling back.
func (a *Authorizer) mayGiveUp(fault *Error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	return a.o.Method == MethodAuto && a.method == MethodOAuth2 && a.o.Probe != nil &&
		fault.Fault == Unreachable && !a.token.usable(now) &&
		!a.awaySince.IsZero() && now.Sub(a.awaySince) >= a.o.FallbackAfter
}

func (a *Authorizer) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return a.o.Probe(ctx) == nil
}

// accept takes a new token into use. a.mu is held.
func (a *Authorizer) accept(t *token) {
	a.serial++
	t.serial = a.serial
	a.token = t
	if a.fault != nil || a.fallback() {
		a.o.Log.Info().Stringer("life", t.life().Round(time.Second)).Msg("access token received; OAuth2 is in use")
	}
	a.fault, a.awaySince, a.refused = nil, time.Time{}, ""
	a.failures.Reset()
	a.next = a.tried
	a.use(MethodOAuth2, "")
}

// fail takes a failed token request in. a.mu is held.
func (a *Authorizer) fail(fault *Error, secret string, baseAnswers bool) {
	if a.fault == nil || a.fault.Error() != fault.Error() {
		a.o.Log.Warn().Str("fault", string(fault.Fault)).Int("status", fault.Status).Msg(fault.Error())
	}
	a.fault, a.faultAt, a.refused = fault, a.tried, ""
	if fault.Fault != Unreachable {
		a.awaySince = time.Time{}
	} else if a.awaySince.IsZero() {
		a.awaySince = a.tried
	}
	a.next = a.tried.Add(max(min(a.failures.NextBackOff(), time.Minute), fault.Wait))
	valid := a.token.usable(a.tried)
	switch {
	case fault.Fault == Refused:
		a.refused = secret
		a.use(MethodOAuth2, "") // also ends a fallback
	case a.fallback():
		a.next = a.tried.Add(a.o.Reprobe)
	case a.o.Method != MethodAuto || valid:
	case fault.Fault == Unavailable:
		a.fallBack(fault.Text)
	case fault.Fault == Unreachable && baseAnswers:
		a.fallBack("the token endpoint is unreachable since " + a.awaySince.UTC().Format(time.RFC3339) + " while the server answers: " + fault.Text)
	}
	a.hurry(valid)
}

// hurry brings the next try forward to the moments at which it may decide on a
// fallback. a.mu is held.
func (a *Authorizer) hurry(valid bool) {
	if a.o.Method != MethodAuto || a.fallback() {
		return
	}
	if valid {
		a.next = earlier(a.next, a.token.usableUntil())
	}
	if !a.awaySince.IsZero() {
		if at := a.awaySince.Add(a.o.FallbackAfter); at.After(a.tried) {
			a.next = earlier(a.next, at)
		}
	}
}

// fallBack takes Basic into use. a.mu is held.
func (a *Authorizer) fallBack(reason string) {
	a.token = nil
	a.next = a.tried.Add(a.o.Reprobe)
	a.use(MethodBasic, reason)
	a.o.Log.Warn().Str("reason", reason).Stringer("reprobe", a.o.Reprobe).Msg("OAuth2 is unavailable; basic authentication is in use")
}

// use sets the method in use. a.mu is held.
func (a *Authorizer) use(method, reason string) {
	if a.method != method {
		a.since = a.tried
	}
	a.method, a.reason = method, reason
}
