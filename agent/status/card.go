package status

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// card is one analyzer.
type card struct {
	Name, Driver   string
	Link, LinkWord string
	State          string
	Message        fact
	Queued, Parked fact
	Delivered      fact
	Notes          []string
	Details        []fact
	Day            *bars
	Path           string // the analyzer's name, as a part of a path
	key            string // the analyzer's name as it is
}

// linkWord is a link's state for people; "" for a word this version does not
// know.
func linkWord(link string) string {
	switch link {
	case LinkConnected:
		return "Connected"
	case LinkListening:
		return "Ready, waiting for it to connect"
	case LinkConnecting:
		return "Connecting"
	case LinkDown:
		return "Not connected"
	}
	return ""
}

func newCard(a Analyzer, now time.Time) card {
	c := card{
		key: a.Name, Path: url.PathEscape(a.Name), Name: clean(a.Name), Driver: strings.ToUpper(clean(a.Driver)), Link: a.Link, LinkWord: linkWord(a.Link), State: "well",
		Message:   fact{Name: "Last message", Value: ago(now, a.LastMessage), Time: a.LastMessage.RFC3339()},
		Queued:    fact{Name: "waiting", Value: short(a.Queued)},
		Parked:    fact{Name: "parked", Value: short(a.Parked)},
		Delivered: fact{Name: "delivered", Value: short(a.Delivered)},
	}
	if c.LinkWord == "" {
		c.Link, c.LinkWord = LinkDown, capital(a.Link)
	}
	switch {
	case faulty(a, now):
		c.State = "wrong"
		if a.Link == LinkConnecting {
			c.LinkWord = "Does not answer"
		}
	case a.Link != LinkConnected:
		c.State = "still"
	}
	if a.LastMessage.IsZero() {
		c.Message.Value = "none since the start"
	}
	if c.State == "wrong" && a.Reason != "" {
		c.Notes = append(c.Notes, ended(a.Reason))
	}
	if a.Silent > 0 {
		c.Notes = append(c.Notes, "Has sent nothing for "+span(time.Duration(a.Silent)*time.Second)+".")
		c.Message.State = "wrong"
	}
	if a.WaitingReason != "" {
		c.Queued.State = "wrong"
		c.Notes = append(c.Notes, "Waiting: "+ended(a.WaitingReason))
	}
	if a.Parked > 0 {
		c.Parked.State = "wrong"
		if a.ParkedReason != "" {
			c.Notes = append(c.Notes, "Parked: "+ended(a.ParkedReason))
		}
	}
	c.Details = cardDetails(a, now, c.State)
	return c
}

func cardDetails(a Analyzer, now time.Time, state string) (all []fact) {
	add := func(name, value string) {
		if value = clean(value); value != "" {
			all = append(all, fact{Name: name, Value: value})
		}
	}
	add("Port", a.Port)
	add("Peer", a.Peer)
	add("Bends the standard", strings.Join(a.Options, "; "))
	if !a.Since.IsZero() {
		add("In this state for", span(now.Sub(a.Since.Time)))
	}
	if state != "wrong" {
		add("Last trouble", a.Reason)
	}
	all = append(all, fact{Name: "Last byte", Value: ago(now, a.LastByte), Time: a.LastByte.RFC3339()})
	if a.OldestWaiting > 0 {
		add("Oldest waits for", span(time.Duration(a.OldestWaiting)*time.Second))
	}
	add("Acknowledged", grouped(a.Acknowledged))
	add("Refused", grouped(a.Refused))
	add("Broken off", grouped(a.Broken))
	add("Sent again", grouped(a.Duplicates))
	for _, k := range slices.Sorted(maps.Keys(a.Counters)) {
		add(capital(strings.ReplaceAll(k, "_", " ")), grouped(a.Counters[k]))
	}
	return all
}
