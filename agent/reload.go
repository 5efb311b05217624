package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
)

// ReloadPath is the admin call that reloads the configuration. Its parameter by
// says who asks, and file, if it is given, which configuration it is about: an
// agent that runs with another one does nothing.
const ReloadPath = "reload"

// Reloaded is what a reload did.
type Reloaded struct {
	File   string `json:"file"`
	Digest string `json:"digest"` // of the file

	// Analyzers, in the configuration's order. A link that is unchanged was not
	// touched.
	Unchanged []string `json:"unchanged"`
	Restarted []string `json:"restarted"`
	Added     []string `json:"added"`
	Removed   []string `json:"removed"`

	Upstream bool     `json:"upstream_restarted"` // sign-in and deliveries
	Alerts   bool     `json:"alerts_restarted"`
	Applied  []string `json:"applied"`       // keys that needed no restart
	Later    []string `json:"at_next_start"` // keys that take effect then
}

// String is r in one line.
func (r Reloaded) String() string {
	words := []string{fmt.Sprintf("unchanged %d", len(r.Unchanged))}
	for _, part := range []struct {
		what  string
		names []string
	}{{"restarted", r.Restarted}, {"added", r.Added}, {"removed", r.Removed}} {
		for _, name := range part.names {
			words = append(words, part.what+" "+name)
		}
	}
	if r.Upstream {
		words = append(words, "upstream restarted")
	}
	if r.Alerts {
		words = append(words, "alerts restarted")
	}
	if len(r.Applied) > 0 {
		words = append(words, "applied: "+strings.Join(r.Applied, ", "))
	}
	if len(r.Later) > 0 {
		words = append(words, "at next start: "+strings.Join(r.Later, ", "))
	}
	return strings.Join(words, ", ")
}

// Reload reads the configuration anew and changes what it changes, and nothing
// else. By says who asks, for the log and the audit log. After an error, which is
// config.Faults where the file is at fault, everything is as it was.
func (a *Agent) Reload(ctx context.Context, by string) (Reloaded, error) {
	select {
	case <-a.begun:
	case <-ctx.Done():
		return Reloaded{}, fmt.Errorf("reload the configuration: the agent does not run yet: %w", ctx.Err())
	}
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.o.Reloading != nil {
		a.o.Reloading(true)
		defer a.o.Reloading(false)
	}
	r, err := a.reload()
	a.refused.Store(err != nil)
	a.reloads.all.Add(1)
	if err != nil {
		a.reloads.refused.Add(1)
	}
	a.note(ctx, by, r, err)
	return r, err
}

func (a *Agent) reload() (Reloaded, error) {
	if a.o.Load == nil {
		return Reloaded{}, errors.New("reload the configuration: this agent has none in a file")
	}
	cfg, err := a.o.Load()
	if err != nil {
		return Reloaded{}, err
	}
	if err := readable(cfg); err != nil {
		return Reloaded{}, err
	}
	for _, w := range cfg.Warnings {
		a.log.Warn().Str("file", w.File).Int("line", w.Line).Str("key", w.Key).Str("hint", w.Hint).Msg(w.Problem)
	}
	old := a.parts.Load()
	later := cfg.Adopt(old.cfg)
	next, err := a.build(cfg, old)
	if err != nil {
		return Reloaded{}, err
	}
	next.later = later
	r := compare(old, next)
	return r, a.exchange(a.stage, old, next)
}

