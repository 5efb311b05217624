package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Choice is what is to be done with an entry that has a Prior.
type Choice uint8

// The values of Choice.
const (
	Create   Choice = iota // nothing earlier is there: create it like any other
	Have                   // it is there already: this very entry, from an earlier attempt
	Repeated               // the same result is there, from an earlier message
	Replace                // the earlier resource is to get a new version
	Obsolete               // what is there is newer, and stays as it is
)

// Chosen is a Choice, with the resource on the server that it is about.
type Chosen struct {
	Choice
	ID       string
	Version  string          // meta.versionId, "" if the server has none
	Resource json.RawMessage // of Replace: the new version

	// Others are the results that a report has of earlier messages alone, where it
	// is not settled: "Observation/17". See Complete.
	Others []string
	status json.RawMessage // the report's, when they are
}

// stored is what is read of a resource that the server has.
type stored struct {
	Type string `json:"resourceType"`
	ID   string `json:"id"`
	Meta struct {
		VersionID string   `json:"versionId"`
		Tag       []coding `json:"tag"`
	} `json:"meta"`
	Identifier []identifier `json:"identifier"`
	Status     string       `json:"status"`
	Effective  string       `json:"effectiveDateTime"`
	Issued     string       `json:"issued"`
	Extension  []extension  `json:"extension"`
	Result     []reference  `json:"result"`

	raw    json.RawMessage
	at     time.Time // the analyzer's own time of the result
	own    time.Time // when it was true of the patient
	issued time.Time // when the message came that wrote it last
}

// Choose decides what becomes of e, given the resources of its series on the
// server. The references in e must be resolved. It is pure.
//
// The resource to be corrected is the one with the same time of analysis, else
// the newest that is not newer than the correction. What a newer message wrote
// is never replaced. Of an entry that may be a later state see advance.
func (e Entry) Choose(found []json.RawMessage) (Chosen, error) {
	candidates, err := e.candidates(found)
	if err != nil {
		return Chosen{}, err
	}
	for _, c := range candidates {
		for _, id := range c.Identifier {
			if id.System == e.System && id.Value == e.Value {
				return c.as(Have), nil
			}
		}
	}
	switch {
	case e.Prior.Corrects:
		return e.correct(candidates)
	case e.Prior.Advances:
		return e.advance(candidates)
	}
	return e.repeated(candidates)
}

func (c *stored) as(what Choice) Chosen {
	return Chosen{Choice: what, ID: c.ID, Version: c.Meta.VersionID}
}

func (e Entry) candidates(found []json.RawMessage) ([]stored, error) {
	var list []stored
	for _, raw := range found {
		c, err := read(raw)
		if err != nil {
			return nil, fmt.Errorf("read the server's %s: it is not as FHIR R4 has it", e.Type)
		}
		if c.Type == e.Type && c.ID != "" {
			list = append(list, c)
		}
	}
	return list, nil
}

// read takes from a resource what decides between it and others. Times that are
// not known to the minute are left out.
func read(raw json.RawMessage) (stored, error) {
	c := stored{raw: raw}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, err
	}
	c.issued, _ = time.Parse(time.RFC3339Nano, c.Issued)
	for _, x := range c.Extension {
		if x.URL == urlAnalyzed {
			c.at, _ = time.Parse(time.RFC3339Nano, x.ValueDateTime)
		}
	}
	if !slices.ContainsFunc(c.Meta.Tag, func(t coding) bool { return t.System == systemEffect }) {
		c.own, _ = time.Parse(time.RFC3339Nano, c.Effective)
	}
	return c, nil
}

// repeated looks for the same result: of the same time, with the same value or
// with one that was corrected since.
func (e Entry) repeated(candidates []stored) (Chosen, error) {
	own, err := value(e.Resource)
	if err != nil {
		return Chosen{}, err
	}
	for _, c := range candidates {
		if c.at.IsZero() || !c.at.Equal(e.Prior.At) {
			continue
		}
		theirs, err := value(c.raw)
		if err != nil {
			return Chosen{}, err
		}
		if c.corrected() || reflect.DeepEqual(own, theirs) {
			return c.as(Repeated), nil
		}
	}
	return Chosen{}, nil
}

func (c *stored) corrected() bool {
	switch c.Status {
	case "corrected", "amended", "entered-in-error":
		return true
	}
	return false
}

// correct chooses the resource to be replaced.
func (e Entry) correct(candidates []stored) (Chosen, error) {
	p := e.Prior
	var best *stored
	newer, same := false, false
	for i := range candidates {
		c := &candidates[i]
		timed := !p.At.IsZero() && !c.at.IsZero()
		equal := timed && c.at.Equal(p.At)
		if !equal && c.issued.Before(p.Received.Add(-p.Within)) {
			continue // the specimen id may be another's by now
		}
		switch {
		case c.issued.After(p.Received) && (equal || c.corrected()), timed && c.at.After(p.At) && c.corrected():
			newer = true
		case c.issued.After(p.Received), timed && c.at.After(p.At), same && !equal:
		case equal && !same, best == nil, c.newerThan(best):
			best, same = c, equal
		}
	}
	switch {
	case newer:
		return Chosen{Choice: Obsolete}, nil
	case best == nil:
		return Chosen{}, nil
	}
	return e.replace(best)
}

// replace is the choice that e becomes the new version of c.
func (e Entry) replace(c *stored) (Chosen, error) {
	merged, err := e.merge(c)
	if err != nil {
		return Chosen{}, err
	}
	chosen := c.as(Replace)
	chosen.Resource = merged
	var was, is object
	if json.Unmarshal(c.raw, &was) == nil && json.Unmarshal(e.Resource, &is) == nil {
		_, chosen.Others = mergedStatus(e.Type, was, is)
		chosen.status = is["status"]
	}
	return chosen, nil
}

func (c *stored) newerThan(b *stored) bool {
	if !c.at.IsZero() && !b.at.IsZero() && !c.at.Equal(b.at) {
		return c.at.After(b.at)
	}
	return c.issued.After(b.issued)
}

// value is what a resource says the value is, in a form that can be compared:
// 5.40 and 5.4 are one number, since servers written in JavaScript make the one
// of the other.
func value(resource json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(resource))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, errors.New("read a result: it is not an object")
	}
	out := map[string]any{}
	for name, v := range all {
		if strings.HasPrefix(name, "value") || name == "dataAbsentReason" {
			out[name] = canonical(v)
		}
	}
	return out, nil
}

func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		if s := v.String(); len(s) < 40 && !strings.ContainsAny(s, "eE") {
			if r, ok := new(big.Rat).SetString(s); ok {
				return r.RatString()
			}
		}
		return v.String()
	case map[string]any:
		for k := range v {
			v[k] = canonical(v[k])
		}
	case []any:
		for i := range v {
			v[i] = canonical(v[i])
		}
	}
	return v
}
