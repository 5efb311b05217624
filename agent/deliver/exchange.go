package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
)

// authTimeout bounds the wait for a token. Authorize answers sooner if it knows
// that there will be none.
const authTimeout = 30 * time.Second

// errStopped ends the work on a message when Run ends. The message comes again.
var errStopped = errors.New("delivery is stopping")

// call is one request to the server.
type call struct {
	method  string
	address string
	body    []byte
	entries int // for the pacer; 0 for what is not paced
	found   int // entries that a usable answer has; -1: any number

	single  string // the answer is no Bundle but a resource of this type, or empty
	ifMatch string // the version that an update is of

	raw       bool   // the body is an analyzer's message, and any answer will do but a web page
	mediaType string // of body, "" for FHIR
	key       string // the message's, for a receiver that wants to know one again
}

// exchange makes a request when the breaker, the gate and the authorizer let
// it, and judges the answer. It waits for them, and for nothing else. Its error
// is errStopped.
func (d *Deliverer) exchange(ctx context.Context, l *lane, c call) ([]entryAnswer, verdict, error) {
	leave, err := d.breaker.enter(ctx, l.away)
	if err != nil {
		return nil, verdict{}, errStopped
	}
	if err := d.gate.Acquire(ctx, 1); err != nil {
		leave.unused()
		return nil, verdict{}, errStopped
	}
	l.send()
	entries, v, made := d.attempt(ctx, c)
	d.gate.Release(1)
	switch {
	case !made:
		leave.unused()
	case v.away:
		leave.down(v.why, v.sure, v.asked)
	default:
		leave.up(v.action == accept)
	}
	if v.limit {
		// The limit is the client's, so everybody waits, and not much longer than
		// it lasts.
		d.pacer.pause(max(v.asked, time.Second), time.Now())
	}
	return entries, v, nil
}

// attempt makes a request, and makes it again at once if the credential was
// rejected and another one is to be had. It reports whether any was made.
func (d *Deliverer) attempt(ctx context.Context, c call) (entries []entryAnswer, v verdict, made bool) {
	ctx, cancel := graceful(ctx, authTimeout+d.o.Timeout, d.o.Grace)
	defer cancel()
	entries, v, ticket, made := d.once(ctx, c)
	if v.action == renew {
		d.o.Auth.Reject(ticket)
		entries, v, _, _ = d.once(ctx, c)
	}
	return entries, v, made
}

func (d *Deliverer) once(ctx context.Context, c call) (entries []entryAnswer, v verdict, ticket auth.Ticket, sent bool) {
	r, err := d.client.request(ctx, c.method, c.address, c.body, !c.raw)
	if err != nil {
		return nil, verdict{action: demand, why: "the request cannot be made: " + oneLine(err.Error())}, ticket, false
	}
	if c.mediaType != "" {
		r.Header.Set("Content-Type", c.mediaType)
		r.Header.Set("Accept", "*/*")
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", `"`+c.key+`"`)
	}
	if c.ifMatch != "" {
		r.Header.Set("If-Match", c.ifMatch)
	}
	ticket, err = d.authorize(ctx, r)
	if err != nil {
		return nil, noCredentials(err), ticket, false
	}
	within, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	a, err := d.client.do(r.WithContext(within))
	if err != nil {
		why, sure := describe(err)
		return nil, verdict{action: repeat, why: why, away: true, sure: sure}, ticket, true
	}
	now := time.Now()
	if c.entries > 0 {
		d.pacer.learn(a.header.Values("RateLimit"), c.entries, now)
	}
	v = judgeAnswer(a, now)
	switch {
	case a.status == http.StatusUnsupportedMediaType && r.Header.Get("Content-Encoding") != "":
		d.client.plain.Store(true)
		v.action, v.why = repeat, "the server does not take compressed requests; sending them plain"
	case v.action == accept && c.raw:
		if a.isPage() {
			v = notFHIR(a.status)
		}
	case v.action == accept && c.single != "":
		if !a.isResource(c.single) {
			v = notFHIR(a.status)
		}
	case v.action == accept:
		var whole bool
		if entries, whole = parseBundle(a.body, c.found); !whole {
			v = notFHIR(a.status)
			break
		}
		for _, e := range entries {
			if c.entries > 0 && e.verdict().action == renew {
				v = e.verdict()
			}
		}
	}
	return entries, v, ticket, true
}

// notFHIR is the verdict on a 2xx that cannot be of a FHIR server.
func notFHIR(status int) verdict {
	return verdict{action: repeat, status: status, away: true, why: "the answer is cut off, or not FHIR: a portal or proxy may answer in the server's place"}
}

// isResource reports whether the answer to an update can be one: empty, the
// resource, or what the server has to say of it.
func (a answer) isResource(resourceType string) bool {
	var r resourceAnswer
	return len(a.body) == 0 || json.Unmarshal(a.body, &r) == nil && (r.ResourceType == resourceType || r.ResourceType == "OperationOutcome")
}

func (d *Deliverer) authorize(ctx context.Context, r *http.Request) (auth.Ticket, error) {
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	return d.o.Auth.Authorize(ctx, r)
}

// noCredentials is the verdict on a request that had none. It is repeated as
// soon as the authorizer expects to have some.
func noCredentials(err error) verdict {
	v := verdict{action: demand, why: "no credentials: " + oneLine(err.Error())}
	if fault, ok := errors.AsType[*auth.Error](err); ok {
		v.asked, v.refused = fault.Wait, fault.Fault == auth.Refused
	}
	return v
}

// Probe returns a function that reports whether anything answers at a FHIR
// base, with or without credentials: nil, unless the answer never came or was a
// proxy's excuse. It is what the fallback of package auth asks.
func Probe(h *http.Client, base string) func(context.Context) error {
	c, address := newClient(h, ""), strings.TrimRight(base, "/")+"/metadata"
	return func(ctx context.Context) error {
		r, err := c.request(ctx, http.MethodHead, address, nil, false)
		if err != nil {
			return fmt.Errorf("probe server: %w", err)
		}
		a, err := c.do(r)
		if err != nil {
			why, _ := describe(err)
			return errors.New("probe server: " + why)
		}
		if v := judgeAnswer(a, time.Now()); v.away {
			return errors.New("probe server: " + v.why)
		}
		return nil
	}
}
