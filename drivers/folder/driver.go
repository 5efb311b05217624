package folder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
)

// storeTimeout is how long a store may take before it counts as refused.
const storeTimeout = 10 * time.Second

// Pauses before a folder that cannot be read, a store that refuses, or a file at
// fault is tried again, in doubling steps.
const (
	minPause   = time.Second
	maxPause   = 30 * time.Second // for the folder
	maxFile    = 5 * time.Minute  // for one file
	minLook    = 250 * time.Millisecond
	maxLook    = 30 * time.Second
	stopGrace  = 5 * time.Second  // for a share that hangs when the agent stops
	noAnswer   = 30 * time.Second // after which a look that has not ended is a fault
	pruneEvery = time.Hour
)

// Driver collects what an analyzer drops into a folder.
type Driver struct {
	name    string
	kind    drivers.Kind
	section drivers.Section
	o       Options
	handler drivers.Handler
	log     zerolog.Logger
	now     func() time.Time

	// of the goroutine that works
	seen    map[string]*sighting
	journal journal
	pruned  time.Time
	moved   []string                 // where files were moved to, and it is not durable yet
	kill    func(point string) error // for tests: ends the work like a crash

	mu     sync.Mutex
	status drivers.Status
	busy   time.Time // since when a look at the folder is under way; zero: none is
}

var _ drivers.Driver = (*Driver)(nil)

func newDriver(name string, k drivers.Kind, s drivers.Section, o Options, d drivers.Deps) *Driver {
	driver := &Driver{name: name, kind: k, section: s, o: o, handler: d.Handler, log: d.Log, now: time.Now, journal: journal{path: o.Journal}}
	driver.status = drivers.Status{
		Link: drivers.LinkDown, Since: time.Now(), Reason: "not started", Port: New(o).String(), Counters: map[string]uint64{},
	}
	return driver
}

// Run collects until ctx ends. A share that hangs cannot be interrupted: Run then
// returns without waiting for it any longer, and what the look may still hand over
// is refused by a store that is closed.
func (d *Driver) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- d.guarded(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	t := time.NewTimer(stopGrace)
	defer t.Stop()
	select {
	case err := <-ended:
		return err
	case <-t.C:
		d.log.Warn().Msg("the folder does not answer: it is left alone")
		return nil
	}
}

// guarded turns a panic into an error, as whoever called Run would in its own
// goroutine.
func (d *Driver) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error().Bytes("trace", debug.Stack()).Msg("driver panicked")
			err = fmt.Errorf("driver panicked: %T", p)
		}
	}()
	return d.work(ctx)
}

func (d *Driver) work(ctx context.Context) error {
	defer d.link(drivers.LinkDown, "stopped")
	if err := d.journal.load(); err != nil {
		d.link(drivers.LinkDown, err.Error())
		return err
	}
	d.link(drivers.LinkConnecting, "")
	pause := minPause
	for ctx.Err() == nil {
		err := d.look(ctx)
		switch {
		case errors.Is(err, errKilled):
			return err
		case err != nil:
			drivers.Pause(ctx, pause)
			pause = min(2*pause, maxPause)
		default:
			pause = minPause
			drivers.Pause(ctx, min(max(d.o.Settle/2, minLook), maxLook))
		}
	}
	return nil
}

// errKilled is how a test ends the work at a point: like a crash.
var errKilled = errors.New("killed")

func (d *Driver) at(point string) error {
	if d.kill == nil {
		return nil
	}
	return d.kill(point)
}

// look takes all files that are settled. An error means that the folder, or the
// store, is to be left alone for a while.
func (d *Driver) look(ctx context.Context) error {
	d.working(true)
	defer d.working(false)
	due, err := d.scan(d.now())
	if err != nil {
		d.down(fmt.Errorf("the folder cannot be read: %s: check that the share is mounted and that the service's account may read it", cause(err)))
		return err
	}
	d.up()
	defer d.flush()
	for i, s := range due {
		if ctx.Err() != nil {
			return nil
		}
		d.working(true) // each file has its own time
		if i%groupSize == 0 {
			d.announce(due[i:min(i+groupSize, len(due))])
		}
		if err := d.settle(s, d.take(ctx, s)); err != nil {
			d.gauge(err.Error())
			return err
		}
	}
	d.gauge("")
	d.prune()
	return nil
}

