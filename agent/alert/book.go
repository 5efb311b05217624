package alert

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// settle is how long after the start nothing is told: links open, the server is
// asked for the first time.
const settle = time.Minute

// book is what one way has told and has to tell. It is a pure state machine:
// snapshots and what became of notices in, notices out.
type book struct {
	limits  Limits
	started time.Time
	last    time.Time // when a notice was taken
	number  uint64    // of notices that were taken
	sights  map[string]*sight
}

// sight is one problem from when it was first seen until it is over and told so.
type sight struct {
	problem
	from, gone time.Time // gone is zero while it lasts
	firm       bool      // it lasted long enough
	told       bool
	toldCount  uint64
}

func newBook(l Limits, started time.Time) *book {
	return &book{limits: l, started: started, sights: map[string]*sight{}}
}

// look takes in what is wrong now.
func (b *book) look(now time.Time, all []problem) {
	lasting := map[string]bool{}
	for _, p := range all {
		lasting[p.key()] = true
		s := b.sights[p.key()]
		if s == nil {
			s = &sight{from: now}
			b.sights[p.key()] = s
		}
		s.problem, s.gone = p, time.Time{}
		s.firm = s.firm || now.Sub(s.from) >= p.lasts
	}
	maps.DeleteFunc(b.sights, func(key string, s *sight) bool {
		if lasting[key] {
			return false
		}
		if s.gone.IsZero() {
			s.gone = now
		}
		return !s.firm && b.over(s, now)
	})
}

func (b *book) over(s *sight, now time.Time) bool {
	return !s.gone.IsZero() && now.Sub(s.gone) >= b.limits.Hold
}

// due is what has to be told now, false if nothing has to.
func (b *book) due(now time.Time) (Notice, bool) {
	if now.Sub(b.started) < settle || !b.last.IsZero() && now.Sub(b.last) < b.limits.Digest {
		return Notice{}, false
	}
	n := Notice{Time: status.At(now)}
	for _, s := range b.sights {
		if s.firm && s.gone.IsZero() {
			n.Open++
		}
		if what := b.event(s, now); what != "" {
			n.Events = append(n.Events, s.event(what))
		}
	}
	slices.SortFunc(n.Events, func(a, c Event) int {
		return cmp.Or(cmp.Compare(rank(a), rank(c)), cmp.Compare(a.Kind, c.Kind), cmp.Compare(a.Analyzer, c.Analyzer))
	})
	return n, len(n.Events) > 0
}

// event says what there is to tell of s: "" for nothing.
func (b *book) event(s *sight, now time.Time) string {
	switch {
	case !s.firm:
		return ""
	case s.told && b.over(s, now):
		return EventOver
	case b.over(s, now):
		return EventPast
	case s.gone.IsZero() && (!s.told || s.count >= 2*s.toldCount && s.count > s.toldCount && s.toldCount > 0):
		return EventNew
	}
	return ""
}

func (s *sight) event(what string) Event {
	return Event{
		Event: what, Kind: s.kind, Analyzer: s.analyzer, Level: s.level, Text: s.text, Todo: s.todo,
		Since: status.At(s.from), Until: status.At(s.gone), Count: s.count,
	}
}

// rank puts what is bad first and what is over last.
func rank(e Event) int {
	switch {
	case e.Event != EventNew:
		return 2
	case e.Level == status.LevelBad:
		return 0
	}
	return 1
}

// told notes that n was taken.
func (b *book) told(now time.Time, n Notice) {
	b.last = now
	b.number++
	for _, e := range n.Events {
		key := problem{kind: e.Kind, analyzer: e.Analyzer}.key()
		if e.Event != EventNew {
			delete(b.sights, key)
		} else if s := b.sights[key]; s != nil {
			s.told, s.toldCount = true, e.Count
		}
	}
}
