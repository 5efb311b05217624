package sandbox

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is what goes wrong with one request. The zero Fault is nothing. Its
// fields act together: a request can be slow, done, and never answered.
type Fault struct {
	// Delay comes before the work. The work is done also when the client has
	// gone away meanwhile: real servers commit late too.
	Delay time.Duration

	// Hold comes after the work and before the answer.
	Hold time.Duration

	// Status is answered instead of doing the work. Without a Body it comes
	// with the OperationOutcome of that status, or a JSON error at the token
	// endpoint.
	Status      int
	Header      http.Header
	ContentType string // of Body; "" means JSON
	Body        string

	// Break kills the connection.
	Break Break

	// Entry, if set, is asked for every entry of a bundle, just before that is
	// processed, and answers the status with which it is refused, or 0. A 429
	// ends a batch: what comes after it is refused alike. It must not send
	// requests to the server: writing waits for it.
	Entry func(Entry) int
}

// Break says when a connection dies.
type Break uint8

const (
	NoBreak        Break = iota
	BreakAtOnce          // before anything is done
	BreakAfterWork       // reset after everything was stored, without a byte of answer
	BreakInAnswer        // closed in the middle of the answer
)

// Entry is one entry of a bundle, as a Fault sees it.
type Entry struct {
	Index       int // in the bundle
	Method      string
	URL         string
	IfNoneExist string
}

func (f Fault) none() bool {
	return f.Delay == 0 && f.Hold == 0 && f.Status == 0 && f.Break == NoBreak && f.Entry == nil
}

// Hook chooses the Fault of a request. It is called for every request, by many
// goroutines, before the body is read.
type Hook func(r *http.Request) Fault

// SetFault makes h choose the fault of every request from now on; nil ends all
// faults.
func (s *Server) SetFault(h Hook) {
	if h == nil {
		s.hook.Store(nil)
		return
	}
	s.hook.Store(&h)
}

func (s *Server) faultOf(r *http.Request) Fault {
	if h := s.hook.Load(); h != nil {
		return (*h)(r)
	}
	return Fault{}
}

// cannedReply is the answer of a fault with a Status.
func (s *Server) cannedReply(c *call) reply {
	f := c.fault
	var rep reply
	switch {
	case f.Body != "":
		rep = newReply(f.Status, f.ContentType, []byte(f.Body))
		if f.ContentType == "" {
			rep.header.Set("Content-Type", jsonType)
		}
	case c.r.URL.Path == TokenPath && f.Status != http.StatusTooManyRequests:
		rep = tokenError("server_error", http.StatusText(f.Status))
		rep.status = f.Status
	default:
		rep = s.refusal(f.Status).reply()
	}
	for k, v := range f.Header {
		rep.header[http.CanonicalHeaderKey(k)] = slices.Clone(v)
	}
	return rep
}

// The faults that tests ask for most.

// Down kills the connection before anything is done.
func Down() Fault { return Fault{Break: BreakAtOnce} }

// LostAnswer does all the work and then resets the connection.
func LostAnswer() Fault { return Fault{Break: BreakAfterWork} }

// CutAnswer does all the work and sends half of the answer.
func CutAnswer() Fault { return Fault{Break: BreakInAnswer} }

// Reply answers with the status and does nothing.
func Reply(status int) Fault { return Fault{Status: status} }

// HTMLPage answers with a web page, as proxies and captive portals do.
func HTMLPage(status int) Fault {
	return Fault{Status: status, ContentType: "text/html", Body: "<!DOCTYPE html><title>Sign in</title><p>Welcome to the network.</p>"}
}

// BlockedAddress is the token endpoint's answer to an address off its list.
func BlockedAddress() Fault {
	return Fault{Status: http.StatusBadRequest, Body: `{"error":"invalid_request","error_description":"IP address not allowed"}`}
}

// Slow takes d to begin.
func Slow(d time.Duration) Fault { return Fault{Delay: d} }

// SlowAnswer does the work at once and takes d to answer.
func SlowAnswer(d time.Duration) Fault { return Fault{Hold: d} }

// ThrottleFrom refuses the entries of a bundle with 429 from its k-th on,
// counted from 0; those before it are done.
func ThrottleFrom(k int) Fault {
	return Fault{Entry: func(e Entry) int {
		if e.Index < k {
			return 0
		}
		return http.StatusTooManyRequests
	}}
}

// RefuseEntry refuses the k-th entry of a bundle, counted from 0, with a status
// such as 409, and lets the others pass.
func RefuseEntry(k, status int) Fault {
	return Fault{Entry: func(e Entry) int {
		if e.Index != k {
			return 0
		}
		return status
	}}
}

// Always gives every request the fault.
func Always(f Fault) Hook { return func(*http.Request) Fault { return f } }

// Script gives the first request the first fault and so on, and then none.
func Script(faults ...Fault) Hook {
	var mu sync.Mutex
	next := 0
	return func(*http.Request) Fault {
		mu.Lock()
		defer mu.Unlock()
		if next >= len(faults) {
			return Fault{}
		}
		next++
		return faults[next-1]
	}
}

// Times gives the first n requests the fault.
func Times(n int, f Fault) Hook {
	var seen atomic.Int64
	return func(*http.Request) Fault {
		if seen.Add(1) > int64(n) {
			return Fault{}
		}
		return f
	}
}

// Transient returns the faults that a client has to ride out without losing or
// doubling anything, for Random.
func Transient() []Fault {
	return []Fault{
		Down(), LostAnswer(), CutAnswer(), HTMLPage(http.StatusBadGateway),
		Reply(http.StatusRequestTimeout), Reply(http.StatusConflict),
		Reply(http.StatusTooManyRequests), Reply(http.StatusInternalServerError),
		Reply(http.StatusServiceUnavailable), ThrottleFrom(1),
		RefuseEntry(0, http.StatusConflict), RefuseEntry(1, http.StatusInternalServerError),
	}
}

// Random gives requests, with probability p, one of the faults. The same seed
// gives the same sequence of choices; which request meets which of them depends
// on the order in which they come.
func Random(seed uint64, p float64, faults ...Fault) Hook {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, seed))
	return func(*http.Request) Fault {
		mu.Lock()
		defer mu.Unlock()
		if len(faults) == 0 || rng.Float64() >= p {
			return Fault{}
		}
		return faults[rng.IntN(len(faults))]
	}
}

// OnToken limits a hook to the token endpoint.
func OnToken(h Hook) Hook {
	return when(h, func(r *http.Request) bool { return r.URL.Path == TokenPath })
}

// OnFHIR limits a hook to FHIR.
func OnFHIR(h Hook) Hook {
	return when(h, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, BasePath) })
}

// OnBundle limits a hook to bundles.
func OnBundle(h Hook) Hook {
	return when(h, func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.TrimSuffix(r.URL.Path, "/") == BasePath
	})
}

func when(h Hook, is func(*http.Request) bool) Hook {
	return func(r *http.Request) Fault {
		if !is(r) {
			return Fault{}
		}
		return h(r)
	}
}

// Any asks the hooks in turn, and takes the first fault that one of them has.
func Any(hooks ...Hook) Hook {
	return func(r *http.Request) Fault {
		for _, h := range hooks {
			if f := h(r); !f.none() {
				return f
			}
		}
		return Fault{}
	}
}
