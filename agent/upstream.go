package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/agent/outbound"
	"github.com/labcourier/labcourier/drivers"
)

// upstream is the way to the servers: the reader, and for each server the sign-in
// and the lanes. It is made anew as a whole.
type upstream struct {
	of     upstreamOf
	reader *reader
	main   way
	shadow *way         // the second server; nil for none
	queue  *shadowQueue // its place in the lanes, kept while there is none, too
	task
}

// way is the delivery to one server, with nothing in common with that to another.
type way struct {
	auth    *auth.Authorizer
	deliver *deliver.Deliverer
}

// upstreamOf is all that an upstream is made of: what the configuration says, and
// what was in the files that it names.
type upstreamOf struct {
	Server    config.Server
	Shadow    *config.Server
	Orders    *config.Orders
	Codes     config.Codes
	Analyzers []config.Analyzer
	Files     string
}

func upstreamFrom(cfg *config.Config) upstreamOf {
	of := upstreamOf{Server: cfg.Server, Shadow: cfg.Shadow, Orders: cfg.Orders, Codes: cfg.Codes}
	of.Server.Heartbeat = 0 // is read anew for each
	for _, an := range cfg.Analyzers {
		an.Profile, an.Serial, an.TCP, an.Folder, an.ResendWindow = "", nil, nil, nil, 0 // nothing to the delivery
		of.Analyzers = append(of.Analyzers, an)
	}
	files := append([]string{cfg.Server.CAFile, cfg.Codes.File}, cfg.Codes.Catalogues...)
	if cfg.Shadow != nil {
		files = append(files, cfg.Shadow.CAFile)
	}
	of.Files = contents(files...)
	return of
}

