package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/trace"
	"github.com/labcourier/labcourier/spool"
)

// reloadWorld is an agent with drivers that do nothing and note what is done to
// them.
type reloadWorld struct {
	t    *testing.T
	dir  string
	a    *Agent
	text atomic.Pointer[string]
	told []bool // of Reloading

	mu      sync.Mutex
	runs    map[string]int // by analyzer
	now     map[string]int // of them, those that run
	clashes []string
	refuse  string // the port that cannot be made
}

// counted is the driver of an analyzer.
type counted struct {
	w    *reloadWorld
	name string
}

func (c counted) Status() drivers.Status { return drivers.Status{Link: drivers.LinkListening} }

func (c counted) Run(ctx context.Context) error {
	c.w.count(c.name, 1)
	<-ctx.Done()
	c.w.count(c.name, -1)
	return nil
}

func (w *reloadWorld) count(name string, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[name] += max(0, by)
	if w.now[name] += by; w.now[name] > 1 {
		w.clashes = append(w.clashes, name)
	}
}

// began is how often the driver of an analyzer began, and whether it runs.
func (w *reloadWorld) began(name string) (runs int, now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs[name], w.now[name] == 1
}

type deafPort struct{ drivers.Port }

func (deafPort) String() string { return "deaf" }

const reloadBase = `[agent]
name = "lab"
data_dir = "data"
stop_timeout = "2s"
[server]
url = "http://127.0.0.1:9/fhir/R4"
[server.auth]
method = "basic"
username = "u"
password_file = "secret"
[status]
listen = "127.0.0.1:0"
[[analyzer]]
name = "one"
driver = "count"
tcp = { listen = "127.0.0.1:4001" }
[[analyzer]]
name = "two"
driver = "count"
tcp = { listen = "127.0.0.1:4002" }
[[analyzer]]
name = "three"
driver = "count"
tcp = { listen = "127.0.0.1:4003" }
`

