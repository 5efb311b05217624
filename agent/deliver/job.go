package deliver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
)

// mostNamed bounds how many resources a receipt names.
const mostNamed = 200

// mostDevices bounds what a lane remembers, should an analyzer call itself
// something else in each message.
const mostDevices = 64

// job is one message on its way.
type job struct {
	lane      *lane
	plan      fhir.Plan
	resolved  map[string]string // full URL to "Type/id"; "" where the server did not say
	known     map[string]bool   // full URLs of what is a new version of what the server had
	recalled  bool              // a Device id was taken from memory
	steps     []fhir.Step       // of plan, without what the server has from an earlier message
	repeated  int               // results that it has
	held      []string          // why parts of it were not sent, beyond what the plan says
	unmatched int               // specimens without an order
}

// run sends all steps. It returns why the message is to be parked, or nil when
// all of it is in. Its error is errStopped.
func (j *job) run(ctx context.Context) (*spool.Reason, error) {
	refused, err := j.bring(ctx)
	if refused == nil || err != nil || !j.recalled {
		return refused, err
	}
	// The refusal may be about a Device that is no longer there. What was
	// accepted is sent again, which the identifiers make harmless.
	clear(j.lane.device)
	return j.bring(ctx)
}

func (j *job) bring(ctx context.Context) (*spool.Reason, error) {
	j.resolved, j.known, j.recalled = map[string]string{}, map[string]bool{}, false
	steps, refused, err := j.orders(ctx)
	if refused != nil || err != nil {
		return refused, err
	}
	if refused, err := j.repeats(ctx, steps); refused != nil || err != nil {
		return refused, err
	}
	for i, s := range j.steps {
		if refused, err := j.step(ctx, s, i == len(j.steps)-1); refused != nil || err != nil {
			return refused, err
		}
	}
	return nil, nil
}

// step sends one step until all of its entries are in.
func (j *job) step(ctx context.Context, s fhir.Step, last bool) (*spool.Reason, error) {
	create, refused, err := j.correct(ctx, s.Name, j.pending(s))
	if refused != nil || err != nil {
		return refused, err
	}
	queue := [][]fhir.Entry{create}
	for len(queue) > 0 {
		if len(queue[0]) == 0 {
			queue = queue[1:]
			continue
		}
		n, err := j.lane.d.pacer.admit(ctx, len(queue[0]), j.lane.limited)
		if err != nil {
			return nil, errStopped
		}
		chunk, rest := queue[0][:n], queue[0][n:]
		left, v, err := j.send(ctx, fhir.Step{Name: s.Name, Entries: chunk})
		j.lane.d.pacer.landed(n)
		if err != nil {
			return nil, err
		}
		queue[0] = rest
		switch {
		case v.action == refuse, v.action == split && len(left) == 1:
			return reason(v, s.Name, left), nil
		case v.action == split:
			queue = append([][]fhir.Entry{left[:len(left)/2], left[len(left)/2:]}, queue...)
			continue
		case v.action != accept:
			queue = append([][]fhir.Entry{left}, queue...)
			if !j.lane.pass(ctx, v) {
				return nil, errStopped
			}
		}
	}
	if last {
		return nil, nil // nothing refers to it
	}
	return j.locate(ctx, s)
}

// pending returns the entries of a step that are to be sent: each identity
// once, and no Device whose id is remembered.
func (j *job) pending(s fhir.Step) []fhir.Entry {
	var entries []fhir.Entry
	seen := make(map[string]bool, len(s.Entries))
	for _, e := range s.Entries {
		if id, known := j.lane.device[e.FullURL]; known && s.Name == fhir.StepDevice {
			j.resolved[e.FullURL], j.recalled = id, true
			continue
		}
		if !seen[e.FullURL] { // two of one identity in one bundle would both be created
			entries = append(entries, e)
		}
		seen[e.FullURL] = true
	}
	return entries
}

