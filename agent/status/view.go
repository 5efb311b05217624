package status

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// view is what the page's template shows: words, no arithmetic.
type view struct {
	Level     Level
	Word      string
	Text      string
	Advice    []string
	Announce  string
	Agent     Agent
	Up        string
	Config    string
	Clock     string
	Way       []stop
	Analyzers []card
	Day       *strip
	Server    []fact
	Shadow    *shadowCard
	Spool     []fact
	Demo      bool
	Messages  bool // there is a message browser
	Arrivals  []arrival
}

// stop is one of the three places on the way of a result.
type stop struct {
	Name, Figure, Unit, Note string
	State                    string // well, still, wrong: of the stop
	Next                     string // of the stretch to the next stop
}

// fact is a line of a list: a name, a value, and the exact time behind it.
type fact struct {
	Name, Value, Time string
	State             string // "" or "wrong"
}

type arrival struct {
	Arrival
	Key, Clock string
}

// maxArrivals is how many the page shows.
const maxArrivals = 12

func newView(s Snapshot, arrivals []Arrival, demo bool) view {
	v := judge(s)
	now := s.now()
	w := view{
		Level: v.level, Word: v.level.Word(), Text: unbroken(v.text), Advice: v.advice, Announce: v.announce,
		Agent: s.Agent, Clock: now.Local().Format("15:04"), Demo: demo,
		Way: way(s), Server: serverFacts(s), Shadow: newShadowCard(s), Spool: spoolFacts(s),
	}
	if s.Config.Digest != "" {
		w.Config = clean(configLine(s))
	}
	if !s.Agent.Started.IsZero() {
		w.Up = span(now.Sub(s.Agent.Started.Time))
	}
	for _, a := range s.Analyzers {
		w.Analyzers = append(w.Analyzers, newCard(a, now))
	}
	w.Agent.Name, w.Agent.Version = clean(s.Agent.Name), clean(s.Agent.Version)
	for _, a := range arrivals[:min(len(arrivals), maxArrivals)] {
		a.Analyzer, a.Test, a.Value, a.Unit, a.Specimen = clean(a.Analyzer), clean(a.Test), clean(a.Value), clean(a.Unit), clean(a.Specimen)
		w.Arrivals = append(w.Arrivals, arrival{a,
			strings.Join([]string{a.Time.RFC3339(), a.Analyzer, a.Specimen, a.Test}, "|"),
			a.Time.Local().Format("15:04:05")})
	}
	return w
}

// unbroken keeps numbers and their nouns on one line of a headline.
func unbroken(s string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(s) {
		b.WriteString(word)
		if strings.Trim(word, "0123456789,") == "" {
			b.WriteString("\u00a0")
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

func way(s Snapshot) []stop {
	up := 0
	for _, a := range s.Analyzers {
		if a.Link == LinkConnected {
			up++
		}
	}
	in := stop{Name: "Analyzers", Figure: fmt.Sprintf("%d of %d", up, len(s.Analyzers)), Unit: "connected", State: "well", Next: "well"}
	if linkTrouble(s) != nil {
		in.State = "wrong"
	} else if up == 0 {
		in.State, in.Next = "still", "still"
	}
	here := stop{Name: "This computer", Figure: grouped(s.Spool.Queued), Unit: "waiting", State: "well", Next: "well"}
	if s.Spool.Parked > 0 {
		here.Note, here.State = grouped(s.Spool.Parked)+" parked", "wrong"
	}
	if !s.Spool.Accepting {
		here.Note, here.State, in.Next = "not storing", "wrong", "wrong"
	}
	out := stop{Name: "Server", Figure: grouped(s.Spool.Delivered), Unit: "delivered", State: "well"}
	if s.Spool.Results > 0 {
		out.Figure, out.Unit = grouped(s.Spool.Results), "results delivered"
	}
	switch {
	case serverTrouble(s) != nil:
		out.State, here.Next = "wrong", "wrong"
	case !s.Server.Reachable:
		out.State, here.Next = "still", "still"
	}
	return []stop{in, here, out}
}

func serverFacts(s Snapshot) []fact {
	now, v := s.now(), s.Server
	word, state := "Answers", ""
	switch {
	case serverTrouble(s) != nil && (v.WaitingReason != "" || !v.Reachable):
		word, state = cmp.Or(ended(capital(v.WaitingReason)), "Does not answer"), "wrong"
	case !v.Reachable:
		word = "Not tried yet"
	}
	all := []fact{
		{Name: "Address", Value: address(v.URL)},
		{Name: "State", Value: word, State: state},
		{Name: "Last success", Value: ago(now, v.LastSuccess), Time: v.LastSuccess.RFC3339()},
		signIn(v.Auth, now),
	}
	if v.Auth.Reason != "" {
		all = append(all, fact{Name: "Because", Value: ended(capital(v.Auth.Reason))})
	}
	if !v.Auth.TokenExpires.IsZero() {
		all = append(all, fact{Name: "Token", Value: tokenWords(s), Time: v.Auth.TokenExpires.RFC3339()})
	}
	if v.RateLimit.Limit > 0 {
		all = append(all, fact{Name: "Rate limit",
			Value: fmt.Sprintf("%s of %s left", grouped(v.RateLimit.Remaining), grouped(v.RateLimit.Limit))})
	}
	return all
}

// signIn tells the method in use, and since when.
func signIn(a Auth, now time.Time) fact {
	f := fact{Name: "Sign-in", Time: a.Since.RFC3339()}
	switch a.Method {
	case "":
		f.Value = "Not yet"
		return f
	case "oauth2":
		f.Value = "OAuth2"
	default:
		f.Value = capital(a.Method)
	}
	if a.Fallback {
		f.Value, f.State = f.Value+" instead of OAuth2", "wrong"
	}
	if !a.Since.IsZero() {
		f.Value += " for " + span(now.Sub(a.Since.Time))
	}
	return f
}

func tokenWords(s Snapshot) string {
	if left := s.Server.Auth.TokenExpires.Sub(s.now()); left > 0 {
		return "Good for " + span(left)
	}
	return "Expired"
}

// address shortens a URL to what a person compares, and drops credentials that
// somebody wrote into it.
func address(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "not set"
	case err != nil:
		return "not a URL"
	}
	if u.Scheme == "https" {
		return clean(u.Host + strings.TrimRight(u.Path, "/"))
	}
	return clean(u.Scheme + "://" + u.Host + strings.TrimRight(u.Path, "/"))
}

func spoolFacts(s Snapshot) []fact {
	p := s.Spool
	store := fact{Name: "Storing", Value: "Yes"}
	if !p.Accepting {
		store.Value, store.State = strings.TrimSuffix("No: "+clean(p.Reason), ": "), "wrong"
	}
	disk := fact{Name: "Disk", Value: size(p.DiskFree) + " free"}
	if p.Warning != "" {
		disk.Value, disk.State = disk.Value+": "+clean(p.Warning), "wrong"
	}
	parked := fact{Name: "Parked", Value: grouped(p.Parked)}
	if p.Parked > 0 {
		parked.State = "wrong"
	}
	waits := fact{Name: "Oldest waiting", Value: "None"}
	if d := oldest(s); d > 0 {
		waits.Value = "For " + span(d)
	}
	return []fact{store, waits, parked,
		{Name: "Delivered", Value: many(p.Delivered, "message")}, {Name: "Size", Value: size(p.Bytes)}, disk}
}
