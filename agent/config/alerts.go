package config

import (
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/alert"
)

// Alerts is the table [alerts]: to whom the agent itself tells what is wrong.
type Alerts struct {
	Mute     []string      `toml:"mute"`      // kinds of problems that are not told
	Hold     time.Duration `toml:"hold"`      // how long a problem lasts before it is told
	Digest   time.Duration `toml:"digest"`    // between two messages
	LinkDown time.Duration `toml:"link_down"` // how long an analyzer may be away; 0: for ever
	Waiting  time.Duration `toml:"waiting"`   // how long a message may wait for the server
	Expiry   time.Duration `toml:"expiry"`    // how long before its end a certificate is told

	Webhook *Webhook `toml:"-"`
	Email   *Email   `toml:"-"`
}

// Webhook is the table [alerts.webhook].
type Webhook struct {
	URL     string `toml:"url"`
	Token   Secret `toml:"-"` // sent as a bearer token
	SignKey Secret `toml:"-"` // signs what is sent
}

// Email is the table [alerts.email].
type Email struct {
	Server   string   `toml:"server"` // host:port
	TLS      string   `toml:"tls"`    // "starttls", "implicit" or "none"
	From     string   `toml:"from"`
	To       []string `toml:"to"`
	Username string   `toml:"username"` // "": it does not sign in
	Password Secret   `toml:"-"`
}

// webhookKeys is [alerts.webhook] as it is written.
type webhookKeys struct {
	Webhook

	TokenFile       string `toml:"token_file"`
	TokenEnv        string `toml:"token_env"`
	TokenCredential string `toml:"token_credential"`
	Token           sealed `toml:"token"`

	SignKeyFile       string `toml:"sign_key_file"`
	SignKeyEnv        string `toml:"sign_key_env"`
	SignKeyCredential string `toml:"sign_key_credential"`
	SignKey           sealed `toml:"sign_key"`
}

// emailKeys is [alerts.email] as it is written.
type emailKeys struct {
	Email

	PasswordFile       string `toml:"password_file"`
	PasswordEnv        string `toml:"password_env"`
	PasswordCredential string `toml:"password_credential"`
	Password           sealed `toml:"password"`
}

func (a *Alerts) setDefaults() {
	a.Hold, a.Digest = 2*time.Minute, 5*time.Minute
	a.LinkDown, a.Waiting, a.Expiry = 10*time.Minute, 30*time.Minute, 14*24*time.Hour
}

func (e *emailKeys) setDefaults() { e.TLS = alert.TLSStart }

func (t table) alerts(a *Alerts) {
	t.read(a, "webhook", "email")
	if t.n == nil || t.gone() {
		return
	}
	for _, kind := range a.Mute {
		if !slices.Contains(alert.Kinds(), kind) {
			t.fault("mute", "names what is no kind of problem", "use "+quoted(alert.Kinds()))
		}
	}
	t.span("hold", a.Hold, 0, 24*time.Hour)
	t.span("digest", a.Digest, 0, 24*time.Hour)
	t.span("link_down", a.LinkDown, 0, 7*24*time.Hour)
	t.span("waiting", a.Waiting, time.Minute, 7*24*time.Hour)
	t.span("expiry", a.Expiry, 0, 365*24*time.Hour)
	if t.has("webhook") {
		a.Webhook = t.sub("webhook").webhook()
	}
	if t.has("email") {
		a.Email = t.sub("email").email()
	}
	if !t.has("webhook") && !t.has("email") && len(t.n.names) > 0 {
		t.warn("", "tells nobody", "give [alerts.webhook] or [alerts.email], or remove the table")
	}
}

func (t table) webhook() *Webhook {
	var k webhookKeys
	t.read(&k)
	if t.gone() {
		return nil
	}
	if t.need("url", k.URL, `give the address to post to: url = "https://alerts.example.org/labcourier"`) {
		before, _, _ := strings.Cut(k.URL, "?") // a hook may well have a query
		t.webAddress("url", before)
	}
	if t.hasSecret("token") {
		k.Webhook.Token = t.secret("token", k.TokenFile, k.TokenEnv, k.TokenCredential, k.Token)
	}
	if t.hasSecret("sign_key") {
		k.Webhook.SignKey = t.secret("sign_key", k.SignKeyFile, k.SignKeyEnv, k.SignKeyCredential, k.SignKey)
	}
	return &k.Webhook
}

func (t table) email() *Email {
	var k emailKeys
	t.read(&k)
	if t.gone() {
		return nil
	}
	t.oneOf("tls", k.TLS, alert.TLSStart, alert.TLSImplicit, alert.TLSNone)
	if t.need("server", k.Server, `give the mail server: server = "mail.example.org:587"`) {
		addr, ok := t.address("server", k.Server)
		if ok && k.TLS == alert.TLSNone && !addr.loopback() {
			t.fault("tls", `is "none" to another computer`, `use "starttls" or "implicit"`)
		}
	}
	if t.need("from", k.From, `give the sender: from = "labcourier@example.org"`) {
		t.mailbox("from", k.From)
	}
	if len(k.To) == 0 {
		t.fault("to", "is missing", `give who gets the mails: to = ["lab-it@example.org"]`)
	}
	for _, to := range k.To {
		t.mailbox("to", to)
	}
	if t.has("username") || t.hasSecret("password") {
		t.need("username", k.Username, "give the user name, or remove the password")
		k.Email.Password = t.secret("password", k.PasswordFile, k.PasswordEnv, k.PasswordCredential, k.Password)
	}
	return &k.Email
}

func (t table) mailbox(key, value string) {
	a, err := mail.ParseAddress(value)
	if err != nil || !strings.Contains(a.Address, "@") || strings.ContainsAny(value, "\r\n") {
		t.fault(key, "is not a mail address", `write it as "name@example.org"`)
	}
}
