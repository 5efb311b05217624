package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/alert"
	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/browse"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/history"
	"github.com/labcourier/labcourier/agent/metrics"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/trace"
	"github.com/labcourier/labcourier/spool"
)

// Options is what an Agent is made of.
type Options struct {
	Config  *config.Config
	Kinds   []drivers.Kind
	Version string
	Log     zerolog.Logger

	// OpenPort makes the port of an analyzer. It opens nothing yet.
	OpenPort func(config.Analyzer) (drivers.Port, error)

	// Arrivals, if set, is a list of results for the status page. The demo has
	// one; a real agent shows no results.
	Arrivals func() []status.Arrival
}

// Agent is a running labcourier, or one about to run.
type Agent struct {
	o       Options
	started time.Time
	spool   *spool.Spool
	auth    *auth.Authorizer
	reader  *reader
	deliver *deliver.Deliverer

	// The second server, for analyzers that have one; nil for none.
	shadow        *shadowQueue
	shadowAuth    *auth.Authorizer
	shadowDeliver *deliver.Deliverer

	status  *status.Server
	history *history.Book
	alerts  []alert.Way
	sources []*source
	parked  parkedReasons
}

// spoolName is the spool's file in the data directory.
const spoolName = "spool.db"

// Open opens the spool and the status endpoint and builds the rest. What it
// opened is closed by Run, or by Close if Run is not called.
func Open(o Options) (_ *Agent, err error) {
	a := &Agent{o: o, started: time.Now(), history: history.New()}
	cfg := o.Config
	if a.spool, err = OpenSpool(cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = a.spool.Close()
		}
	}()
	a.tellKept()
	if err := a.openSources(); err != nil {
		return nil, err
	}
	if err := a.openDelivery(); err != nil {
		return nil, err
	}
	if a.alerts, err = AlertWays(cfg, a.component("alert")); err != nil {
		return nil, err
	}
	if err := a.openStatus(); err != nil {
		return nil, err
	}
	return a, a.status.Listen()
}

func (a *Agent) openStatus() error {
	cfg := a.o.Config
	token, err := admin.EnsureToken(cfg.Agent.DataDir)
	if err != nil {
		return err
	}
	steer := admin.NewHandler(a.spool, a, token)
	AddCalls(steer, a.spool, cfg, a.o.Kinds)
	messages, err := browse.New(browse.Options{
		Admin: admin.Direct(steer, token), Token: token, Read: a.read, Analyzers: a.lanes, Waiting: a.waitReason,
		Server: cfg.Server.URL, Log: a.component("browse"),
	})
	if err != nil {
		return err
	}
	a.status, err = status.NewServer(status.Options{
		Listen: cfg.Status.Listen, Remote: remoteStatus(cfg.Status), Source: a, Metrics: metrics.Handler(a), Admin: steer,
		History: a.history, Browse: messages, BrowsePaths: browse.Paths(), Extra: a.o.Arrivals, Log: a.component("status"),
	})
	return err
}

// remoteStatus is the way to the status endpoint for other computers; nil for none.
func remoteStatus(s config.Status) *status.Remote {
	if s.Remote == nil {
		return nil
	}
	return &status.Remote{Listen: s.Remote.Listen, Certificate: s.Remote.Certificate, Password: s.Remote.Password.Read, Allow: s.Remote.Prefixes}
}

// OpenSpool opens the spool that a configuration names. Only one process can
// have it open.
func OpenSpool(cfg *config.Config) (*spool.Spool, error) {
	if err := os.MkdirAll(cfg.Agent.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	o := spoolOptions(cfg)
	var err error
	if o.Keys, err = cfg.Spool.Keys(); err != nil {
		return nil, err
	}
	return spool.Open(filepath.Join(cfg.Agent.DataDir, spoolName), o)
}

// tellKept logs what the spool keeps from before an upgrade.
func (a *Agent) tellKept() {
	kept, err := spool.KeptCopies(filepath.Join(a.o.Config.Agent.DataDir, spoolName))
	if err != nil {
		return // doctor says why
	}
	for _, k := range kept {
		a.o.Log.Info().Str("file", k.Path).Uint32("format", k.Format).Int64("bytes", k.Bytes).Time("until", k.Until()).
			Msg("a copy of the spool from before an upgrade is kept")
	}
}

// Close closes what Open opened, for an Agent that is not run.
func (a *Agent) Close() error { return a.spool.Close() }

// StatusAddr is the address of the status endpoint.
func (a *Agent) StatusAddr() string { return a.status.Addr() }

// component is the log of a part of the agent, with a level of its own if the
// configuration gives it one.
func (a *Agent) component(name string) zerolog.Logger {
	log := a.o.Log.With().Str("component", name).Logger()
	_, part, ok := strings.Cut(name, "-") // that of the second server
	if !ok {
		part = name
	}
	if level, err := zerolog.ParseLevel(a.o.Config.Log.Levels[part]); err == nil && level != zerolog.NoLevel {
		return log.Level(level)
	}
	return log
}

func spoolOptions(cfg *config.Config) spool.Options {
	windows := map[string]time.Duration{}
	for _, an := range cfg.Analyzers {
		windows[an.Name] = orOff(an.ResendWindow)
	}
	return spool.Options{
		ResendWindow:  orOff(cfg.Spool.ResendWindow),
		ResendWindows: windows,
		MaxPayload:    int(cfg.Spool.MaxMessage),
		Retain:        orOff(cfg.Spool.Retain),
		RetainBytes:   int64(cfg.Spool.RetainBytes),
		RetainAudit:   orOff(cfg.Spool.RetainAudit),
		Reserve:       int64(orOff(cfg.Spool.Reserve)),
		Warn:          int64(orOff(cfg.Spool.Warn)),
	}
}

// orOff translates the file's 0, which means "not at all", into the spool's -1:
// there 0 means the default.
func orOff[T ~int64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

func (a *Agent) openSources() error {
	var errs []error
	for _, an := range a.o.Config.Enabled() {
		s, err := a.newSource(an)
		if err != nil {
			errs = append(errs, fmt.Errorf("analyzer %s: %w", an.Name, err))
			continue
		}
		a.sources = append(a.sources, s)
	}
	return errors.Join(errs...)
}

func (a *Agent) newSource(an config.Analyzer) (*source, error) {
	kind, ok := kindNamed(a.o.Kinds, an.Driver)
	if !ok {
		return nil, fmt.Errorf("no driver %s in this program", an.Driver)
	}
	port, err := a.o.OpenPort(an)
	if err != nil {
		return nil, err
	}
	log := a.component("drivers").With().Str("analyzer", an.Name).Logger()
	watched, feed := trace.Watch(port)
	driver, err := kind.Driver(an.Name, an.Section, drivers.Deps{Port: watched, Handler: newIntake(a.spool), Log: log})
	if err != nil {
		return nil, err
	}
	return &source{cfg: an, port: port, feed: feed, driver: driver, log: log}, nil
}

// Feed is where what goes over the link of an analyzer can be heard.
func (a *Agent) Feed(analyzer string) (*trace.Feed, bool) {
	for _, s := range a.sources {
		if s.cfg.Name == analyzer {
			return s.feed, true
		}
	}
	return nil, false
}

func kindNamed(kinds []drivers.Kind, name string) (drivers.Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return drivers.Kind{}, false
}

// PortAddr is the address at which an analyzer's port listens, "" if it does
// not.
func (a *Agent) PortAddr(analyzer string) string {
	for _, s := range a.sources {
		if l, listens := s.port.(drivers.Listening); listens && s.cfg.Name == analyzer {
			return l.Addr()
		}
	}
	return ""
}