// send sends one bundle. It returns the entries that are not in and the verdict
// on them: of several that differ the strictest, and then the entries that it
// is about come first.
func (j *job) send(ctx context.Context, s fhir.Step) ([]fhir.Entry, verdict, error) {
	body, err := s.Bundle(j.resolved)
	if err != nil {
		// The mapping is wrong: no repetition mends that.
		return s.Entries, verdict{action: refuse, why: oneLine(err.Error())}, nil
	}
	d := j.lane.d
	if len(body) > d.o.MaxBody && len(s.Entries) > 1 {
		return s.Entries, verdict{action: split, why: "larger than one request may be"}, nil
	}
	answers, v, err := d.exchange(ctx, j.lane, call{
		method: http.MethodPost, address: d.o.BaseURL, body: body,
		entries: len(s.Entries), found: len(s.Entries),
	})
	if err != nil || v.action != accept {
		return s.Entries, v, err
	}
	var left []fhir.Entry
	for i, a := range answers {
		e := s.Entries[i]
		own := a.verdict()
		own.entry = true
		if own.action == accept {
			j.in(s.Name, e, a.reference(e.Type))
			continue
		}
		if own.action > v.action {
			left = append([]fhir.Entry{e}, left...)
			own.asked, own.limit = max(own.asked, v.asked), own.limit || v.limit
			v = own
		} else {
			left = append(left, e)
			v.asked, v.limit = max(own.asked, v.asked), own.limit || v.limit
		}
	}
	if v.limit {
		d.pacer.pause(max(v.asked, shortestPause), time.Now())
	}
	if len(left) < len(s.Entries) {
		j.lane.progress()
	}
	return left, v, nil
}

// in notes that an entry is on the server, and as what.
func (j *job) in(step string, e fhir.Entry, reference string) {
	j.resolved[e.FullURL] = reference
	if step == fhir.StepDevice && reference != "" {
		if len(j.lane.device) >= mostDevices {
			clear(j.lane.device)
		}
		j.lane.device[e.FullURL] = reference
	}
}

// locate searches for the entries whose ids the server did not tell.
func (j *job) locate(ctx context.Context, s fhir.Step) (*spool.Reason, error) {
	for _, e := range s.Entries {
		for j.resolved[e.FullURL] == "" {
			reference, v, err := j.search(ctx, e)
			switch {
			case err != nil:
				return nil, err
			case v.action == refuse || v.action == split:
				return reason(v, s.Name, []fhir.Entry{e}), nil
			case v.action != accept:
				if !j.lane.pass(ctx, v) {
					return nil, errStopped
				}
			default:
				j.in(s.Name, e, reference)
			}
		}
	}
	return nil, nil
}

func (j *job) search(ctx context.Context, e fhir.Entry) (string, verdict, error) {
	d := j.lane.d
	answers, v, err := d.exchange(ctx, j.lane, call{method: http.MethodGet, address: searchAddress(d.o.BaseURL, e), found: -1})
	if err != nil || v.action != accept {
		return "", v, err
	}
	var found []string
	for _, a := range answers {
		if r := a.reference(e.Type); r != "" {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0: // an index that lags behind
		return "", verdict{action: repeat, why: "the server accepted a resource and does not find it yet"}, nil
	case 1:
		return found[0], v, nil
	}
	return "", judge(http.StatusPreconditionFailed, nil), nil
}

// receipt says what became of the message.
func (j *job) receipt() spool.Receipt {
	notes := append([]string(nil), j.plan.Kept...)
	if j.unmatched > 0 {
		notes = append(notes, fmt.Sprintf("specimens without an order on the server: %d", j.unmatched))
	}
	switch j.repeated {
	case 0:
	case 1:
		notes = append(notes, "1 result was sent before and is there already")
	default:
		notes = append(notes, fmt.Sprintf("%d results were sent before and are there already", j.repeated))
	}
	r := spool.Receipt{Outcome: spool.OutcomeDelivered, Note: cut(strings.Join(notes, "; "), longestWords), Resources: j.resources()}
	switch {
	case j.plan.Drop:
		r.Outcome = spool.OutcomeDropped
	case len(r.Resources) == 0 && j.repeated == 0:
		r.Outcome = spool.OutcomeKept
	}
	return r
}

// resources names what the message became, in the order of its steps.
func (j *job) resources() []string {
	var names []string
	for _, s := range j.steps {
		for _, e := range s.Entries {
			name := j.resolved[e.FullURL]
			if name == "" {
				name = e.Type
			}
			if len(names) < mostNamed {
				names = append(names, name)
			}
		}
	}
	return names
}

// reason puts a refusal into words. sent is what it is about: all of a bundle
// that was refused as a whole, or the entries that were not accepted, with the
// refused one first.
func reason(v verdict, step string, sent []fhir.Entry) *spool.Reason {
	r := &spool.Reason{Code: CodeRejected, Text: v.why}
	switch {
	case v.action == split:
		r.Code = CodeTooLarge
	case v.status == http.StatusPreconditionFailed:
		r.Code = CodeAmbiguous
	case v.status == 0:
		r.Code = CodeUnmappable
	}
	if v.entry && len(sent) > 0 {
		r.Text = fmt.Sprintf("%s: %s", sent[0].Type, r.Text)
	} else {
		r.Text = fmt.Sprintf("step %s: %s", step, r.Text)
	}
	if said := words(v.said, sent); said != "" {
		r.Text += ": " + said
	}
	r.Text = cut(r.Text, longestWords)
	return r
}