// settle judges how taking a file went. An error stops the look.
func (d *Driver) settle(s *sighting, err error) error {
	var f fault
	switch {
	case err == nil:
		delete(d.seen, s.name)
	case errors.Is(err, errKilled):
		return err
	case errors.Is(err, errChanged):
		s.since, s.held, s.why = d.now(), "", ""
		d.count("changed_files", 1)
	case errors.As(err, &f):
		if s.held != f.held {
			d.log.Warn().Int64("bytes", s.info.Size()).Err(err).Msg("a file stays in the folder; trying again")
			d.count("held_files", 1)
		}
		s.held, s.why = f.held, f.Error()
		s.pause = min(max(2*s.pause, minPause), maxFile)
		s.next = d.now().Add(s.pause)
	default:
		d.log.Warn().Err(err).Msg("not stored; trying again")
		d.mu.Lock()
		d.status.Refused++
		d.mu.Unlock()
		return err
	}
	return nil
}

// Status tells how the folder does.
func (d *Driver) Status() drivers.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	s.Counters = maps.Clone(s.Counters)
	if silent := time.Since(d.busy); !d.busy.IsZero() && silent > noAnswer {
		s.Link, s.Since = drivers.LinkDown, d.busy
		s.Reason = fmt.Sprintf("the folder has not answered for %s: check the share and the network", silent.Round(time.Second))
	}
	return s
}

func (d *Driver) working(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy = (time.Time{}); on {
		d.busy = time.Now()
	}
}

func (d *Driver) link(s drivers.LinkState, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Link != s {
		d.status.Link, d.status.Since = s, time.Now()
	}
	d.status.Reason = reason
}

// up says that the folder can be read. What was said of a file stays.
func (d *Driver) up() {
	d.mu.Lock()
	was := d.status.Link
	d.mu.Unlock()
	if was != drivers.LinkConnected {
		d.link(drivers.LinkConnected, "")
		d.log.Info().Msg("folder can be read")
	}
}

func (d *Driver) down(err error) {
	d.mu.Lock()
	first := d.status.Link != drivers.LinkDown || d.status.Reason != err.Error()
	d.mu.Unlock()
	d.link(drivers.LinkDown, err.Error())
	if first { // one line per fault, not one per look
		d.log.Warn().Err(err).Msg("folder is away; trying again until it is back")
	}
}

// saw notes that a file came or grew.
func (d *Driver) saw(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.LastByte = now
}

func (d *Driver) stored(m drivers.Message) {
	sum := sha256.Sum256(m.Payload)
	if m.Stage == drivers.Broken {
		d.log.Warn().Int("bytes", len(m.Payload)).Hex("digest", sum[:8]).Str("reason", m.Fault).Msg("part of a file cannot be read")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.Stage == drivers.Broken {
		d.status.Broken++
		return
	}
	d.status.Acknowledged++
	d.status.LastMessage = time.Now()
}

func (d *Driver) count(name string, n uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Counters[name] += n
}

// gauge says how many files lie in the folder, and why: what is at fault with all
// of them, or else with the first of those that stay.
func (d *Driver) gauge(reason string) {
	now := map[string]uint64{"files_waiting": uint64(len(d.seen))}
	for _, name := range slices.Sorted(maps.Keys(d.seen)) {
		s := d.seen[name]
		if s.held != "" {
			now["files_"+string(s.held)]++
		}
		if reason == "" {
			reason = s.why
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Reason = reason
	for _, h := range []held{heldEmpty, heldIrregular, heldLarge, heldUnreadable, heldOpen, heldRefused, heldUnmoved} {
		delete(d.status.Counters, "files_"+string(h))
	}
	maps.Copy(d.status.Counters, now)
}
