package alert

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/status"
)

// list is a way to some of those whom a lab tells.
type list struct {
	*lab
	to []string
}

func (l list) Receivers() []string { return l.to }

func (l list) Send(ctx context.Context, n Notice, to []string) error {
	if err := l.lab.Send(ctx, n, to); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[len(l.sent)-1] += " to " + strings.Join(to, "+")
	return nil
}

// term is one Run of an agent that is reloaded after it.
type term struct {
	minutes float64
	to      string // "a+b"
	change  func(*Limits)
	begins  func(*status.Snapshot) // what is otherwise, from its begin on
	fails   bool
}

// TestMemory: what was told before a reload is not told again, and its end is.
func TestMemory(t *testing.T) {
	for name, c := range map[string]struct {
		terms []term
		want  []string
	}{
		"still wrong, then over": {[]term{{30, "a", nil, down, false}, {60, "a", func(l *Limits) { l.Digest = time.Minute }, nil, false}, {30, "a", nil, up, false}},
			[]string{"10m0s new link/xn to a", "1h32m0s over link/xn to a"}},
		"over while it is reloaded": {[]term{{30, "a", nil, down, false}, {30, "a", nil, up, false}},
			[]string{"10m0s new link/xn to a", "32m0s over link/xn to a"}},
		"reloaded again and again": {[]term{{30, "a", nil, down, false}, {0.1, "a", nil, nil, false}, {0.1, "a", nil, nil, false}, {0, "a", nil, up, false}, {9, "a", nil, nil, false}},
			[]string{"10m0s new link/xn to a", "32m0s over link/xn to a"}},
		"not firm yet": {[]term{{6, "a", nil, down, false}, {30, "a", nil, nil, false}}, []string{"10m0s new link/xn to a"}},
		"not sent yet": {[]term{{30, "a", nil, down, true}, {30, "a", nil, nil, false}}, []string{"30m0s new link/xn to a"}},
		"somebody new": {[]term{{30, "a", nil, down, false}, {30, "a+b", nil, nil, false}, {30, "a+b", nil, up, false}},
			[]string{"10m0s new link/xn to a", "40m0s new link/xn to b", "1h2m0s over link/xn to a", "1h2m0s over link/xn to b"}},
		"two who know the same": {[]term{{30, "a+b", nil, down, false}, {30, "b+a", nil, nil, false}, {30, "b", nil, up, false}},
			[]string{"10m0s new link/xn to a+b", "1h2m0s over link/xn to b"}},
		"somebody else": {[]term{{30, "a", nil, down, false}, {30, "b", nil, nil, false}}, []string{"10m0s new link/xn to a", "40m0s new link/xn to b"}},
		"away and back": {[]term{{30, "a", nil, down, false}, {30, "", nil, nil, false}, {30, "a", nil, nil, false}},
			[]string{"10m0s new link/xn to a", "1h10m0s new link/xn to a"}},
		"muted":       {[]term{{30, "a", nil, down, false}, {60, "a", func(l *Limits) { l.Mute = []string{KindLink} }, nil, false}}, []string{"10m0s new link/xn to a"}},
		"muted, gone": {[]term{{30, "a", nil, down, false}, {60, "a", func(l *Limits) { l.Mute = []string{KindLink} }, up, false}}, []string{"10m0s new link/xn to a"}},
		"never told of links": {[]term{{30, "a", nil, down, false}, {60, "a", func(l *Limits) { l.Link = 0 }, nil, false}, {30, "a", nil, up, false}},
			[]string{"10m0s new link/xn to a"}},
		"a longer wait": {[]term{{10, "a", nil, waiting(45), false}, {10, "a", func(l *Limits) { l.Waiting = time.Hour }, nil, false}, {10, "a", func(l *Limits) { l.Waiting = time.Hour }, waiting(65), false}},
			[]string{"2m0s new waiting/ to a", "22m0s new waiting/ to a"}},
		"more of them": {[]term{{10, "a", nil, parked(2), false}, {10, "a", nil, parked(3), false}, {10, "a", nil, parked(4), false}},
			[]string{"1m0s new parked/xn to a", "20m0s new parked/xn to a"}},
		"the pause goes on": {[]term{{5, "a", nil, parked(1), false}, {30, "a", func(l *Limits) { l.Digest = 20 * time.Minute }, full, false}},
			[]string{"1m0s new parked/xn to a", "21m0s new spool/ to a"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lab{shown: well()}
			synctest.Test(t, func(t *testing.T) {
				l.began = time.Now()
				var m Memory
				for _, term := range c.terms {
					term.run(t, l, &m)
				}
			})
			got := l.sent
			for _, all := range [][]string{got, c.want} {
				slices.Sort(all) // ways do not wait for each other
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func waiting(minutes int64) func(*status.Snapshot) {
	return func(s *status.Snapshot) { s.Analyzers[0].Queued, s.Analyzers[0].OldestWaiting = 3, minutes*60 }
}

func (c term) run(t *testing.T, l *lab, m *Memory) {
	if c.begins != nil {
		l.set(c.begins)
	}
	l.set(func(*status.Snapshot) { l.fail = c.fails })
	o := Options{Agent: "lab", Version: "1", Limits: limits(), Memory: m, Log: zerolog.Nop(), Look: l.look}
	if c.change != nil {
		c.change(&o.Limits)
	}
	if c.to != "" {
		o.Ways = []Way{list{l, strings.Split(c.to, "+")}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(c.minutes*float64(time.Minute)))
	defer cancel()
	if err := Run(ctx, o); err != nil {
		t.Error(err)
	}
}
