package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
)

// Orders says to look for the order of each specimen, so that a result names
// its patient. Nil looks for none.
type Orders struct {
	System string        // of ServiceRequest.identifier; "" takes any
	Hold   bool          // what has no order waits for a person; else it is sent without a patient
	MaxAge time.Duration // an older order does not count: specimen ids are used again
}

const (
	ordersKnown = 5 * time.Minute // how long an order that was found is believed
	mostOrders  = 4096            // specimens that are remembered
)

// requests remembers what was found. What was not found is looked for again:
// orders come late.
type requests struct {
	mu    sync.Mutex
	known map[string]knownRequest
}

type knownRequest struct {
	fhir.Request
	until time.Time
}

func (r *requests) get(tube string, now time.Time) (fhir.Request, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.known[tube]
	return k.Request, ok && now.Before(k.until)
}

func (r *requests) put(tube string, found fhir.Request, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= mostOrders || r.known == nil {
		r.known = map[string]knownRequest{}
	}
	r.known[tube] = knownRequest{found, now.Add(ordersKnown)}
}

// orders returns the message's steps with patient and orders in them, without
// what is to be held because no order, or those of two patients, were found.
func (j *job) orders(ctx context.Context) (steps []fhir.Step, refused *spool.Reason, err error) {
	o := j.lane.d.o.Orders
	j.held, j.unmatched = nil, 0
	if o == nil {
		return j.plan.Steps, nil, nil
	}
	requests, hold := map[string]fhir.Request{}, map[string]bool{}
	for i, tube := range fhir.Tubes(j.plan.Steps) {
		r, found, refused, err := j.request(ctx, tube)
		switch {
		case errors.Is(err, fhir.ErrTwoPatients):
			hold[tube] = true
			j.held = append(j.held, fmt.Sprintf("specimen %d of the message: %v", i+1, err))
		case refused != nil || err != nil:
			return nil, refused, err
		case found:
			requests[tube] = r
		case o.Hold:
			hold[tube] = true
			j.held = append(j.held, fmt.Sprintf("specimen %d of the message has no order on the server: retry when it is there", i+1))
		default:
			j.unmatched++
		}
	}
	held := map[string]bool{}
	for _, s := range j.plan.Steps {
		next := fhir.Step{Name: s.Name}
		for _, e := range s.Entries {
			if hold[e.Tube] {
				held[e.FullURL] = true
				continue
			}
			if r, ok := requests[e.Tube]; ok {
				if e, err = e.WithRequest(r); err != nil {
					return nil, reason(verdict{action: refuse, why: oneLine(err.Error())}, s.Name, nil), nil
				}
			}
			next.Entries = append(next.Entries, e)
		}
		if len(next.Entries) > 0 {
			steps = append(steps, next)
		}
	}
	steps = fhir.Without(steps, held)
	if len(steps) == 1 && steps[0].Name == fhir.StepDevice {
		steps = nil // for nothing
	}
	return steps, nil, nil
}

// request asks the server for the order of a specimen until it has answered.
func (j *job) request(ctx context.Context, tube string) (fhir.Request, bool, *spool.Reason, error) {
	d := j.lane.d
	if r, known := d.requests.get(tube, time.Now()); known {
		return r, true, nil, nil
	}
	q := url.Values{"identifier": {token(d.o.Orders.System, tube)}, "_count": {"20"}}
	for {
		found, v, err := d.find(ctx, j.lane, "ServiceRequest", q)
		switch {
		case err != nil:
			return fhir.Request{}, false, nil, err
		case v.action == refuse || v.action == split:
			return fhir.Request{}, false, reason(v, "order", []fhir.Entry{{Type: "ServiceRequest", Value: tube}}), nil
		case v.action != accept:
			if v.status == http.StatusForbidden {
				v.why = "the server forbids it (403): give the client the right to read and search ServiceRequest, or remove [orders]"
			}
			if !j.lane.pass(ctx, v) {
				return fhir.Request{}, false, nil, errStopped
			}
			continue
		}
		r, ok, err := fhir.ChooseRequest(found, time.Now().Add(-d.o.Orders.MaxAge))
		if err == nil && ok {
			d.requests.put(tube, r, time.Now())
		}
		return r, ok, nil, err
	}
}

// token is a token parameter's value (R4, 3.1.1.3): what is special in it has a
// backslash before it.
func token(system, value string) string {
	value = strings.NewReplacer(`\`, `\\`, `|`, `\|`, `,`, `\,`, `$`, `\$`).Replace(value)
	if system == "" {
		return value
	}
	return system + "|" + value
}
