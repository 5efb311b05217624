package deliver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"
)

const (
	// tolerated is how many requests in a row may stay without a usable answer
	// before the server counts as away. One may be the fault of one message.
	tolerated = 2

	// longestProbePause bounds the time between probes, and so how late a server
	// that is back is noticed. One request in five seconds is no burden.
	longestProbePause = 5 * time.Second

	// longestAsked bounds what a server can make us wait with Retry-After and
	// the like.
	longestAsked = 5 * time.Minute
)

// breaker keeps lanes from storming a server that is away.
type breaker struct {
	log zerolog.Logger

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when open or probing changes
	open    bool
	reason  string
	since   time.Time // of open
	failed  int       // in a row
	probing bool
	next    time.Time // no probe before this
	waiting []*waiter // in the order of their coming
	pauses  *backoff.ExponentialBackOff
	heard   time.Time // last answer
	success time.Time // last 2xx
}

// waiter has a size, so that no two have one address.
type waiter struct{ _ byte }

// pass is the leave to make one request. It must be given back by exactly one
// of its methods.
type pass struct {
	b     *breaker
	probe bool
}

func newBreaker(log zerolog.Logger) *breaker {
	b := &breaker{log: log, changed: make(chan struct{}), pauses: backoff.NewExponentialBackOff()}
	b.pauses.InitialInterval, b.pauses.Multiplier, b.pauses.RandomizationFactor = time.Second, 2, 0.2
	b.pauses.MaxInterval = longestProbePause
	return b
}

// enter waits until the server may be asked. Before it waits it calls told with
// the reason.
func (b *breaker) enter(ctx context.Context, told func(reason string)) (pass, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var me *waiter
	for b.open {
		if me == nil {
			me = &waiter{}
			b.waiting = append(b.waiting, me)
		}
		first := b.waiting[0] == me && !b.probing
		pause := time.Until(b.next)
		if first && pause <= 0 {
			b.leave(me)
			b.probing = true
			return pass{b, true}, nil
		}
		if !first {
			pause = 0
		}
		if err := b.wait(ctx, pause, told); err != nil {
			b.leave(me)
			b.announce() // somebody else may be first now
			return pass{}, err
		}
	}
	if me != nil {
		b.leave(me)
	}
	return pass{b, false}, nil
}

// wait gives b.mu up until something changes, or for d if that is not zero.
func (b *breaker) wait(ctx context.Context, d time.Duration, told func(string)) error {
	changed, reason := b.changed, b.reason
	b.mu.Unlock()
	defer b.mu.Lock()
	told(reason)
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-timer:
	}
	return nil
}

func (b *breaker) leave(me *waiter) {
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool { return w == me })
}

func (b *breaker) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// up tells that the server answered.
func (p pass) up(success bool) {
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.heard, b.failed = now, 0
	if success {
		b.success = now
	}
	b.pauses.Reset()
	if p.probe {
		b.probing = false
	}
	if b.open {
		b.log.Info().Stringer("away", now.Sub(b.since).Round(time.Second)).Msg("the server answers again")
		b.open, b.reason, b.probing = false, "", false
		b.announce()
	}
}

// down tells that there was no usable answer. It is certain if the request
// never reached a server.
func (p pass) down(reason string, certain bool, asked time.Duration) {
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed++
	if p.probe {
		b.probing = false
	}
	switch {
	case !b.open && (certain || b.failed > tolerated):
		b.open, b.since = true, time.Now()
		b.log.Warn().Str("reason", reason).Msg("the server is away; one lane at a time tries until it answers")
	case !b.open:
		return
	case !p.probe:
		return // sent before the breaker opened: nothing new
	}
	b.reason = reason
	b.next = time.Now().Add(max(min(b.pauses.NextBackOff(), longestProbePause), min(asked, longestAsked)))
	b.announce()
}

// unused gives the leave back without a request having been made.
func (p pass) unused() {
	if !p.probe {
		return
	}
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.probing = false
	p.b.next = time.Now().Add(p.b.pauses.NextBackOff())
	p.b.announce()
}

// isOpen reports whether lanes have to wait in enter.
func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// lastHeard is when the server last answered.
func (b *breaker) lastHeard() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.heard
}

func (b *breaker) state(s *ServerState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Reachable = !b.open && !b.heard.IsZero()
	s.LastSuccess = b.success
	if b.open {
		s.Waiting, s.Cause, s.Since = b.reason, CauseNetwork, b.since
	}
}
