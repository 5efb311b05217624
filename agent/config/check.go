package config

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// check judges the document and fills cfg.
func (c *checker) check(n *node, cfg *Config) {
	root := table{c: c, n: n, at: n.at}
	root.topLevel()
	root.sub("agent").agent(&cfg.Agent)
	root.sub("server").server(&cfg.Server)
	root.sub("status").status(&cfg.Status)
	root.sub("log").log(&cfg.Log)
	root.sub("spool").spool(&cfg.Spool)
	root.sub("codes").codes(&cfg.Codes)
	root.orders(cfg)
	root.sub("alerts").alerts(&cfg.Alerts)
	found := root.analyzers(cfg)
	root.shadow(cfg, found)
	cfg.folders()
	c.clashes(root.sub("status"), cfg.Status, found)
}

// topLevel tells the tables that nobody reads.
func (t table) topLevel() {
	t.read(&struct{}{}, "agent", "server", "shadow", "orders", "status", "log", "spool", "codes", "alerts", "analyzer")
}

// orders reads how the order of a specimen is found.
func (t table) orders(cfg *Config) {
	if !t.has("orders") {
		return
	}
	cfg.Orders = &Orders{}
	o := t.sub("orders")
	o.read(cfg.Orders)
	o.oneOf("unmatched", cfg.Orders.Unmatched, "send", "hold")
	o.span("max_age", cfg.Orders.MaxAge, time.Hour, 2*365*24*time.Hour)
	if strings.ContainsAny(cfg.Orders.System, " \t\n|,$\\") {
		o.fault("system", "is not a URI that a search can hold", `write the system of your orders' identifiers, such as "https://lab.example.org/accession", or remove the key`)
	}
}

// shadow reads the second server, and looks whether anybody has one.
func (t table) shadow(cfg *Config, found []foundAnalyzer) {
	if t.has("shadow") {
		cfg.Shadow = &Server{}
		t.sub("shadow").server(cfg.Shadow)
		if cfg.Shadow.URL == cfg.Server.URL && cfg.Shadow.URL != "" {
			t.sub("shadow").fault("url", "is the server's own: a result would be looked for where it was just created", "give the base of another server")
		}
	}
	for _, key := range []string{"raw", "provenance"} {
		if t.sub("shadow").has(key) {
			t.sub("shadow").fault(key, "is not the second server's to say: both get the same", "remove it here; [server] and each analyzer have it")
		}
	}
	if t.sub("shadow").has("heartbeat") {
		t.sub("shadow").fault("heartbeat", "is not the second server's to have: only [server] sees how the agent does", "remove it here")
	}
	for _, a := range found {
		if a.Shadow && !t.has("shadow") {
			a.fault("shadow", "is set, and there is no second server", `add [shadow] with url = "https://..." and [shadow.auth] below it`)
		}
	}
}

func (t table) agent(a *Agent) {
	t.read(a)
	if t.n == nil {
		t.fault("", "is missing", `begin the file with [agent] and name = "core-lab-1" below it`)
		return
	}
	if t.gone() {
		return
	}
	t.name("name", a.Name, "core-lab-1")
	t.filePath("data_dir", a.DataDir)
	a.DataDir = t.c.abs(a.DataDir)
	t.span("stop_timeout", a.StopTimeout, time.Second, 10*time.Minute)
	u, err := url.Parse(a.IdentifierBase)
	if err != nil || u.Scheme == "" || u.Fragment != "" || strings.ContainsAny(a.IdentifierBase, " \t\n|,$\\\"<>^`{}") ||
		strings.HasSuffix(a.IdentifierBase, ":") || strings.HasSuffix(a.IdentifierBase, "/") {
		t.fault("identifier_base", "must be a URI without blanks, | , $ \\ or # and without : or / at its end",
			`write one such as "urn:labcourier" or "https://lab.example.org/id", or remove the key`)
	}
}

func (t table) status(s *Status) {
	t.read(s, "remote")
	addr, ok := t.address("listen", s.Listen)
	if ok && !addr.loopback() {
		t.fault("listen", "must be an address of this computer only, since the status page has no log-in there",
			`use "127.0.0.1:8686"; other computers come by [status.remote], with a certificate and a password`)
	}
	if t.has("remote") {
		s.Remote = &StatusRemote{}
		t.sub("remote").statusRemote(s.Remote)
	}
}

func (t table) log(l *Log) {
	t.read(l)
	levels := []string{"trace", "debug", "info", "warn", "error"}
	t.oneOf("level", l.Level, levels...)
	t.oneOf("format", l.Format, "auto", "console", "json")
	for _, name := range slices.Sorted(maps.Keys(l.Levels)) {
		if in := t.sub("levels"); slices.Contains(LogComponents(), name) {
			in.oneOf(name, l.Levels[name], levels...)
		} else {
			in.fault(name, "is no part of labcourier that has a level of its own", "use "+quoted(LogComponents()))
		}
	}
	if t.has("file") {
		l.File = t.c.abs(l.File)
		t.filePath("file", l.File)
	}
	t.size("max_size", l.MaxSize, MiB, GiB)
	t.span("max_age", l.MaxAge, 0, 10*365*24*time.Hour)
	t.number("max_files", l.MaxFiles, 0, 10000)
}

func (t table) spool(s *Spool) {
	k := spoolKeys{Spool: *s}
	t.read(&k)
	*s = k.Spool
	t.encryption(s, k)
	t.span("resend_window", s.ResendWindow, 0, 7*24*time.Hour)
	t.span("retain", s.Retain, 0, 10*365*24*time.Hour)
	t.span("retain_audit", s.RetainAudit, 0, 100*365*24*time.Hour)
	t.size("retain_bytes", s.RetainBytes, 0, 64*TiB)
	t.size("reserve", s.Reserve, 64*MiB, 1*TiB)
	t.size("warn", s.Warn, 64*MiB, 4*TiB)
	t.size("max_message", s.MaxMessage, 64*KiB, 256*MiB)
	if s.Warn < s.Reserve {
		key := "warn"
		if !t.has(key) {
			key = "reserve"
		}
		t.fault(key, "is on the wrong side: warn must not be below reserve, for the warning has to come before the agent stops acknowledging",
			"give warn a larger size than reserve")
	}
}

// listenAddress is an address that is listened on.
type listenAddress struct {
	host string     // "" is every address; else as written
	ip   netip.Addr // invalid for a host name
	port uint16
}

func (a listenAddress) loopback() bool {
	return strings.EqualFold(a.host, "localhost") || a.ip.IsLoopback()
}

// clashes reports whether both cannot be listened on.
func (a listenAddress) clashes(b listenAddress) bool {
	if a.port != b.port || a.port == 0 {
		return false
	}
	return a.covers(b) || b.covers(a)
}

// covers reports whether listening on a takes b's address too. Go listens on
// IPv4 only where 0.0.0.0 is asked for, and on both where "" or :: is.
func (a listenAddress) covers(b listenAddress) bool {
	switch {
	case a.host == "" || a.ip == netip.IPv6Unspecified():
		return true
	case a.ip == netip.IPv4Unspecified():
		return !b.ip.IsValid() || b.ip.Is4()
	case strings.EqualFold(a.host, "localhost"):
		return strings.EqualFold(b.host, "localhost") || b.ip.IsLoopback()
	case a.ip.IsValid():
		return a.ip == b.ip
	}
	return strings.EqualFold(a.host, b.host)
}
