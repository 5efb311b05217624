package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/width"
)

// columns is what a table may take of a terminal.
const columns = 80

// WriteTable writes s for a terminal of 80 columns: the sentence, what to do,
// the server, the store, a line per analyzer. color marks levels and links with
// ANSI colours. Nothing that s carries can send the terminal a control
// character.
func WriteTable(w io.Writer, s Snapshot, color bool) {
	t := &table{w: w, color: color}
	v := judge(s)
	t.wrap(t.paint(v.level, fmt.Sprintf("%-6s", strings.ToUpper(string(v.level)))), 6, v.text)
	for _, a := range v.advice {
		t.wrap("      ", 6, a)
	}
	t.line("")
	name := s.Agent.Name
	if s.Agent.Version != "" {
		name += ", labcourier " + s.Agent.Version
	}
	if !s.Agent.Started.IsZero() {
		name += ", running for " + span(s.now().Sub(s.Agent.Started.Time))
	}
	t.fact("Agent", name)
	if s.Config.Digest != "" {
		t.fact("Config", configLine(s))
	}
	t.fact("Server", address(s.Server.URL))
	t.fact("", serverLine(s))
	t.fact("Sign-in", signInLine(s))
	if s.Shadow != nil {
		t.fact("Shadow", address(s.Shadow.URL))
		t.fact("", shadowLine(s))
	}
	t.fact("Stored", spoolLine(s))
	t.line("")
	t.analyzers(s)
}

// configLine tells which configuration is in force since when.
func configLine(s Snapshot) string {
	c := s.Config
	words := fmt.Sprintf("loaded %s, digest %s", ago(s.now(), c.Loaded), cut(c.Digest, 12))
	if c.Refused {
		words += "; the last reload was refused, the log says why"
	}
	if len(c.RestartNeeded) > 0 {
		words += "; restart needed: " + strings.Join(c.RestartNeeded, ", ")
	}
	return words
}

type table struct {
	w     io.Writer
	color bool
}

func (t *table) line(s string) { fmt.Fprintln(t.w, strings.TrimRight(s, " ")) }

func (t *table) fact(name, value string) { t.wrap(pad(name, 8), 8, value) }

// wrap writes text behind a head that is n columns wide, broken at blanks.
func (t *table) wrap(head string, n int, text string) {
	for _, l := range folded(clean(text), columns-n) {
		t.line(head + l)
		head = strings.Repeat(" ", n)
	}
}

func (t *table) paint(l Level, s string) string {
	if !t.color {
		return s
	}
	code := map[Level]string{LevelOK: "32", LevelWarn: "33", LevelBad: "1;31"}[l]
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func serverLine(s Snapshot) string {
	word := "answers"
	switch {
	case s.Server.WaitingReason != "":
		word = "waiting: " + s.Server.WaitingReason
	case !s.Server.Reachable && s.Server.LastSuccess.IsZero():
		word = "not tried yet"
	case !s.Server.Reachable:
		word = "does not answer"
	}
	if !s.Server.LastSuccess.IsZero() {
		word += ", last success " + ago(s.now(), s.Server.LastSuccess)
	}
	return word
}

func signInLine(s Snapshot) string {
	word := signIn(s.Server.Auth, s.now()).Value
	if !s.Server.Auth.TokenExpires.IsZero() {
		word += ", token " + strings.ToLower(tokenWords(s))
	}
	return word
}

func spoolLine(s Snapshot) string {
	p := s.Spool
	return fmt.Sprintf("%s waiting, %s parked, %s delivered; %s, %s free",
		grouped(p.Queued), grouped(p.Parked), grouped(p.Delivered), size(p.Bytes), size(p.DiskFree))
}

// Widths of the table's columns; with a blank between them they make 80.
const (
	nameWidth   = 19
	driverWidth = 7
	linkWidth   = 10
	ageWidth    = 8
	countWidth  = 9
)

func (t *table) analyzers(s Snapshot) {
	if len(s.Analyzers) == 0 {
		return
	}
	head := []string{pad("ANALYZER", nameWidth), pad("DRIVER", driverWidth), pad("LINK", linkWidth), pad("LAST MSG", ageWidth)}
	for _, c := range []string{"WAITING", "PARKED", "DELIVERED"} {
		head = append(head, fmt.Sprintf("%*s", countWidth, c))
	}
	t.line(strings.Join(head, " "))
	for _, a := range s.Analyzers {
		t.line(strings.Join(t.row(a, s.now()), " "))
		if len(a.Options) > 0 {
			t.wrap("  ", 2, "Bends the standard: "+strings.Join(a.Options, "; "))
		}
		for _, note := range newCard(a, s.now()).Notes {
			t.wrap("  ", 2, note)
		}
	}
}

func (t *table) row(a Analyzer, now time.Time) []string {
	link, level := pad(a.Link, linkWidth), LevelOK
	if faulty(a, now) {
		level = LevelBad
	}
	if a.Link == LinkConnected || level == LevelBad {
		link = t.paint(level, link)
	}
	age := "never"
	if !a.LastMessage.IsZero() {
		age = oneUnit(now.Sub(a.LastMessage.Time))
	}
	row := []string{pad(a.Name, nameWidth), pad(a.Driver, driverWidth), link, pad(age, ageWidth)}
	for _, n := range []uint64{a.Queued, a.Parked, a.Delivered} {
		row = append(row, fmt.Sprintf("%*s", countWidth, short(n)))
	}
	return row
}

// pad cleans s and makes it n columns wide, cut where it is wider.
func pad(s string, n int) string {
	s = clean(s)
	if columnsOf(s) > n {
		s = cut(s, n-1) + "…"
	}
	return s + strings.Repeat(" ", n-columnsOf(s))
}

// cut is the beginning of s that fits in n columns.
func cut(s string, n int) string {
	for i, r := range s {
		if n -= runeColumns(r); n < 0 {
			return s[:i]
		}
	}
	return s
}

// folded breaks s at blanks into lines of at most n columns; a longer word is
// broken where it must be.
func folded(s string, n int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && columnsOf(line)+1+columnsOf(word) > n {
			lines, line = append(lines, line), ""
		}
		for columnsOf(word) > n {
			head := cut(word, n)
			lines, word = append(lines, head), word[len(head):]
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func columnsOf(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for the wide characters of East Asia, else 1.
func runeColumns(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