// readable finds the secrets that this process cannot read. At the start they are
// waited for; a configuration that works is not given up for one that may not.
func readable(cfg *config.Config) error {
	var faults config.Faults
	for _, use := range cfg.Secrets {
		if _, err := use.Secret.Read(); err != nil {
			faults = append(faults, config.Fault{
				File: cfg.File, Key: use.Key, Problem: use.Key + ": " + err.Error(),
				Hint: "let the service read it: `labcourier secret check` says more",
			})
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

// compare says what it takes to go from old to next.
func compare(old, next *parts) Reloaded {
	r := Reloaded{
		File: next.cfg.File, Digest: next.cfg.Digest(), Later: next.later,
		Upstream: old.up != next.up, Alerts: old.alerts != next.alerts,
		Unchanged: []string{}, Restarted: []string{}, Added: []string{}, Removed: []string{},
	}
	for _, s := range next.sources {
		name := s.cfg.Name
		switch before := old.source(name); before {
		case s:
			r.Unchanged = append(r.Unchanged, name)
		case nil:
			r.Added = append(r.Added, name)
		default:
			r.Restarted = append(r.Restarted, name)
		}
	}
	for _, s := range old.sources {
		if next.source(s.cfg.Name) == nil {
			r.Removed = append(r.Removed, s.cfg.Name)
		}
	}
	r.Applied = slices.Concat([]string{}, config.Differences("log", old.cfg.Log, next.cfg.Log), config.Differences("spool", old.cfg.Spool, next.cfg.Spool), windows(old.cfg, next.cfg))
	if old.cfg.Server.Heartbeat != next.cfg.Server.Heartbeat {
		r.Applied = append(r.Applied, "[server] heartbeat")
	}
	r.Later = append([]string{}, r.Later...)
	return r
}

// windows names the analyzers that have another resend window of their own.
func windows(old, next *config.Config) (keys []string) {
	before := spoolOptions(old).ResendWindows
	for _, an := range next.Enabled() {
		own := an.ResendWindow != next.Spool.ResendWindow
		if was, known := before[an.Name]; known && own && was != orOff(an.ResendWindow) {
			keys = append(keys, "resend_window of "+an.Name)
		}
	}
	return keys
}

// auditWithin bounds the wait for the audit log: a disk that fails may be why
// somebody reloads.
const auditWithin = 5 * time.Second

// note tells of a reload in the log and in the audit log.
func (a *Agent) note(ctx context.Context, by string, r Reloaded, err error) {
	line, words := a.log.Info(), "configuration "+short(r.Digest)+" by "+by+": "+r.String()
	if err != nil {
		line, words = a.log.Error().Err(err), "refused, by "+by+faulty(err)+"; configuration "+short(a.config().Digest())+" goes on"
		line.Str("by", by).Msg("the configuration is not reloaded; all goes on as before")
	} else {
		line.Str("by", by).Str("config", r.Digest).Str("did", r.String()).Msg("configuration reloaded")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWithin)
	defer cancel()
	if err := a.spool.Audit(ctx, "reload", "", 0, words); err != nil {
		a.log.Error().Err(err).Msg("a reload could not be noted in the audit log")
	}
}

// faulty says where the faults of a file are, for a log that must not grow long.
func faulty(err error) string {
	faults, _ := errors.AsType[config.Faults](err)
	switch len(faults) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(": 1 fault, on line %d", faults[0].Line)
	}
	return fmt.Sprintf(": %d faults, the first on line %d", len(faults), faults[0].Line)
}

// short is enough of a digest to tell it from others.
func short(digest string) string { return digest[:min(12, len(digest))] }

// reloadCall is Reload as an admin call.
func (a *Agent) reloadCall(ctx context.Context, v url.Values) (any, error) {
	by := "admin call"
	if v.Get("by") == "cli" {
		by = "cli"
	}
	if file, own := v.Get("file"), a.config().File; file != "" && !sameFile(file, own) {
		return nil, &admin.Error{Status: http.StatusConflict, Text: "this agent runs with " + own + ", and not with " + file}
	}
	r, err := a.Reload(ctx, by)
	if faults, ok := errors.AsType[config.Faults](err); ok {
		list, err := json.Marshal(faults)
		return nil, cmp.Or[error](err, &admin.Error{Status: http.StatusUnprocessableEntity, Text: faults.Error(), Faults: list})
	} else if err != nil {
		return nil, &admin.Error{Status: http.StatusConflict, Text: err.Error()}
	}
	return r, nil
}

// sameFile reports whether two paths lead to one file. A file that is gone is the
// one that was at its path.
func sameFile(a, b string) bool {
	pathA, errA := filepath.Abs(a)
	pathB, errB := filepath.Abs(b)
	if errA == nil && errB == nil && pathA == pathB {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
