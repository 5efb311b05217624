package deliver

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
)

// Bot is a program on the server that takes the analyzer's messages as they
// are, for sites that map them there.
type Bot struct {
	// Name is the bot's id or, with a bar in it, its identifier: "system|value".
	Name string

	// MediaType tells of which type a message is, by the driver that stored it.
	MediaType func(kind string) string
}

// address is where the bot's operation is.
func (b Bot) address(base string) string {
	if strings.Contains(b.Name, "|") {
		return base + "/Bot/$execute?" + url.Values{"identifier": {b.Name}}.Encode()
	}
	return base + "/Bot/" + url.PathEscape(b.Name) + "/$execute"
}

// toBot brings one message to a bot. The plan says what the message holds: what
// is not for a server stays here, and what a person would have to release is
// not sent either, since a bot gets all of the message or nothing.
func (l *lane) toBot(ctx context.Context, rec spool.Record, plan fhir.Plan, b Bot) (end, error) {
	switch {
	case len(plan.Held) > 0:
		return park(CodeHeld, cut(strings.Join(plan.Held, "; "), longestWords)), nil
	case len(plan.Steps) == 0:
		return end{receipt: (&job{plan: plan}).receipt()}, nil
	case plan.Others > 0:
		return park(CodeHeld, "patients' results stand beside others in one message, and a bot gets it whole: "+cut(strings.Join(plan.Kept, "; "), longestWords)), nil
	case len(rec.Given) > 0:
		return park(CodeHeld, "a bot gets the analyzer's bytes as they are, and a specimen id that was given here is not in them: correct it at the analyzer"), nil
	}
	c := call{
		method: http.MethodPost, address: b.address(l.d.o.BaseURL), body: rec.Payload, entries: 1,
		raw: true, mediaType: b.MediaType(rec.Kind), key: rec.Key.String(),
	}
	for {
		n, err := l.d.pacer.admit(ctx, 1, l.limited)
		if err != nil {
			return end{}, errStopped
		}
		_, v, err := l.d.exchange(ctx, l, c)
		l.d.pacer.landed(n)
		switch {
		case err != nil:
			return end{}, err
		case v.action == accept:
			l.progress()
			return end{receipt: spool.Receipt{Outcome: spool.OutcomeDelivered, Note: "a bot has it", Resources: []string{"Bot"}}}, nil
		case v.action == refuse || v.action == split:
			return end{reason: reason(v, "bot", []fhir.Entry{{Type: "Bot", Resource: rec.Payload}})}, nil
		}
		switch v.status {
		case http.StatusNotFound:
			v.why = "there is no such bot, or no FHIR server at this address (404): check bot and the server's url"
		case http.StatusForbidden:
			v.why = "the server forbids it (403): give the client the right to read this Bot"
		}
		if !l.pass(ctx, v) {
			return end{}, errStopped
		}
	}
}

// isPage reports whether an answer is a web page: that of a portal or proxy,
// and no bot's.
func (a answer) isPage() bool {
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.header.Get("Content-Type"))), "text/html") {
		return true
	}
	head := bytes.ToLower(bytes.TrimSpace(a.body[:min(len(a.body), 64)]))
	return bytes.HasPrefix(head, []byte("<!doctype")) || bytes.HasPrefix(head, []byte("<html"))
}
