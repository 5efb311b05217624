package fhir

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// A result that comes first as preliminary and then as final is one resource,
// with a history, and so is its report. The final one does not say that there
// was another: an earlier one is only taken for it where that is certain, or
// where no time at all could say otherwise.

// finality orders the states by how settled they are. What is not settled is
// replaced by what is more so; what is settled only by a correction.
func finality(status string) int {
	switch status {
	case "registered":
		return 0
	case "partial", "preliminary", "unknown":
		return 1
	case "corrected", "amended", "entered-in-error", "appended":
		return 3
	}
	return 2 // final, cancelled
}

const settled = 2

// sameness is whether two resources of one series are states of one result.
type sameness uint8

const (
	another  sameness = iota // another run of the test
	possible                 // nothing says that it is not
	certain
)

// sameAs compares two results: by the time of analysis and the patient's own
// time, of which one has to be equal.
func (c *stored) sameAs(own *stored) (is sameness, exactly bool) {
	is = possible
	for _, times := range [2][2]time.Time{{c.at, own.at}, {c.own, own.own}} {
		switch {
		case times[0].IsZero() || times[1].IsZero():
		case times[0].Equal(times[1]):
			is = certain
		case is == possible:
			is = another
		}
	}
	return is, !c.at.IsZero() && c.at.Equal(own.at)
}

// advance chooses the less settled resource that e is a later state of. What
// is more settled than e is never replaced, and when it is e's own result, e is
// obsolete.
func (e Entry) advance(candidates []stored) (Chosen, error) {
	own, err := read(e.Resource)
	if err != nil {
		return Chosen{}, err
	}
	p := e.Prior
	var best *stored
	sure := false
	for i := range candidates {
		c := &candidates[i]
		is, exactly := c.sameAs(&own)
		if e.Type == "DiagnosticReport" {
			is, exactly = another, c.shares(&own)
			if exactly {
				is = certain
			}
		}
		later := c.issued.After(p.Received)
		switch {
		case is == another, is == possible && c.issued.Before(p.Received.Add(-p.Within)):
		case is == certain && c.outdoes(&own, exactly, later):
			return Chosen{Choice: Obsolete}, nil
		case !c.yields(&own, exactly, later):
		case best == nil, is == certain && !sure, is == certain == sure && c.newerThan(best):
			best, sure = c, is == certain
		}
	}
	if best == nil {
		return Chosen{}, nil
	}
	return e.replace(best)
}

// outdoes reports whether c says all that own does, or what came to be of it.
// Exactly: the time of analysis is the same. Later: c is of a newer message.
func (c *stored) outdoes(own *stored, exactly, later bool) bool {
	has, is := finality(c.Status), finality(own.Status)
	if has == is {
		return exactly && later && is < settled
	}
	return has > is && (exactly || later)
}

// yields reports whether own may take c's place: it is more settled, or, of the
// very same analysis, newer.
func (c *stored) yields(own *stored, exactly, later bool) bool {
	has, is := finality(c.Status), finality(own.Status)
	if has >= settled {
		return false
	}
	if has < is {
		return exactly || !later
	}
	return exactly
}

// shares reports whether two reports have a result in common.
func (c *stored) shares(own *stored) bool {
	return slices.ContainsFunc(c.Result, func(r reference) bool {
		return r.Reference != "" && slices.ContainsFunc(own.Result, func(o reference) bool { return o.Reference == r.Reference })
	})
}

// Complete is c for a report that is settled by now: all of its Others are, of
// the resources that the server has. Else it is c as it was.
func (c Chosen) Complete(results []json.RawMessage) (Chosen, error) {
	done := map[string]bool{}
	for _, raw := range results {
		if r, err := read(raw); err == nil && finality(r.Status) >= settled {
			done[r.Type+"/"+r.ID] = true
		}
	}
	for _, ref := range c.Others {
		if !done[ref] {
			return c, nil
		}
	}
	var report object
	if err := json.Unmarshal(c.Resource, &report); err != nil {
		return c, errors.New("complete a report: it is not an object")
	}
	report["status"] = c.status
	var buf encodeBuffer
	var err error
	c.Resource, err = buf.encode(report)
	return c, err
}

// OfSeries returns those of the resources found that carry e's series. One that
// cannot be read is left for Choose to refuse.
func (e Entry) OfSeries(found []json.RawMessage) (list []json.RawMessage) {
	for _, raw := range found {
		var r struct {
			Identifier []identifier `json:"identifier"`
		}
		if json.Unmarshal(raw, &r) != nil || slices.ContainsFunc(r.Identifier, func(i identifier) bool {
			return i.System == e.Prior.System && i.Value == e.Prior.Value
		}) {
			list = append(list, raw)
		}
	}
	return list
}
