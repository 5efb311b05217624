package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/labcourier/labcourier/agent/fhir"
)

// ErrBusy: nothing was asked of the server, since the lanes need it.
var ErrBusy = errors.New("the server is away or short of requests, and results come first")

// asideTimeout bounds a request beside the lanes: it has the place of one of
// theirs meanwhile.
const asideTimeout = 10 * time.Second

// Renew writes the current state of something that is no result, like the agent's
// own Device: it creates e, or gives what is there a new version. It comes after
// the lanes. It asks only while the server answers and its limit is far, takes a
// request's place only if one is free, waits for nobody, and tells neither breaker
// nor pacer what came of it: a lane never learns that it was there. What goes wrong
// is an error in words without an address, and ErrBusy where nothing was asked.
func (d *Deliverer) Renew(ctx context.Context, e fhir.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, 3*asideTimeout)
	defer cancel()
	q := url.Values{e.Param(): {e.System + "|" + e.Value}, "_count": {"2"}}
	found, err := d.aside(ctx, e.Type, call{method: http.MethodGet, address: d.o.BaseURL + "/" + e.Type + "?" + q.Encode(), found: -1})
	if err != nil {
		return fmt.Errorf("look for the agent's %s: %w", e.Type, err)
	}
	switch len(found) {
	case 0:
		body, err := (fhir.Step{Entries: []fhir.Entry{e}}).Bundle(nil)
		if err != nil {
			return err
		}
		created, err := d.aside(ctx, e.Type, call{method: http.MethodPost, address: d.o.BaseURL, body: body, found: 1})
		if err == nil {
			err = refusal(created[0].verdict(), "create", e.Type)
		}
		return err
	case 1:
		return d.renew(ctx, e, found[0].Resource)
	}
	return fmt.Errorf("several resources on the server have the identifier of the agent's %s: remove all but one", e.Type)
}

// renew gives what was found a new version, if it is still the newest.
func (d *Deliverer) renew(ctx context.Context, e fhir.Entry, r resourceAnswer) error {
	if r.ResourceType != e.Type || !isID(r.ID) {
		return fmt.Errorf("the answer to a search for the agent's %s is something else", e.Type)
	}
	body, err := e.Renew(r.raw)
	if err != nil {
		return err
	}
	c := call{method: http.MethodPut, address: d.o.BaseURL + "/" + e.Type + "/" + url.PathEscape(r.ID), body: body, single: e.Type}
	var m struct {
		Meta struct{ VersionID string } `json:"meta"`
	}
	if json.Unmarshal(r.raw, &m) == nil && m.Meta.VersionID != "" {
		c.ifMatch = `W/"` + m.Meta.VersionID + `"`
	}
	_, err = d.aside(ctx, e.Type, c)
	return err
}

// aside makes one request beside the lanes.
func (d *Deliverer) aside(ctx context.Context, typ string, c call) ([]entryAnswer, error) {
	if d.breaker.isOpen() || !d.pacer.plenty(time.Now()) || !d.gate.TryAcquire(1) {
		return nil, ErrBusy
	}
	defer d.gate.Release(1)
	ctx, cancel := context.WithTimeout(ctx, asideTimeout)
	defer cancel()
	entries, v, ticket, _ := d.once(ctx, c)
	if v.action == renew {
		d.o.Auth.Reject(ticket)
	}
	return entries, refusal(v, c.verb(), typ)
}

// verb is what a request does, in the words of access policies.
func (c call) verb() string {
	switch c.method {
	case http.MethodPut:
		return "update"
	case http.MethodPost:
		return "create"
	}
	return "search"
}

// refusal is a verdict as an error, nil for one that accepts.
func refusal(v verdict, verb, typ string) error {
	switch {
	case v.action == accept:
		return nil
	case v.status == http.StatusForbidden:
		return fmt.Errorf("the server forbids it (403): give the client the right to %s %s", verb, typ)
	}
	return errors.New(v.why)
}

// plenty reports whether nobody is held back, nor soon will be.
func (p *pacer) plenty(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.windows {
		if now.Before(w.ends) && w.left < scarce*w.most {
			return false
		}
	}
	return !now.Before(p.hold)
}
