package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/agent/deliver"
)

// Alive returns nil when every part of the pipeline has given a sign of life
// before ctx ended: the spool's writer is between two commits, each analyzer's
// supervisor runs, its driver and the delivery answer, and no lane with messages
// has stood still for longer than any step of delivery takes. A server or an
// analyzer that is away is no fault here: restarting would not bring it back.
func (a *Agent) Alive(ctx context.Context) error {
	if err := a.spool.Responds(ctx); err != nil {
		return err
	}
	now := a.parts.Load()
	for _, s := range now.sources {
		if !s.running.Load() && !a.exchanging.Load() && a.parts.Load() == now {
			return fmt.Errorf("nobody serves analyzer %s", s.cfg.Name)
		}
	}
	// Each of these takes locks that a part which hangs would hold.
	answer := make(chan error, 1)
	go func() {
		for _, s := range now.sources {
			_ = s.driver.Status()
		}
		answer <- stuck(now.up.main.deliver.State().Lanes, a.waiting(), time.Now().Add(-now.up.main.deliver.LongestStep()))
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errors.New("a driver or the delivery does not answer")
	}
}

// waiting is how many messages wait in each lane.
func (a *Agent) waiting() map[string]uint64 {
	lanes := map[string]uint64{}
	for _, l := range a.spool.Stats().Lanes {
		lanes[l.Name] = l.Waiting
	}
	return lanes
}

// stuck says which lane has messages and did not move since limit.
func stuck(lanes []deliver.LaneState, waiting map[string]uint64, limit time.Time) error {
	for _, l := range lanes {
		if waiting[l.Name] > 0 && l.Moved.Before(limit) {
			return fmt.Errorf("the delivery of analyzer %s stands still", l.Name)
		}
	}
	return nil
}
