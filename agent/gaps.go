package agent

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// GapsPath is the admin call for what came without a LOINC or UCUM code. Its
// parameters are analyzer and days.
const GapsPath = "gaps"

// Gaps is its answer. Nothing in it is about a patient.
type Gaps struct {
	Since    time.Time `json:"since"`
	Messages int       `json:"messages"` // looked at
	Unread   int       `json:"unread"`   // of them, those that cannot be read
	Results  int       `json:"results"`  // in them
	Gaps     []Gap     `json:"gaps"`     // by analyzer, the most frequent first
	More     bool      `json:"more"`     // there are more kinds than are told
}

// Gap is one code or unit without a mapping, and how often it came.
type Gap struct {
	fhir.Gap
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
}

// mostGaps bounds the answer: an analyzer that sends something else in each
// message would fill the memory otherwise.
const mostGaps = 5000

// AddCalls adds to h what only the agent's own reading of messages can tell.
//
// Unmapped codes are counted from the stored messages when they are asked for,
// with the codes as they are in the files of the current configuration then. So the answer holds over
// restarts, and shows after a change what is left; a tally that is kept as
// messages go by could do neither.
func AddCalls(h *admin.Handler, s *spool.Spool, current func() *config.Config, kinds []drivers.Kind) {
	h.Handle(GapsPath, func(ctx context.Context, v url.Values) (any, error) {
		days, err := strconv.Atoi(v.Get("days"))
		if err != nil || days < 1 {
			return nil, &admin.Error{Status: 400, Text: "days is not a number above 0"}
		}
		cfg := current()
		set, _, err := config.LoadCodes(cfg)
		if err != nil {
			return nil, err
		}
		r := newReader(kinds, cfg.Analyzers, fhir.NewMapper(fhir.Options{AgentName: cfg.Agent.Name, Codes: set.Book()}))
		return r.gaps(ctx, s, v.Get("analyzer"), time.Now().AddDate(0, 0, -days))
	})
}

// gapTally counts gaps.
type gapTally struct {
	Gaps
	found map[string]*Gap
}

func (r *reader) gaps(ctx context.Context, s *spool.Spool, analyzer string, since time.Time) (Gaps, error) {
	t := gapTally{Gaps: Gaps{Since: since}, found: map[string]*Gap{}}
	q := spool.Query{Lane: analyzer, Limit: 1000}
	for {
		list, err := s.List(q)
		if err != nil {
			return Gaps{}, fmt.Errorf("count codes: %w", err)
		}
		if len(list) == 0 {
			return t.sorted(), nil
		}
		for _, info := range list {
			q.After = info.Seq
			if ctx.Err() != nil {
				return Gaps{}, ctx.Err()
			}
			if info.Received.Before(since) || info.Stage == spool.Broken || info.Damaged {
				continue
			}
			t.add(r, s, info.Seq)
		}
	}
}

// add counts one message. One that retention took away meanwhile is passed over.
func (t *gapTally) add(r *reader, s *spool.Spool, q spool.Seq) {
	rec, err := s.Get(q)
	if err != nil {
		return
	}
	t.Messages++
	in, _, err := r.input(rec)
	if err != nil {
		t.Unread++
		return
	}
	for i := range in.Reports {
		if in.Reports[i].Purpose == drivers.ForPatient {
			t.Results += len(in.Reports[i].Results)
		}
	}
	for _, g := range r.mapper.Gaps(in) {
		key := strings.Join([]string{g.Analyzer, g.Kind, g.Code, g.Unit, g.Specimen, g.Why}, "\x00")
		have := t.found[key]
		if have == nil {
			if len(t.found) >= mostGaps {
				t.More = true
				continue
			}
			have = &Gap{Gap: g}
			t.found[key] = have
		}
		have.Count++
		have.Last = rec.Received
	}
}

func (t *gapTally) sorted() Gaps {
	t.Gaps.Gaps = make([]Gap, 0, len(t.found))
	for _, g := range t.found {
		t.Gaps.Gaps = append(t.Gaps.Gaps, *g)
	}
	slices.SortFunc(t.Gaps.Gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Analyzer, b.Analyzer), cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Specimen, b.Specimen), cmp.Compare(a.Why, b.Why))
	})
	return t.Gaps
}
