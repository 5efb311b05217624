package deliver

import (
	"context"
	"net/http"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// State is what the status page shows. It holds no patient data.
type State struct {
	Server ServerState
	Lanes  []LaneState
}

// ServerState is how the server does, seen from here.
type ServerState struct {
	URL         string
	Reachable   bool      // it answered when it was last asked
	LastSuccess time.Time // last 2xx; zero: none yet

	// Waiting is why nothing goes on now, or for which reason the lane that
	// waits longest does; Since is since when. "" means that nobody waits.
	Waiting string
	Cause   Cause
	Since   time.Time

	RateLimit RateLimit
}

// RateLimit is what the server last said of the limit that is nearest; all zero
// where it says nothing, or nothing of the present window. The header does not
// tell the limit itself: Limit is the most that was ever left.
type RateLimit struct {
	Limit, Remaining uint64
	Resets           time.Time
}

// Cause sorts the reasons to wait by what a person can do about them.
type Cause string

// The values of Cause.
const (
	CauseNone        Cause = ""
	CauseNetwork     Cause = "network"     // no answer: network, name, TLS, timeout
	CauseServer      Cause = "server"      // it answers that it cannot, or not now
	CauseCredentials Cause = "credentials" // it does not take the credentials
	CauseForbidden   Cause = "forbidden"   // it does not let the client do this
	CauseSpool       Cause = "spool"       // the spool on this computer fails
)

// cause sorts a verdict that lets the same be sent again.
func (v verdict) cause() Cause {
	switch {
	case v.action == renew || v.refused:
		return CauseCredentials
	case v.status == http.StatusForbidden:
		return CauseForbidden
	case v.status == 0:
		return CauseNetwork
	}
	return CauseServer
}

// LaneState is how one lane does.
type LaneState struct {
	Name        string
	Waiting     string    // why its head is not on its way; "" if it is, or if there is none
	Cause       Cause     // of Waiting
	Since       time.Time // since when the head has been held up, whatever the reasons
	Seq         spool.Seq // the head, or the last one; 0: none yet
	Attempts    int       // requests made for the head
	LastSuccess time.Time // when a message was last delivered; zero: not yet
	Delivered   uint64    // since the start
	Parked      uint64    // since the start
	Moved       time.Time // when the lane last did anything: while it has work that is never longer ago than LongestStep
}

// LongestStep bounds the time from one sign of a lane with work to its next: a
// server's longest Retry-After, a request with a new token tried twice, and its
// turn among the other lanes.
func (d *Deliverer) LongestStep() time.Duration {
	return 2*longestAsked + 2*(authTimeout+2*d.o.Timeout)
}

// State tells how the lanes and the server do.
func (d *Deliverer) State() State {
	s := State{Server: ServerState{URL: d.o.BaseURL, RateLimit: d.pacer.tightest(time.Now())}}
	d.mu.Lock()
	lanes := d.lanes
	d.mu.Unlock()
	for _, l := range lanes {
		l.mu.Lock()
		own := l.state
		l.mu.Unlock()
		if own.Waiting != "" && (s.Server.Waiting == "" || own.Since.Before(s.Server.Since)) {
			s.Server.Waiting, s.Server.Cause, s.Server.Since = own.Waiting, own.Cause, own.Since
		}
		s.Lanes = append(s.Lanes, own)
	}
	d.breaker.state(&s.Server)
	return s
}

// head notes which message is at the head now.
func (l *lane) head(q spool.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Moved = time.Now()
	if l.state.Seq != q {
		l.state.Seq, l.state.Attempts = q, 0
	}
}

// away notes that the lane does not go on because the server is away, limited
// that it does not because the server's limit is near.
func (l *lane) away(why string)    { l.note(why, CauseNetwork) }
func (l *lane) limited(why string) { l.note(why, CauseServer) }

// note notes why the lane does not go on.
func (l *lane) note(why string, c Cause) (news bool, seq spool.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	news = l.state.Waiting != why
	l.state.Moved = time.Now()
	if l.state.Since.IsZero() {
		l.state.Since = l.state.Moved
	}
	l.state.Waiting, l.state.Cause = why, c
	return news, l.state.Seq
}

// wait is note with a line in the log, once for each reason.
func (l *lane) wait(why string, c Cause) {
	if news, seq := l.note(why, c); news && !l.d.breaker.isOpen() { // the breaker has said so for all lanes
		l.log.Warn().Uint64("seq", uint64(seq)).Str("reason", why).Msg("lane waits")
	}
}

// send notes a request. The reason to wait stays in sight until something went
// well.
func (l *lane) send() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Attempts++
	l.state.Moved = time.Now()
}

// progress notes that the server took something.
func (l *lane) progress() {
	l.pauses.Reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Waiting, l.state.Cause, l.state.Since, l.state.Moved = "", CauseNone, time.Time{}, time.Now()
}

// settled notes that the head has come to its end.
func (l *lane) settled(delivered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Waiting, l.state.Cause, l.state.Since, l.state.Moved = "", CauseNone, time.Time{}, time.Now()
	if delivered {
		l.state.Delivered++
		l.state.LastSuccess = l.state.Moved
	} else {
		l.state.Parked++
	}
}

// pass waits after a verdict that lets the same be sent again. It reports false
// when ctx ended. Where the breaker is open, the breaker decides how long.
func (l *lane) pass(ctx context.Context, v verdict) bool {
	if v.away && l.d.breaker.isOpen() {
		l.wait(v.why, v.cause())
		return ctx.Err() == nil
	}
	l.pause(ctx, v.why, v.cause(), v.asked)
	return ctx.Err() == nil
}

// quiet is how long the server may be silent before it is asked whether it is
// there, so that the status page of an idle agent is right.
const quiet = time.Minute

// watch asks after the server while nothing is sent, until ctx ends.
func (d *Deliverer) watch(ctx context.Context) {
	probe := Probe(d.client.http, d.o.BaseURL)
	for ctx.Err() == nil {
		if rest := quiet - time.Since(d.breaker.lastHeard()); rest > 0 {
			drivers.Pause(ctx, rest)
			continue
		}
		leave, err := d.breaker.enter(ctx, func(string) {})
		if err != nil {
			return
		}
		within, cancel := context.WithTimeout(ctx, authTimeout)
		err = probe(within)
		cancel()
		if err != nil {
			leave.down(oneLine(err.Error()), false, 0)
			drivers.Pause(ctx, longestProbePause)
			continue
		}
		leave.up(false)
	}
}
