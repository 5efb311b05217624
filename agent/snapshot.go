package agent

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/browse"
	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

var _ status.Source = (*Agent)(nil)

// Snapshot tells how everything does, without patient data.
func (a *Agent) Snapshot() status.Snapshot {
	now := time.Now()
	stored := a.spool.Stats()
	p := a.parts.Load()
	sending := p.up.main.deliver.State()
	s := status.Snapshot{
		Agent:  status.Agent{Name: p.cfg.Agent.Name, Version: a.o.Version, Started: status.At(a.started), Now: status.At(now)},
		Config: a.configStatus(p),
		Server: upstreamStatus(sending, p.up.main.auth.State()),
		Spool:  spoolStatus(stored),
	}
	for _, src := range p.sources {
		lane := laneNamed(stored, src.cfg.Name)
		an := analyzerStatus(src.driver.Status(), lane, now)
		an.Name, an.Driver = src.cfg.Name, src.cfg.Driver
		for _, l := range sending.Lanes {
			if l.Name == an.Name {
				an.WaitingReason = l.Waiting
			}
		}
		an.ParkedReason = a.parked.newest(a.spool, lane)
		if silent, longest, unusual := a.history.Silence(now, an.Name); unusual {
			an.Silent, an.SilentUsually = int64(silent.Seconds()), int64(longest.Seconds())
		}
		s.Analyzers = append(s.Analyzers, an)
	}
	p.up.tellShadow(&s)
	for _, lane := range a.orphans() {
		an := analyzerStatus(drivers.Status{Link: drivers.LinkDown, Reason: "not in the configuration: add it again to deliver what waits"}, lane, now)
		an.Name = lane.Name
		an.ParkedReason = a.parked.newest(a.spool, lane)
		s.Analyzers = append(s.Analyzers, an)
	}
	return s
}

func (a *Agent) configStatus(p *parts) status.Config {
	return status.Config{
		Loaded: status.At(p.loaded), Digest: p.cfg.Digest(), RestartNeeded: p.later,
		Refused: a.refused.Load(), Reloads: a.reloads.all.Load(), ReloadsRefused: a.reloads.refused.Load(),
	}
}

// read is what the message browser shows of a message.
func (a *Agent) read(m admin.Content) browse.Reading {
	rec, err := a.spool.Get(m.Seq)
	if err != nil {
		return browse.Reading{Err: err}
	}
	return a.parts.Load().up.reader.show(rec)
}

// lanes names the analyzers that there are or were.
func (a *Agent) lanes() (names []string) {
	for _, s := range a.parts.Load().sources {
		names = append(names, s.cfg.Name)
	}
	for _, lane := range a.spool.Stats().Lanes {
		if !slices.Contains(names, lane.Name) {
			names = append(names, lane.Name)
		}
	}
	return names
}

// waitReason says why an analyzer's oldest message is not delivered yet.
func (a *Agent) waitReason(analyzer string) string {
	sending := a.parts.Load().up.main.deliver.State()
	for _, l := range sending.Lanes {
		if l.Name == analyzer && l.Waiting != "" {
			return l.Waiting
		}
	}
	return sending.Server.Waiting
}

// Ready returns nil while every listener is open and the spool accepts. A server
// that is away is not unready: to ride that out is the job.
func (a *Agent) Ready() error {
	if err := a.spool.Accepting(); err != nil {
		return err
	}
	for _, s := range a.parts.Load().sources {
		if l, listens := s.port.(drivers.Listening); listens && l.Addr() == "" {
			return fmt.Errorf("analyzer %s: %s", s.cfg.Name, s.driver.Status().Reason)
		}
	}
	return nil
}

// orphans are lanes with messages that no configured analyzer owns.
func (a *Agent) orphans() (lanes []spool.LaneStats) {
	p := a.parts.Load()
	for _, lane := range a.spool.Stats().Lanes {
		if p.source(lane.Name) == nil && lane.Waiting+lane.Parked > 0 {
			lanes = append(lanes, lane)
		}
	}
	return lanes
}

