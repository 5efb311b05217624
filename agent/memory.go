package agent

import (
	"context"
	"slices"
	"time"

	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/spool"
)

// observeEvery is how often the history looks at the agent.
const observeEvery = 30 * time.Second

// remember keeps the history of the last day until ctx ends.
func (a *Agent) remember(ctx context.Context) error {
	a.recall(ctx, time.Now())
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		s := a.Snapshot()
		for _, an := range s.Analyzers {
			a.history.Observe(s.Agent.Now.Time, an.Name, an.Acknowledged)
		}
		level, _, _ := status.Sentence(s)
		a.history.Level(s.Agent.Now.Time, uint8(1+slices.Index(status.Levels(), level)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// What recall looks up: each hour of a fortnight for the habit, and the day's
// newest messages for the bars.
const (
	recallHours = 14 * 24
	recallDay   = 2000
	recallRest  = 4 // times as long as each look took
)

// recall fills the history from what the spool still has. Whatever cannot be
// read is left out: the history begins later then.
func (a *Agent) recall(ctx context.Context, now time.Time) {
	for _, lane := range a.spool.Stats().Lanes {
		if ctx.Err() != nil {
			return
		}
		for h := range recallHours {
			from := now.Add(-time.Duration(h+1) * time.Hour)
			q := spool.Query{Lane: lane.Name, Newest: true, Limit: 1, Since: from, Until: from.Add(time.Hour)}
			if h < 24 {
				q.Limit = recallDay
			}
			began := time.Now()
			if found, err := a.spool.List(q); err == nil {
				for _, i := range found {
					a.history.Seen(now, lane.Name, i.Received)
				}
			}
			select { // a long history is looked up beside the work, not before it
			case <-time.After(recallRest * time.Since(began)):
			case <-ctx.Done():
				return
			}
		}
	}
}
