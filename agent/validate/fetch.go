package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/labcourier/labcourier/drivers"
)

// fetched are the server's resources of a message, by identifier value.
type fetched struct {
	results map[string][]json.RawMessage
	reports map[string][]json.RawMessage
	unread  string // why the answer to a search could not be had
}

// fetch reads what the server has of a message.
func (w *work) fetch(ctx context.Context, s *Stored) (f fetched, err error) {
	var results, reports []string
	for i := range s.Reports {
		r := &s.Reports[i]
		if w.skip(r) != "" {
			continue
		}
		reports = append(reports, reportID(s, r))
		for j := range r.Results {
			results = append(results, resultID(s, r, &r.Results[j]))
		}
	}
	if f.results, err = w.all(ctx, "Observation", w.Base+":result", results); err == nil {
		f.reports, err = w.all(ctx, "DiagnosticReport", w.Base+":report", reports)
	}
	if status, ok := errors.AsType[*statusError](err); ok {
		f.unread, err = status.Error(), nil
	}
	return f, err
}

func reportID(s *Stored, r *drivers.Report) string { return fmt.Sprintf("%s-%d", s.Key, r.Index) }

func resultID(s *Stored, r *drivers.Report, res *drivers.Result) string {
	return fmt.Sprintf("%s-%d-%d", s.Key, r.Index, res.Index)
}

// all searches for every identifier, several at a time. Those of a search that
// finds nothing are looked for one by one: a server may not know "or".
func (w *work) all(ctx context.Context, typ, system string, values []string) (map[string][]json.RawMessage, error) {
	found := map[string][]json.RawMessage{}
	take := func(list []json.RawMessage, values []string) error {
		for _, raw := range list {
			var r resource
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("%w: a %s of it is not as FHIR R4 has it", errAway, typ)
			}
			for _, v := range values {
				if r.has(system, v) {
					found[v] = append(found[v], raw)
				}
			}
		}
		return nil
	}
	for chunk := range slices.Chunk(values, atOnce(system, values)) {
		list, err := w.Server.search(ctx, typ, system, chunk)
		if err != nil {
			return nil, err
		}
		if err := take(list, chunk); err != nil {
			return nil, err
		}
		if len(list) > 0 || len(chunk) == 1 {
			continue
		}
		for one := range slices.Chunk(chunk, 1) {
			if list, err = w.Server.search(ctx, typ, system, one); err != nil {
				return nil, err
			}
			if err := take(list, one); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// atOnce is how many identifiers go into one search.
func atOnce(system string, values []string) int {
	longest := 0
	for _, v := range values {
		longest = max(longest, len(url.QueryEscape(","+system+"|"+v)))
	}
	return max(1, longestQuery/max(1, longest))
}

// tubeAnswer is a specimen, or the verdict on there being none.
type tubeAnswer struct {
	specimen *specimen
	verdict  Verdict
	why      string
}

// tube reads the specimen that a resource refers to.
func (w *work) tube(ctx context.Context, ref string) (tubeAnswer, error) {
	if ref == "" {
		return tubeAnswer{verdict: Missing, why: "the resource names no specimen"}, nil
	}
	ref = w.Server.local(ref)
	if a, known := w.tubes[ref]; known {
		return a, nil
	}
	raw, err := w.Server.read(ctx, ref)
	a := tubeAnswer{verdict: Unread}
	status, answered := errors.AsType[*statusError](err)
	switch {
	case answered && (status.status == http.StatusNotFound || status.status == http.StatusGone):
		a.verdict, a.why = Missing, "the specimen that the resource refers to is not there"
	case answered || errors.Is(err, errElsewhere):
		a.why = err.Error()
	case err != nil:
		return a, err
	default:
		var s specimen
		if json.Unmarshal(raw, &s) != nil || s.ResourceType != "Specimen" {
			a.why = "the specimen is not as FHIR R4 has it"
			break
		}
		a.specimen = &s
	}
	w.tubes[ref] = a
	return a, nil
}
