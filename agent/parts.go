package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/labcourier/labcourier/agent/config"
)

// parts are what a configuration makes of an agent and another one may replace.
// They do not change: a reload makes others, which take over those that stay as
// they are.
type parts struct {
	cfg     *config.Config // in force
	loaded  time.Time      // when it was read
	later   []string       // what its file says besides, for the next start
	sources []*source      // in the configuration's order
	up      *upstream
	alerts  *alerts
}

// build makes the parts for cfg, with those of old that need not change. It opens
// and starts nothing: when it fails, everything is as it was.
func (a *Agent) build(cfg *config.Config, old *parts) (*parts, error) {
	next := &parts{cfg: cfg, loaded: time.Now()}
	var errs []error
	for _, an := range cfg.Enabled() {
		s, err := a.sourceFor(an, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("analyzer %s: %w", an.Name, err))
			continue
		}
		next.sources = append(next.sources, s)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	if next.alerts, err = a.alertsFor(cfg, old.alerts); err != nil {
		return nil, err
	}
	if next.up, err = a.upstreamFor(cfg, old.up); err != nil { // the last, for it begins the second server's lanes
		return nil, err
	}
	return next, nil
}

// source is that of the analyzer of that name, nil if there is none.
func (p *parts) source(analyzer string) *source {
	for _, s := range p.sources {
		if s.cfg.Name == analyzer {
			return s
		}
	}
	return nil
}

// stage is where the parts of an agent that runs are.
type stage struct {
	giving, taking context.Context //nolint:containedctx // of parts that begin later
	givers, takers sync.WaitGroup
	failed         chan error
}

// fail ends the agent.
func (st *stage) fail(err error) {
	select {
	case st.failed <- err:
	default: // it ends already
	}
}

// errStopping is why a reload breaks off.
var errStopping = errors.New("the agent stops")

// exchange lets next take the place of the parts that run. What is in both goes on
// undisturbed. The others end before those of next begin: two never have one port,
// or one lane. At the start, nothing ran before.
func (a *Agent) exchange(st *stage, old, next *parts) error {
	a.swap.Lock()
	defer a.swap.Unlock()
	if st.giving.Err() != nil {
		return errStopping
	}
	a.exchanging.Store(true)
	defer a.exchanging.Store(false)
	if !a.endOthers(st, old, next) {
		return errStopping
	}
	if old.cfg != nil {
		a.levels.reload(old.cfg.Log, next.cfg.Log)
		a.spool.Adjust(spoolOptions(next.cfg))
	}
	for _, s := range next.sources {
		s.running.Store(true) // by those that are begun below
	}
	a.parts.Store(next)
	if old.up != next.up {
		next.up.begin(st.taking, &st.takers, func(ctx context.Context) { next.up.run(ctx, st.fail, a.log) })
	}
	if old.alerts != next.alerts {
		next.alerts.begin(st.taking, &st.takers, func(ctx context.Context) { a.alert(ctx, next.alerts) })
	}
	for _, s := range next.sources {
		if !slices.Contains(old.sources, s) {
			s.begin(st.giving, &st.givers, s.run)
		}
	}
	return nil
}

// endOthers ends what old has and next has not. A delivery that takes long is
// waited for: were its successor to begin beside it, a message could go out twice.
// It reports false when the agent is to stop meanwhile.
func (a *Agent) endOthers(st *stage, old, next *parts) bool {
	var ending sync.WaitGroup
	for _, s := range old.sources {
		if !slices.Contains(next.sources, s) {
			ending.Go(func() { a.endSource(s) })
		}
	}
	if old.up != nil && old.up != next.up {
		ending.Go(func() { old.up.end(st.giving) })
	}
	if old.alerts != nil && old.alerts != next.alerts {
		ending.Go(func() { old.alerts.end(st.giving) })
	}
	ending.Wait()
	return st.giving.Err() == nil
}

// endSource stops an analyzer's driver, which leaves what it has not acknowledged
// to the analyzer to send again. One that hangs is left behind, as at a stop.
func (a *Agent) endSource(s *source) {
	limit, cancel := context.WithTimeout(context.Background(), a.patience())
	defer cancel()
	if !s.end(limit) {
		s.log.Error().Msg("the driver does not stop; going on without it")
	}
	s.feed.Close() // or whoever watches would wait for what never comes
}

// task is something that runs from begin to end, once.
type task struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

func (t *task) begin(ctx context.Context, all *sync.WaitGroup, run func(context.Context)) {
	ctx, t.cancel = context.WithCancel(ctx)
	t.ended = make(chan struct{})
	all.Go(func() {
		defer close(t.ended)
		run(ctx)
	})
}

// end stops what was begun and waits for it, until ctx ends. It reports whether
// it has come to its end.
func (t *task) end(ctx context.Context) bool {
	t.cancel()
	select {
	case <-t.ended:
		return true
	case <-ctx.Done():
		return false
	}
}
