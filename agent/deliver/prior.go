package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
)

// mostOfSeries bounds the resources of a series that are looked at, the newest
// first: one specimen is not measured more often.
const mostOfSeries = "50"

// mostOfAll is the same for several series at once.
const mostOfAll = "500"

// repeats finds out which results of the message the server has already from
// an earlier message, and takes them out of the plan, with the reports and
// specimens that were for them alone.
func (j *job) repeats(ctx context.Context, steps []fhir.Step) (*spool.Reason, error) {
	j.steps = steps
	there := map[string]bool{}
	for _, s := range steps {
		for _, e := range s.Entries {
			if e.Prior == nil || e.Prior.Updates() {
				continue
			}
			chosen, refused, err := j.choose(ctx, s.Name, e)
			if refused != nil || err != nil {
				return refused, err
			}
			if chosen.Choice == fhir.Repeated {
				j.resolved[e.FullURL], there[e.FullURL] = e.Type+"/"+chosen.ID, true
			}
		}
	}
	if j.repeated = len(there); len(there) > 0 {
		j.steps = without(steps, there)
	}
	return nil, nil
}

// without returns the steps without the entries that are there, the reports
// that hold nothing else, and the specimens that nothing else needs.
func without(steps []fhir.Step, there map[string]bool) []fhir.Step {
	var needed [][]byte
	keep := func(e fhir.Entry) bool {
		if there[e.FullURL] {
			return false
		}
		for _, r := range e.Results {
			if !there[r] {
				return true
			}
		}
		return len(e.Results) == 0
	}
	gone := map[string]bool{}
	for _, s := range steps {
		for _, e := range s.Entries {
			gone[e.FullURL] = !keep(e)
		}
	}
	steps = fhir.Without(steps, gone)
	out := make([]fhir.Step, 0, len(steps))
	for _, step := range slices.Backward(steps) { // what is needed comes before what needs it
		s := fhir.Step{Name: step.Name}
		for _, e := range step.Entries {
			if e.Type == "Specimen" && !mentioned(needed, e.FullURL) {
				continue
			}
			needed = append(needed, e.Resource)
			s.Entries = append(s.Entries, e)
		}
		if len(s.Entries) > 0 {
			out = append([]fhir.Step{s}, out...)
		}
	}
	if len(out) == 1 && out[0].Name == fhir.StepDevice {
		return nil
	}
	return out
}

func mentioned(resources [][]byte, url string) bool {
	for _, r := range resources {
		if bytes.Contains(r, []byte(`"`+url+`"`)) {
			return true
		}
	}
	return false
}

// correct brings the corrections and the later states among entries to their
// end, and returns the entries that are to be created like any other.
func (j *job) correct(ctx context.Context, step string, entries []fhir.Entry) (create []fhir.Entry, refused *spool.Reason, err error) {
	first, refused, err := j.firsts(ctx, step, entries)
	if refused != nil || err != nil {
		return nil, refused, err
	}
	for _, e := range entries {
		if !e.Prior.Updates() || first[e.FullURL] {
			create = append(create, e)
			continue
		}
		done, refused, err := j.replace(ctx, step, e)
		if refused != nil || err != nil {
			return nil, refused, err
		}
		if !done {
			create = append(create, e)
		}
	}
	return create, nil, nil
}

// longestQuery bounds the series that one search asks for. Web servers of some
// houses take 2,048 characters behind the question mark.
const longestQuery = 2000

// firsts returns, by full URL, the entries of which the server has no earlier
// state, as nearly all are. All results of a step are asked for together, since
// this comes before every one that is sent as final. A report can only be a later
// state of one that has a result in common with it, and so of a result that was
// found.
func (j *job) firsts(ctx context.Context, step string, entries []fhir.Entry) (first map[string]bool, refused *spool.Reason, err error) {
	first = map[string]bool{}
	var ask []fhir.Entry
	for _, e := range entries {
		switch {
		case e.Prior == nil || !e.Prior.Advances:
		case len(e.Results) > 0:
			first[e.FullURL] = !slices.ContainsFunc(e.Results, func(r string) bool { return j.known[r] })
		default:
			ask = append(ask, e)
		}
	}
	for len(ask) > 0 {
		group, series := together(ask)
		found, refused, err := j.series(ctx, step, group[0], series, mostOfAll)
		if refused != nil || err != nil {
			return nil, refused, err
		}
		for _, e := range group {
			first[e.FullURL] = len(e.OfSeries(found)) == 0
		}
		ask = ask[len(group):]
	}
	return first, nil, nil
}

// together returns the first of the entries, as many as one search can ask for,
// and what it asks: at least one.
func together(entries []fhir.Entry) (group []fhir.Entry, series string) {
	var list []string
	size := 0
	for _, e := range entries {
		one := e.Prior.System + "|" + e.Prior.Value
		if size += len(url.QueryEscape(one + ",")); size > longestQuery && len(list) > 0 {
			break
		}
		list = append(list, one)
	}
	return entries[:len(list)], strings.Join(list, ",")
}

