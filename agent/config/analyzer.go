package config

import (
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// foundAnalyzer is an analyzer with its place.
type foundAnalyzer struct {
	table
	*Analyzer
}

// analyzers reads every [[analyzer]].
func (t table) analyzers(cfg *Config) []foundAnalyzer {
	const hint = `add [[analyzer]] with name, driver, and serial = { ... }, tcp = { ... } or folder = { ... }`
	n := t.n.get("analyzer")
	if t.c.bad[badKey{t.n, "analyzer"}] {
		return nil
	}
	switch {
	case n == nil || n.kind == isList && len(n.items) == 0:
		t.fault("analyzer", "is missing: there is nothing to read from", hint)
		return nil
	case n.spoiled:
		return nil
	case n.kind != isList:
		t.fault("analyzer", "must be a list of tables, not "+string(n.kind), "write double brackets around the name each time: [[analyzer]]")
		return nil
	}
	cfg.Analyzers = make([]Analyzer, len(n.items))
	var found []foundAnalyzer
	for i, item := range n.items {
		at := table{c: t.c, n: item, at: item.at, path: analyzerPath(i, item)}
		if item.kind != isTable {
			at.fault("", "must be a table, not "+string(item.kind), hint)
			continue
		}
		a := &cfg.Analyzers[i]
		at = at.withProfile()
		at.analyzer(a, cfg.Spool)
		at.ownTarget(a, cfg.Server)
		at.origins(a, cfg.Server)
		found = append(found, foundAnalyzer{at, a})
	}
	if len(cfg.Enabled()) == 0 && len(found) > 0 {
		found[0].warn("enabled", "is false, as for every analyzer: nothing will be received", "set enabled = true, or remove the key, for the analyzers in use")
	}
	return found
}

func analyzerPath(i int, n *node) path {
	p := path{fmt.Sprintf("analyzer[%d]", i), fmt.Sprintf("analyzer %d:", i+1)}
	if name := n.get("name"); name != nil && name.kind == isText && properName(name.text) {
		p.label = fmt.Sprintf("analyzer %q:", name.text)
	}
	return p
}

func (t table) analyzer(a *Analyzer, s Spool) {
	kinds := t.c.kindNames()
	t.read(a, kinds...)
	t.name("name", a.Name, "xn-550")
	t.link(a)
	t.text(a)
	t.oneOf("status_default", string(a.StatusDefault), string(drivers.StatusPreliminary), string(drivers.StatusFinal))
	t.oneOf("corrections", a.Corrections, "update", "new", "hold")
	t.span("corrections_within", a.CorrectionsWithin, time.Minute, 90*24*time.Hour)
	t.oneOf("qc", a.QC, "keep", "send", "drop")
	if t.has("resend_window") {
		t.span("resend_window", a.ResendWindow, 0, 7*24*time.Hour)
	} else {
		a.ResendWindow = s.ResendWindow
	}
	if a.Folder != nil && a.ResendWindow == 0 {
		t.warn("resend_window", "is 0, so a crash while a file is taken delivers that file twice", `set resend_window = "1m" or more for this analyzer`)
	}
	a.Section = t.chooseDriver(a.Driver, a.Name)
}

// ownTarget checks to what an analyzer's messages go. What it does not say, the
// server's table does.
func (t table) ownTarget(a *Analyzer, s Server) {
	if !t.has("deliver") && !t.has("bot") {
		a.Deliver, a.Bot = s.Deliver, s.Bot
		return
	}
	if !t.has("deliver") {
		a.Deliver = "bot"
	}
	if a.Deliver == "bot" && !t.has("bot") && s.Bot != "" {
		a.Bot = s.Bot
		return
	}
	t.target(a.Deliver, a.Bot)
}

// origins fills in what the server's table says of the message itself. A bot
// gets the message anyway, and nothing else.
func (t table) origins(a *Analyzer, s Server) {
	for _, o := range []struct {
		key    string
		own    *bool
		server bool
	}{{"raw", &a.Raw, s.Raw}, {"provenance", &a.Provenance, s.Provenance}} {
		switch {
		case !t.has(o.key):
			*o.own = o.server && a.Deliver != "bot"
		case *o.own && a.Deliver == "bot":
			t.warn(o.key, "does nothing where a bot gets the message itself", "remove the key")
			*o.own = false
		}
	}
}

func (c *checker) kindNames() []string {
	names := make([]string, len(c.kinds))
	for i, k := range c.kinds {
		names[i] = k.Name
	}
	return names
}

// chooseDriver checks the driver's name and the drivers' tables, and returns
// that of the one chosen.
func (t table) chooseDriver(driver, name string) drivers.Section {
	names := t.c.kindNames()
	hint := "use " + quoted(names)
	if !t.has("driver") && t.has("profile") {
		return drivers.NoSection{} // what is wrong with the profile was told
	}
	if !t.need("driver", driver, hint) {
		return drivers.NoSection{}
	}
	var section drivers.Section
	chosen := nearest(driver, names) // of a misspelt driver, its table is its own
	for _, k := range t.c.kinds {
		if k.Name == driver {
			chosen = driver
			section = t.driver(k, name)
		}
	}
	if section == nil {
		_, hint := meant(driver, names)
		t.fault("driver", "is not a driver of this version", hint)
		section = drivers.NoSection{}
	}
	for _, other := range names {
		if other != chosen && chosen != "" && t.has(other) {
			t.fault(other, fmt.Sprintf("holds settings of another driver: this analyzer's is %q", chosen), fmt.Sprintf("remove the table, or set driver = %q", other))
		}
	}
	return section
}

// text checks how the analyzer's text and times are read.
func (t table) text(a *Analyzer) {
	const zones = `use a name such as "Europe/Zurich", "America/New_York" or "UTC"`
	zone, err := time.LoadLocation(a.Timezone)
	a.Zone = zone
	switch {
	case a.Timezone == "" || err != nil:
		t.fault("timezone", "is not a time zone of the IANA list", zones)
	case !t.has("timezone"):
		t.warn("timezone", "is not set: the analyzer's times are read in this computer's zone", zones)
	}
	if !t.has("charset") {
		t.warn("charset", "is not set: text is read as UTF-8 where it is valid, else as ISO 8859-1", `set the analyzer's character set, such as "iso-8859-1" or "utf-8"`)
		return
	}
	e := charset(a.Charset)
	if e == nil {
		t.fault("charset", "is not a character set that can be read", `use a name of the IANA list, such as "utf-8", "iso-8859-1", "windows-1252", "gb18030" or "shift_jis"`)
	}
	a.Encoding = e
}
