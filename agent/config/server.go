package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// serverKeys is [server] as it is written.
type serverKeys struct {
	Server
	Proxy

	ProxyPasswordFile       string `toml:"proxy_password_file"`
	ProxyPasswordEnv        string `toml:"proxy_password_env"`
	ProxyPasswordCredential string `toml:"proxy_password_credential"`
	ProxyPassword           sealed `toml:"proxy_password"`
}

func (t table) server(s *Server) {
	var k serverKeys
	k.setDefaults()
	t.read(&k, "auth")
	defer func() { *s = k.Server }()
	if t.n == nil {
		t.fault("", "is missing", `add [server] with url = "https://..." and [server.auth] below it`)
		return
	}
	if t.gone() {
		return
	}
	if t.need("url", k.URL, `give the FHIR base of the server: url = "https://api.medplum.com/fhir/R4"`) {
		t.webAddress("url", k.URL)
		k.URL = strings.TrimRight(k.URL, "/")
	}
	t.target(k.Deliver, k.Bot)
	t.span("timeout", k.Timeout, time.Second, 10*time.Minute)
	t.size("max_body", k.MaxBody, 16*KiB, 64*MiB)
	if k.Heartbeat != 0 {
		t.span("heartbeat", k.Heartbeat, time.Minute, 24*time.Hour)
	}
	t.number("max_parallel", k.MaxParallel, 1, 256)
	if t.has("ca_file") {
		k.CAFile = t.c.abs(k.CAFile)
		t.certificates("ca_file", k.CAFile, "the authority's")
	}
	t.clientCertificate(&k.Server)
	t.proxy(&k)
	t.sub("auth").auth(&k.Auth)
}

// target checks to what messages go.
func (t table) target(deliver, bot string) {
	t.oneOf("deliver", deliver, "fhir", "bot")
	const hint = `write bot = "<the bot's id>", or bot = "system|value" for its identifier`
	switch {
	case deliver == "bot" && (!t.has("bot") || bot == ""):
		t.fault("deliver", `is "bot", and nothing says which bot`, hint)
	case deliver != "bot" && t.has("bot"):
		t.fault("bot", `belongs to deliver = "bot"`, `write deliver = "bot" beside it, or remove the key`)
	case strings.ContainsAny(bot, " \t\r\n/?#") && !strings.Contains(bot, "|"):
		t.fault("bot", "is not a bot's id", hint)
	}
}

// webAddress checks the address of something that secrets are sent to.
func (t table) webAddress(key, value string) {
	const hint = `write it as "https://host/path"`
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || !validPort(u.Port()):
		t.fault(key, "is not a web address", hint)
	case u.User != nil:
		t.fault(key, "holds a user name or password", "remove them; they belong in [server.auth]")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(value, "#"):
		t.fault(key, "has a query or fragment (a part after ? or #)", "remove that part")
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		t.fault(key, "is plain http to another computer: patient data and secrets would travel in clear text",
			"use https; a certificate of a private authority is trusted through server.ca_file")
	}
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