func newReloadWorld(t *testing.T) *reloadWorld {
	w := &reloadWorld{t: t, dir: t.TempDir(), runs: map[string]int{}, now: map[string]int{}}
	if err := os.WriteFile(filepath.Join(w.dir, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.text.Store(new(reloadBase))
	kinds := []drivers.Kind{{
		Name: "count",
		New: func(name string, _ drivers.Section, _ drivers.Deps) (drivers.Driver, error) {
			return counted{w, name}, nil
		},
		Parse: func([]byte, drivers.ParseOptions) ([]drivers.Report, error) {
			return nil, errors.New("nothing to read")
		},
	}}
	load := func() (*config.Config, error) {
		return config.Parse(filepath.Join(w.dir, "labcourier.toml"), []byte(*w.text.Load()), kinds)
	}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	w.a, err = Open(Options{
		Config: cfg, Kinds: kinds, Log: zerolog.Nop(), Load: load,
		Reloading: func(begins bool) { w.told = append(w.told, begins) },
		OpenPort: func(an config.Analyzer) (drivers.Port, error) {
			if an.Name == w.refuse {
				return nil, errors.New("there is no such port")
			}
			return deafPort{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for name, n := range w.now {
			if n != 0 {
				t.Errorf("%d drivers of %s still run", n, name)
			}
		}
		if len(w.clashes) > 0 {
			t.Errorf("two drivers ran at a time: %v", w.clashes)
		}
	})
	return w
}

func (w *reloadWorld) reload(pairs ...string) (Reloaded, error) {
	w.text.Store(new(strings.NewReplacer(pairs...).Replace(reloadBase)))
	return w.a.Reload(w.t.Context(), "test")
}

// TestReload changes one thing at a time, each for an agent of its own.
func TestReload(t *testing.T) {
	for _, c := range []struct {
		name  string
		pairs []string
		did   string
		kept  string // analyzers whose drivers went on
	}{
		{"nothing", nil, "unchanged 3", "one two three"},
		{"a remark", []string{"[server]\n", "# a remark\n[server]\n"}, "unchanged 3", "one two three"},
		{"a link", []string{"127.0.0.1:4002", "127.0.0.1:5002"}, "unchanged 2, restarted two", "one three"},
		{"two that swap their ports", []string{"127.0.0.1:4001", "127.0.0.1:4002", "127.0.0.1:4002", "127.0.0.1:4001"}, "unchanged 1, restarted one, restarted two", "three"},
		{"one less", []string{"name = \"two\"", "name = \"two\"\nenabled = false"}, "unchanged 2, removed two, upstream restarted", "one three"},
		{"another name", []string{`"two"`, `"four"`}, "unchanged 2, added four, removed two, upstream restarted", "one three"},
		{"the order", []string{`"one"`, `"two"`, `"two"`, `"one"`, "4001", "4002", "4002", "4001"}, "unchanged 3, upstream restarted", "one two three"},
		{"how results are read", []string{"name = \"two\"", "name = \"two\"\nqc = \"send\""}, "unchanged 3, upstream restarted", "one two three"},
		{"the server", []string{"127.0.0.1:9/", "127.0.0.1:10/"}, "unchanged 3, upstream restarted", "one two three"},
		{"the user", []string{`"u"`, `"v"`}, "unchanged 3, upstream restarted", "one two three"},
		{"alerts", []string{"[status]\n", "[alerts.webhook]\nurl = \"http://127.0.0.1:9/\"\n[status]\n"}, "unchanged 3, alerts restarted", "one two three"},
		{"levels", []string{"[status]\n", "[log]\nlevel = \"debug\"\n[status]\n"}, "unchanged 3, applied: [log] level", "one two three"},
		{"retention", []string{"[status]\n", "[spool]\nretain = \"48h\"\nmax_message = \"1MiB\"\n[status]\n"}, "unchanged 3, applied: [spool] retain, [spool] max_message", "one two three"},
		{"heartbeat", []string{"[server.auth]\n", "heartbeat = \"15m\"\n[server.auth]\n"}, "unchanged 3, applied: [server] heartbeat", "one two three"},
		{"a lane's window", []string{"name = \"two\"", "name = \"two\"\nresend_window = \"1m\""}, "unchanged 3, applied: resend_window of two", "one two three"},
		{"what takes a restart", []string{`name = "lab"`, `name = "other"`, "127.0.0.1:0", "127.0.0.1:8687"}, "unchanged 3, at next start: [agent] name, [status] listen", "one two three"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReloadWorld(t)
			for _, name := range []string{"one", "two", "three"} {
				settle(t, func() bool { _, on := w.began(name); return on })
			}
			before := w.a.parts.Load()
			r, err := w.reload(c.pairs...)
			if err != nil {
				t.Fatal(err)
			}
			if r.String() != c.did {
				t.Errorf("it did: %s\nnot:    %s", r, c.did)
			}
			for _, name := range []string{"one", "two", "three"} {
				runs, on := w.began(name)
				kept := strings.Contains(c.kept, name)
				if kept && (runs != 1 || !on) {
					t.Errorf("%s began %d times, and runs: %t", name, runs, on)
				}
				if again := slices.Contains(r.Restarted, name); !kept {
					settle(t, func() bool { runs, on := w.began(name); return on == again && (runs == 2) == again })
				}
			}
			if over(before.up.ended) != r.Upstream || over(before.alerts.ended) != r.Alerts {
				t.Errorf("the upstream has ended: %t, the alerts: %t", over(before.up.ended), over(before.alerts.ended))
			}
			s := w.a.Snapshot()
			if s.Config.Digest != r.Digest || s.Config.Refused || !slices.Equal(s.Config.RestartNeeded, r.Later) || s.Agent.Name != "lab" {
				t.Errorf("the status says %+v", s.Config)
			}
			if !slices.Equal(w.told, []bool{true, false}) {
				t.Errorf("told %v", w.told)
			}
			log, err := w.a.spool.AuditLog(0, 10)
			if want := "configuration " + r.Digest[:12] + " by test: " + r.String(); err != nil || len(log) != 1 || log[0].What != "reload" || log[0].Note != want {
				t.Errorf("audit: %+v, %v", log, err)
			}
			// Not before: it cannot be read, and once it is parked the log says so too.
			_, err = w.a.spool.Put(t.Context(), spool.Record{Lane: "one", Kind: "count", Payload: make([]byte, 2<<20)})
			if large := errors.Is(err, spool.ErrTooLarge); large != slices.Contains(r.Applied, "[spool] max_message") {
				t.Errorf("2 MiB: %v", err)
			}
		})
	}
}

func over(ended chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// TestReloadRefused: whatever is wrong, nothing at all is changed, and it is told.
func TestReloadRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		pairs  []string
		refuse string
		want   string
	}{
		{"a fault", []string{"127.0.0.1:4002", "127.0.0.1:4002x", "127.0.0.1:9/", "127.0.0.1:10/"}, "", ":20: analyzer \"two\""},
		{"two on one port", []string{"127.0.0.1:4002", "127.0.0.1:4001"}, "", "listen"},
		{"no such secret", []string{`password_file = "secret"`, `password_env = "LABCOURIER_NOT_SET"`}, "", ":10: server.auth.password_env"},
		{"a port that cannot be made", []string{"127.0.0.1:4002", "127.0.0.1:5002", "127.0.0.1:9/", "127.0.0.1:10/"}, "two", "no such port"},
		{"codes that cannot be read", []string{"[status]\n", "[codes]\nfile = \"labcourier.toml.d\"\n[status]\n"}, "", "labcourier.toml.d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReloadWorld(t)
			if err := os.Mkdir(filepath.Join(w.dir, "labcourier.toml.d"), 0o700); err != nil {
				t.Fatal(err)
			}
			before := w.a.parts.Load()
			w.refuse = c.refuse
			if r, err := w.reload(c.pairs...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%+v, %v", r, err)
			}
			if w.a.parts.Load() != before || w.a.exchanging.Load() {
				t.Error("something was changed")
			}
			if s := w.a.Snapshot(); !s.Config.Refused || s.Config.Digest != before.cfg.Digest() || s.Config.Reloads != 1 || s.Config.ReloadsRefused != 1 {
				t.Errorf("the status says %+v", s.Config)
			}
			w.refuse = ""
			if _, err := w.reload(); err != nil || w.a.Snapshot().Config.Refused || w.a.Snapshot().Config.Reloads != 2 {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestReadable: a secret that cannot be read now is a fault that names its key.
func TestReadable(t *testing.T) {
	cfg := &config.Config{File: "lab.toml", Secrets: []config.SecretUse{
		{Key: "server.auth.client_secret_file", Secret: config.Inline("x")},
		{Key: "alerts.email.password_file", Secret: config.FileSecret(filepath.Join(t.TempDir(), "gone"))},
	}}
	err := readable(cfg)
	if faults, ok := errors.AsType[config.Faults](err); !ok || len(faults) != 1 || faults[0].Key != "alerts.email.password_file" {
		t.Errorf("%v", err)
	}
}

// TestReloadLevels: each part's log asks for its level with every line.
func TestReloadLevels(t *testing.T) {
	var b strings.Builder
	a := &Agent{o: Options{Log: zerolog.New(&b).Level(zerolog.InfoLevel), Config: &config.Config{}}}
	a.openLog()
	log, second := a.component("deliver"), a.component("shadow deliver")
	said := func(want string) {
		t.Helper()
		b.Reset()
		a.log.Debug().Msg("all")
		log.Debug().Msg("first")
		second.Debug().Msg("second")
		var got []string
		for _, word := range []string{"all", "first", "second"} {
			if strings.Contains(b.String(), `"`+word+`"`) {
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	said("")
	one := config.Log{Level: "info", Levels: map[string]string{"deliver": "debug"}}
	a.levels.reload(config.Log{Level: "info"}, one)
	said("first second")
	a.levels.reload(one, config.Log{Level: "debug"})
	said("all first second")
}

// TestReloadLeavesBehind: a driver that hangs does not hold a reload up for ever.
func TestReloadLeavesBehind(t *testing.T) {
	a := &Agent{}
	a.parts.Store(&parts{cfg: &config.Config{Agent: config.Agent{StopTimeout: 10 * time.Second}}})
	_, feed := trace.Watch(deafPort{})
	synctest.Test(t, func(t *testing.T) {
		s := &source{feed: feed, log: zerolog.Nop()}
		hold := make(chan struct{})
		var all sync.WaitGroup
		s.begin(context.Background(), &all, func(context.Context) { <-hold })
		began := time.Now()
		a.endSource(s)
		if d := time.Since(began); d != 6*time.Second {
			t.Errorf("it was waited for during %s", d)
		}
		close(hold)
		all.Wait()
	})
}

// TestExchangeBreaksOff: a delivery that does not end holds up no stop, and its
// successor does not begin beside it.
func TestExchangeBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Agent{}
		giving, stop := context.WithCancel(t.Context())
		st := &stage{giving: giving, taking: t.Context()}
		hold := make(chan struct{})
		old := &parts{up: &upstream{}}
		a.parts.Store(old)
		old.up.begin(st.taking, &st.takers, func(context.Context) { <-hold })
		ended := make(chan error, 1)
		go func() { ended <- a.exchange(st, old, &parts{up: &upstream{}}) }()
		time.Sleep(time.Hour)
		select {
		case err := <-ended:
			t.Errorf("it did not wait: %v", err)
		default:
		}
		stop()
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, errStopping) || a.parts.Load() != old {
				t.Errorf("it ended with %v", err)
			}
		default:
			t.Error("it does not break off")
		}
		close(hold)
		st.takers.Wait()
	})
}

// settle waits until ok, which takes moments.
func settle(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
		<-time.After(time.Millisecond)
	}
}
