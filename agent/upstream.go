package agent

import (
	"fmt"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/agent/outbound"
	"github.com/labcourier/labcourier/drivers"
)

// openDelivery makes the way upstream: the reader, the sign-in and the lanes.
func (a *Agent) openDelivery() error {
	cfg := a.o.Config
	set, warnings, err := config.LoadCodes(cfg)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		a.o.Log.Warn().Str("file", w.File).Int("line", w.Line).Str("hint", w.Hint).Msg(w.Problem)
	}
	a.reader = newReader(a.o.Kinds, cfg.Analyzers, fhir.NewMapper(fhir.Options{
		IdentifierBase: cfg.Agent.IdentifierBase, AgentName: cfg.Agent.Name, Version: a.o.Version, Codes: set.Book(),
		MaxBody: smallestBody(cfg),
	}))
	a.auth, a.deliver, err = a.newDelivery(cfg.Server, a.spool, cfg.Enabled(), "")
	if err != nil || len(cfg.Shadowed()) == 0 {
		return err
	}
	a.shadow, err = openShadow(a.spool, cfg.Agent.DataDir, names(cfg.Shadowed()))
	if err != nil {
		return err
	}
	a.shadowAuth, a.shadowDeliver, err = a.newDelivery(*cfg.Shadow, a.shadow, cfg.Shadowed(), "shadow ")
	return err
}

// smallestBody is the largest request that every server takes: what is mapped is
// the same for all of them.
func smallestBody(cfg *config.Config) int {
	if cfg.Shadow == nil {
		return int(cfg.Server.MaxBody)
	}
	return int(min(cfg.Server.MaxBody, cfg.Shadow.MaxBody))
}

// newDelivery makes the delivery to one server, with nothing in common with
// that to another. The prefix tells them apart in the log.
func (a *Agent) newDelivery(s config.Server, queue deliver.Queue, analyzers []config.Analyzer, prefix string) (*auth.Authorizer, *deliver.Deliverer, error) {
	cfg := a.o.Config
	toServer, toTokens, err := httpClients(s, a.component(prefix+"http"))
	if err != nil {
		return nil, nil, err
	}
	signer, err := auth.New(authOptions(s, toServer, toTokens, a.component(prefix+"auth")))
	if err != nil {
		return nil, nil, fmt.Errorf("authorisation at the %sserver: %w", prefix, err)
	}
	d, err := deliver.New(deliver.Options{
		BaseURL:     s.URL,
		HTTP:        toServer,
		Auth:        signer,
		Queue:       queue,
		Map:         a.reader.plan,
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
	return signer, d, err
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
