package agent

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/alert"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/outbound"
)

// AlertWays makes the ways by which a configuration has people told.
func AlertWays(cfg *config.Config, log zerolog.Logger) (ways []alert.Way, err error) {
	if h := cfg.Alerts.Webhook; h != nil {
		client, err := outbound.New(alertClient(cfg.Server, log))
		if err != nil {
			return nil, err
		}
		ways = append(ways, alert.Webhook{URL: h.URL, HTTP: client, Token: reading(h.Token), Key: reading(h.SignKey)})
	}
	if m := cfg.Alerts.Email; m != nil {
		trusted, err := outbound.Roots(cfg.Server.CAFile)
		if err != nil {
			return nil, err
		}
		ways = append(ways, alert.Mail{
			Server: m.Server, TLS: m.TLS, Roots: trusted, From: m.From, To: m.To,
			Username: m.Username, Password: reading(m.Password),
		})
	}
	return ways, nil
}

// alertClient is how webhooks are called: as the server is, without showing the
// certificate that is for the server.
func alertClient(s config.Server, log zerolog.Logger) outbound.Options {
	return outbound.Options{
		CAFile: s.CAFile, Proxy: s.Proxy.Address, Direct: s.Proxy.NoProxy, ProxyUser: s.Proxy.Username,
		ProxyPassword: reading(s.Proxy.Password), Timeout: s.Timeout, PerHost: 1, Log: log,
	}
}

// reading is how a secret is read, nil if it is not given.
func reading(s config.Secret) func() (string, error) {
	if !s.Given() {
		return nil
	}
	return s.Read
}

// alerts is how people are told. What they were told stays with the agent when it is
// made anew.
type alerts struct {
	of   alertsOf
	ways []alert.Way
	task
}

// alertsOf is what alerts are made of.
type alertsOf struct {
	Alerts  config.Alerts
	CAFile  string
	Trusted string // what is in CAFile
	Proxy   config.Proxy
	Timeout time.Duration
}

// alertsFor is how cfg has people told: as before, if that need not change.
func (a *Agent) alertsFor(cfg *config.Config, old *alerts) (*alerts, error) {
	s := cfg.Server
	of := alertsOf{cfg.Alerts, s.CAFile, contents(s.CAFile), s.Proxy, s.Timeout}
	if cfg.Alerts.Webhook == nil && cfg.Alerts.Email == nil {
		of = alertsOf{} // nobody is told
	}
	if old != nil && config.Same(old.of, of) {
		return old, nil
	}
	ways, err := AlertWays(cfg, a.component("alert"))
	if err != nil {
		return nil, err
	}
	return &alerts{of: of, ways: ways}, nil
}

// alert tells people what is wrong until ctx ends. It disturbs nothing: what it
// cannot send is in the log.
func (a *Agent) alert(ctx context.Context, by *alerts) {
	l := by.of.Alerts
	_ = alert.Run(ctx, alert.Options{ // it has no way to fail
		Agent: a.config().Agent.Name, Version: a.o.Version, Look: a.Snapshot,
		Expiries: func() []alert.Expiry { return expiries(a.config().Server) },
		Limits:   alert.Limits{Mute: l.Mute, Hold: l.Hold, Digest: l.Digest, Link: l.LinkDown, Waiting: l.Waiting, Expiry: l.Expiry},
		Ways:     by.ways, Memory: &a.alerted, Log: a.component("alert"),
	})
}

// expiries tells until when the client's certificate is good, as its file is now.
func expiries(s config.Server) []alert.Expiry {
	if s.CertFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.CertFile)
	if err != nil {
		return nil // the HTTP client says so
	}
	block, text := pem.Decode(text)
	for block != nil && block.Type != "CERTIFICATE" {
		block, text = pem.Decode(text)
	}
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return []alert.Expiry{{What: "The client's certificate", Ends: leaf.NotAfter}}
}