// upstreamStatus tells how the way to a server does.
func upstreamStatus(d deliver.State, signed auth.State) status.Upstream {
	return status.Upstream{
		URL:           d.Server.URL,
		Reachable:     d.Server.Reachable,
		LastSuccess:   status.At(d.Server.LastSuccess),
		WaitingReason: d.Server.Waiting,
		WaitingCause:  waitingCause(d.Server.Cause),
		Auth: status.Auth{
			Method:       signed.Method,
			Since:        status.At(signed.Since),
			Fallback:     signed.Fallback,
			Reason:       signed.Reason,
			TokenExpires: status.At(signed.TokenExpires),
		},
		RateLimit: status.RateLimit{
			Limit: d.Server.RateLimit.Limit, Remaining: d.Server.RateLimit.Remaining, Resets: status.At(d.Server.RateLimit.Resets),
		},
	}
}

// waitingCause is a cause in the status page's words. A lane that the spool
// holds up says so itself.
func waitingCause(c deliver.Cause) status.Cause {
	switch c {
	case deliver.CauseNetwork:
		return status.CauseNetwork
	case deliver.CauseServer:
		return status.CauseServer
	case deliver.CauseCredentials:
		return status.CauseCredentials
	case deliver.CauseForbidden:
		return status.CauseForbidden
	}
	return status.CauseNone
}

func spoolStatus(s spool.Stats) status.Spool {
	out := status.Spool{
		Queued:    s.Waiting,
		Parked:    s.Parked,
		Delivered: s.Delivered,
		Bytes:     s.FileBytes,
		DiskFree:  s.DiskFree,
		Accepting: s.Accepting,
		Reason:    s.Why,
	}
	switch {
	case len(s.Damage) > 0:
		out.Warning = "the spool was damaged and repaired: " + s.Damage[len(s.Damage)-1].What
	case s.DiskLow:
		out.Warning = fmt.Sprintf("the disk is filling up: %d MiB are free, below %d MiB nothing more is taken", s.DiskFree>>20, s.Reserve>>20)
	}
	return out
}

func analyzerStatus(d drivers.Status, lane spool.LaneStats, now time.Time) status.Analyzer {
	an := status.Analyzer{
		Port:         d.Port,
		Peer:         d.Peer,
		Link:         string(d.Link),
		Since:        status.At(d.Since),
		Reason:       d.Reason,
		LastByte:     status.At(d.LastByte),
		LastMessage:  status.At(d.LastMessage),
		Acknowledged: d.Acknowledged,
		Refused:      d.Refused,
		Broken:       d.Broken,
		Duplicates:   lane.Duplicates,
		Queued:       lane.Waiting,
		Parked:       lane.Parked,
		Delivered:    lane.Delivered,
		Options:      d.Options,
		Counters:     d.Counters,
	}
	if lane.Waiting > 0 && !lane.OldestWaiting.IsZero() {
		an.OldestWaiting = max(0, int64(now.Sub(lane.OldestWaiting).Seconds()))
	}
	return an
}

func laneNamed(s spool.Stats, name string) spool.LaneStats {
	for _, l := range s.Lanes {
		if l.Name == name {
			return l
		}
	}
	return spool.LaneStats{Name: name}
}

// parkedReasons remembers, for each lane, why its newest parked message is
// parked. It looks again only when their number changed.
type parkedReasons struct {
	mu    sync.Mutex
	lanes map[string]parkedReason
}

type parkedReason struct {
	count uint64
	after spool.Seq
	text  string
}

func (p *parkedReasons) newest(s *spool.Spool, lane spool.LaneStats) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.lanes[lane.Name]
	if lane.Parked == known.count {
		return known.text
	}
	if lane.Parked < known.count { // some were settled: look at all again
		known = parkedReason{}
	}
	for {
		found, err := s.List(spool.Query{Lane: lane.Name, State: spool.Parked, After: known.after})
		if err != nil || len(found) == 0 {
			break
		}
		last := found[len(found)-1]
		known.after = last.Seq
		if last.Reason != nil {
			known.text = last.Reason.Text
		}
	}
	known.count = lane.Parked
	if known.count == 0 {
		known.text = ""
	}
	if p.lanes == nil {
		p.lanes = map[string]parkedReason{}
	}
	p.lanes[lane.Name] = known
	return known.text
}
