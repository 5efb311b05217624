package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/alert"
	"github.com/labcourier/labcourier/agent/browse"
	"github.com/labcourier/labcourier/agent/config"
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

	// Load reads the configuration anew, for a reload; nil: there is none.
	Load func() (*config.Config, error)

	// Reloading, if set, is told when a reload begins, and when it has ended.
	Reloading func(bool)

	// OpenPort makes the port of an analyzer. It opens nothing yet.
	OpenPort func(config.Analyzer) (drivers.Port, error)

	// Arrivals, if set, is a list of results for the status page. The demo has
	// one; a real agent shows no results.
	Arrivals func() []status.Arrival
}

// Agent is a running labcourier, or one about to run. It keeps the spool, the
// history and the status endpoint from its start to its end; the parts may be
// replaced meanwhile, see [Agent.Reload].
type Agent struct {
	o       Options
	log     zerolog.Logger
	levels  *levels
	started time.Time
	spool   *spool.Spool
	status  *status.Server
	history *history.Book
	parked  parkedReasons
	alerted alert.Memory // of the alerts that run; those before have ended

	parts      atomic.Pointer[parts]
	exchanging atomic.Bool   // some parts have ended and their successors have not begun
	swap       sync.Mutex    // held while parts end and begin
	stage      *stage        // nil before begun is closed
	begun      chan struct{} // closed by Run

	reloading sync.Mutex  // held by Reload
	refused   atomic.Bool // the last reload was
	reloads   struct{ all, refused atomic.Uint64 }
}

// spoolName is the spool's file in the data directory.
const spoolName = "spool.db"

// Open opens the spool and the status endpoint and builds the rest. What it
// opened is closed by Run, or by Close if Run is not called.
func Open(o Options) (_ *Agent, err error) {
	a := &Agent{o: o, started: time.Now(), history: history.New(), begun: make(chan struct{})}
	a.openLog()
	if a.spool, err = OpenSpool(o.Config); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = a.spool.Close()
		}
	}()
	a.tellKept()
	first, err := a.build(o.Config, &parts{})
	if err != nil {
		return nil, err
	}
	a.parts.Store(first)
	if err := a.openStatus(); err != nil {
		return nil, err
	}
	return a, a.status.Listen()
}

// config is the configuration in force.
func (a *Agent) config() *config.Config { return a.parts.Load().cfg }

func (a *Agent) openStatus() error {
	cfg := a.config()
	token, err := admin.EnsureToken(cfg.Agent.DataDir)
	if err != nil {
		return err
	}
	steer := admin.NewHandler(a.spool, a, token)
	AddCalls(steer, a.spool, a.config, a.o.Kinds)
	if a.o.Load != nil {
		steer.HandleChange(ReloadPath, a.reloadCall)
	}
	messages, err := browse.New(browse.Options{
		Admin: admin.Direct(steer, token), Token: token, Read: a.read, Analyzers: a.lanes, Waiting: a.waitReason,
		Server: func() string { return a.config().Server.URL }, Log: a.component("browse"),
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
		a.log.Info().Str("file", k.Path).Uint32("format", k.Format).Int64("bytes", k.Bytes).Time("until", k.Until()).
			Msg("a copy of the spool from before an upgrade is kept")
	}
}

// Close closes what Open opened, for an Agent that is not run.
func (a *Agent) Close() error { return a.spool.Close() }

// StatusAddr is the address of the status endpoint.
func (a *Agent) StatusAddr() string { return a.status.Addr() }

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

// sourceFor is the source of an analyzer: the one that there is, if it need not
// change.
func (a *Agent) sourceFor(an config.Analyzer, old *parts) (*source, error) {
	if s := old.source(an.Name); s != nil && config.Same(linkOf(s.cfg), linkOf(an)) {
		return s, nil
	}
	return a.newSource(an)
}

// linkOf is what of an analyzer its driver and its port are made of.
func linkOf(an config.Analyzer) config.Analyzer {
	return config.Analyzer{Driver: an.Driver, Serial: an.Serial, TCP: an.TCP, Folder: an.Folder, Section: an.Section}
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
	s := a.parts.Load().source(analyzer)
	if s == nil {
		return nil, false
	}
	return s.feed, true
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
	if s := a.parts.Load().source(analyzer); s != nil {
		if l, listens := s.port.(drivers.Listening); listens {
			return l.Addr()
		}
	}
	return ""
}