// contents tells whether one of the files is another one than before.
func contents(files ...string) string {
	sum := sha256.New()
	for _, name := range files {
		text, err := os.ReadFile(name)
		own := sha256.Sum256(text)
		fmt.Fprintf(sum, "%q %t %x\n", name, err == nil, own)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// upstreamFor is the way upstream for cfg: the one that there is, if it need not
// change.
func (a *Agent) upstreamFor(cfg *config.Config, old *upstream) (*upstream, error) {
	u := &upstream{of: upstreamFrom(cfg)}
	if old != nil {
		if config.Same(old.of, u.of) {
			return old, nil
		}
		u.queue = old.queue
	}
	set, warnings, err := config.LoadCodes(cfg)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		a.log.Warn().Str("file", w.File).Int("line", w.Line).Str("hint", w.Hint).Msg(w.Problem)
	}
	u.reader = newReader(a.o.Kinds, cfg.Analyzers, fhir.NewMapper(fhir.Options{
		IdentifierBase: cfg.Agent.IdentifierBase, AgentName: cfg.Agent.Name, Version: a.o.Version, Codes: set.Book(),
		MaxBody: smallestBody(cfg),
	}))
	if u.main, err = a.newWay(cfg, cfg.Server, a.spool, u.reader, cfg.Enabled(), ""); err != nil {
		return nil, err
	}
	return u, a.addShadow(cfg, u)
}

// addShadow adds the second server, if there is one.
func (a *Agent) addShadow(cfg *config.Config, u *upstream) error {
	if len(cfg.Shadowed()) == 0 {
		return nil
	}
	queue := u.queue
	if queue == nil {
		queue = newShadowQueue(a.spool, cfg.Agent.DataDir)
	}
	second, err := a.newWay(cfg, *cfg.Shadow, queue, u.reader, cfg.Shadowed(), "shadow ")
	if err != nil {
		return err
	}
	if u.queue == nil {
		if err := queue.open(); err != nil {
			return err
		}
	}
	u.shadow, u.queue = &second, queue
	return queue.add(names(cfg.Shadowed()))
}

// run delivers until ctx ends.
func (u *upstream) run(ctx context.Context, fail func(error), log zerolog.Logger) {
	var work sync.WaitGroup
	u.runShadow(ctx, &work, log)
	for name, run := range map[string]func(context.Context) error{"authorisation": u.main.auth.Run, "delivery": u.main.deliver.Run} {
		work.Go(func() {
			if err := run(ctx); err != nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	work.Wait()
}

// smallestBody is the largest request that every server takes: what is mapped is
// the same for all of them.
func smallestBody(cfg *config.Config) int {
	if cfg.Shadow == nil {
		return int(cfg.Server.MaxBody)
	}
	return int(min(cfg.Server.MaxBody, cfg.Shadow.MaxBody))
}

// newWay makes the delivery to one server. The prefix tells them apart in the log.
func (a *Agent) newWay(cfg *config.Config, s config.Server, queue deliver.Queue, r *reader, analyzers []config.Analyzer, prefix string) (way, error) {
	toServer, toTokens, err := httpClients(s, a.component(prefix+"http"))
	if err != nil {
		return way{}, err
	}
	signer, err := auth.New(authOptions(s, toServer, toTokens, a.component(prefix+"auth")))
	if err != nil {
		return way{}, fmt.Errorf("authorisation at the %sserver: %w", prefix, err)
	}
	d, err := deliver.New(deliver.Options{
		BaseURL:     s.URL,
		HTTP:        toServer,
		Auth:        signer,
		Queue:       queue,
		Map:         r.plan,
		Lanes:       names(analyzers),
		Bots:        bots(a.o.Kinds, analyzers),
		Orders:      orders(cfg.Orders),
		Concurrency: s.MaxParallel,
		Timeout:     s.Timeout,
		MaxBody:     int(s.MaxBody),
		Grace:       cfg.Agent.StopTimeout / 2,
		UserAgent:   "labcourier/" + a.o.Version,
		Log:         a.component(prefix + "deliver"),
	})
	return way{signer, d}, err
}

// orders is [orders] as the delivery takes it.
func orders(o *config.Orders) *deliver.Orders {
	if o == nil {
		return nil
	}
	return &deliver.Orders{System: o.System, Hold: o.Unmatched == "hold", MaxAge: o.MaxAge}
}

// bots are the targets of the analyzers whose messages go to a bot.
func bots(kinds []drivers.Kind, analyzers []config.Analyzer) map[string]deliver.Bot {
	out := map[string]deliver.Bot{}
	for _, an := range analyzers {
		if an.Deliver != "bot" {
			continue
		}
		out[an.Name] = deliver.Bot{Name: an.Bot, MediaType: func(kind string) string { return mediaType(kinds, kind, an) }}
	}
	return out
}

// mediaType is what HTTP calls a message of that kind of this analyzer.
func mediaType(kinds []drivers.Kind, kind string, an config.Analyzer) string {
	media := "text/plain"
	if k, ok := kindNamed(kinds, kind); ok && k.MediaType != "" {
		media = k.MediaType
	}
	if an.Charset != "" {
		media += "; charset=" + an.Charset
	}
	return media
}

func names(analyzers []config.Analyzer) (out []string) {
	for _, an := range analyzers {
		out = append(out, an.Name)
	}
	return out
}

// httpClients makes the clients for everything that leaves this computer: that
// for the FHIR server, and that for the token endpoint. They are one, unless the
// client's certificate is for one of them only.
func httpClients(s config.Server, log zerolog.Logger) (toServer, toTokens *http.Client, err error) {
	o := outbound.Options{
		CAFile: s.CAFile, CertFile: s.CertFile, CertKeyFile: s.CertKeyFile,
		Proxy: s.Proxy.Address, Direct: s.Proxy.NoProxy, ProxyUser: s.Proxy.Username,
		Timeout: s.Timeout, PerHost: s.MaxParallel, Log: log,
	}
	if s.Proxy.Password.Given() {
		o.ProxyPassword = s.Proxy.Password.Read
	}
	with, err := outbound.New(o)
	if err != nil || s.CertFile == "" || s.CertFor == "all" {
		return with, with, err
	}
	o.CertFile, o.CertKeyFile = "", ""
	without, err := outbound.New(o)
	if s.CertFor == "fhir" {
		return with, without, err
	}
	return without, with, err
}

func authOptions(s config.Server, toServer, toTokens *http.Client, log zerolog.Logger) auth.Options {
	o := auth.Options{
		Method:        s.Auth.Method,
		TokenURL:      s.Auth.TokenURL,
		ClientID:      s.Auth.ClientID,
		Scopes:        s.Auth.Scopes,
		Audience:      s.Auth.Audience,
		ClientAuth:    auth.ClientAuth(s.Auth.ClientAuth),
		Username:      s.Auth.Username,
		FallbackAfter: s.Auth.FallbackAfter,
		Reprobe:       s.Auth.Reprobe,
		Probe:         deliver.Probe(toServer, s.URL),
		BaseURL:       s.URL,
		HTTP:          toTokens,
		Log:           log,

		KeyID: s.Auth.ClientKeyID, KeyAlg: s.Auth.ClientKeyAlg, AssertionAudience: s.Auth.AssertionAud,
	}
	if s.Auth.ClientKey.Given() {
		o.Key = s.Auth.ClientKey.Read
	}
	if s.Auth.ClientSecret.Given() {
		o.ClientSecret = s.Auth.ClientSecret.Read
	}
	if s.Auth.Password.Given() {
		o.Password = s.Auth.Password.Read
	}
	return o
}