// replace gives the resource that e corrects a new version. It reports false
// if there is none.
func (j *job) replace(ctx context.Context, step string, e fhir.Entry) (done bool, refused *spool.Reason, err error) {
	if e.Resource, err = (fhir.Step{Name: step}).Resolve(e, j.resolved); err != nil {
		return false, reason(verdict{action: refuse, why: oneLine(err.Error())}, step, []fhir.Entry{e}), nil
	}
	for {
		chosen, refused, err := j.choose(ctx, step, e)
		switch {
		case refused != nil || err != nil:
			return false, refused, err
		case chosen.Choice == fhir.Create:
			return false, nil, nil
		case chosen.Choice == fhir.Obsolete:
			return false, &spool.Reason{Code: CodeSuperseded, Text: e.Type + ": the server has a newer version of what this message is about, and it was left as it is"}, nil
		case chosen.Choice == fhir.Have:
			j.in(step, e, e.Type+"/"+chosen.ID)
			j.known[e.FullURL] = true
			return true, nil, nil
		}
		if chosen, refused, err = j.complete(ctx, step, e, chosen); refused != nil || err != nil {
			return false, refused, err
		}
		v, err := j.put(ctx, e, chosen)
		switch {
		case err != nil:
			return false, nil, err
		case v.action == accept:
			j.lane.progress()
			j.in(step, e, e.Type+"/"+chosen.ID)
			j.known[e.FullURL] = true
			return true, nil, nil
		case v.action == refuse || v.action == split:
			e.Resource = chosen.Resource // the server's words may repeat what it had
			return false, reason(v, step, []fhir.Entry{e}), nil
		case !j.lane.pass(ctx, v):
			return false, nil, errStopped
		}
		// Looked up again each time: the update may have been made all the same.
	}
}

// mostOthers bounds the results of a report that are looked at.
const mostOthers = 40

// complete makes a report final when the results that it has of earlier messages
// are: which they may have become one by one.
func (j *job) complete(ctx context.Context, step string, e fhir.Entry, c fhir.Chosen) (fhir.Chosen, *spool.Reason, error) {
	if len(c.Others) == 0 || len(c.Others) > mostOthers {
		return c, nil, nil
	}
	var ids []string
	for _, ref := range c.Others {
		id, is := strings.CutPrefix(ref, "Observation/")
		if !is || !isID(id) {
			return c, nil, nil // not ours
		}
		ids = append(ids, id)
	}
	results, refused, err := j.lookup(ctx, step, e, "Observation", url.Values{"_id": {strings.Join(ids, ",")}, "_count": {mostOfSeries}})
	if refused != nil || err != nil {
		return c, refused, err
	}
	if c, err = c.Complete(results); err != nil {
		return c, reason(verdict{action: refuse, why: oneLine(err.Error())}, step, []fhir.Entry{e}), nil
	}
	return c, nil, nil
}

// put writes a new version, if the one that was looked at is still the newest.
func (j *job) put(ctx context.Context, e fhir.Entry, chosen fhir.Chosen) (verdict, error) {
	d := j.lane.d
	n, err := d.pacer.admit(ctx, 1, j.lane.limited)
	if err != nil {
		return verdict{}, errStopped
	}
	defer d.pacer.landed(n)
	c := call{
		method: http.MethodPut, address: d.o.BaseURL + "/" + e.Type + "/" + url.PathEscape(chosen.ID),
		body: chosen.Resource, entries: 1, single: e.Type,
	}
	if chosen.Version != "" {
		c.ifMatch = `W/"` + chosen.Version + `"`
	}
	_, v, err := d.exchange(ctx, j.lane, c)
	switch v.status {
	case http.StatusPreconditionFailed, http.StatusNotFound, http.StatusGone:
		if v.action == refuse || v.action == demand {
			v.action, v.why = repeat, "somebody else changed the resource to be corrected; looking at it again"
		}
	case http.StatusForbidden:
		v.why = "the server forbids it (403): give the client the right to update " + e.Type + ", or set corrections for the analyzer"
	case http.StatusMethodNotAllowed:
		v.action, v.why = refuse, "the server takes no updates (405): set corrections for the analyzer"
	}
	return v, err
}

// choose looks at the earlier resources of e's series until the server has
// answered, and says what they make of e.
func (j *job) choose(ctx context.Context, step string, e fhir.Entry) (fhir.Chosen, *spool.Reason, error) {
	found, refused, err := j.series(ctx, step, e, e.Prior.System+"|"+e.Prior.Value, mostOfSeries)
	if refused != nil || err != nil {
		return fhir.Chosen{}, refused, err
	}
	chosen, err := e.Choose(found)
	if err != nil {
		return chosen, reason(verdict{action: refuse, why: oneLine(err.Error())}, step, []fhir.Entry{e}), nil
	}
	return chosen, nil, nil
}

// series returns the resources of e's type that carry one of the identifiers,
// the newest first.
func (j *job) series(ctx context.Context, step string, e fhir.Entry, identifiers, most string) ([]json.RawMessage, *spool.Reason, error) {
	return j.lookup(ctx, step, e, e.Type, url.Values{"identifier": {identifiers}, "_count": {most}, "_sort": {"-_lastUpdated"}})
}

// lookup searches for e's sake until the server has answered.
func (j *job) lookup(ctx context.Context, step string, e fhir.Entry, typ string, q url.Values) ([]json.RawMessage, *spool.Reason, error) {
	for {
		found, v, err := j.lane.d.find(ctx, j.lane, typ, q)
		switch {
		case err != nil:
			return nil, nil, err
		case v.action == refuse || v.action == split:
			return nil, reason(v, step, []fhir.Entry{e}), nil
		case v.action == accept:
			return found, nil, nil
		case !j.lane.pass(ctx, v):
			return nil, nil, errStopped
		}
	}
}

// find makes one search and returns the resources that it found.
func (d *Deliverer) find(ctx context.Context, l *lane, resourceType string, q url.Values) ([]json.RawMessage, verdict, error) {
	entries, v, err := d.exchange(ctx, l, call{method: http.MethodGet, address: d.o.BaseURL + "/" + resourceType + "?" + q.Encode(), found: -1})
	if err != nil || v.action != accept {
		return nil, v, err
	}
	var found []json.RawMessage
	for _, e := range entries {
		if e.Resource.ResourceType == resourceType && isID(e.Resource.ID) {
			found = append(found, e.Resource.raw)
		}
	}
	return found, v, nil
}
