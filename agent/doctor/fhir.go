package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// capability is what is read of a CapabilityStatement.
type capability struct {
	ResourceType string `json:"resourceType"`
	FHIRVersion  string `json:"fhirVersion"`
	Software     struct {
		Name string `json:"name"`
	} `json:"software"`
	Rest []struct {
		Resource []struct {
			Type              string `json:"type"`
			ConditionalCreate *bool  `json:"conditionalCreate"`
		} `json:"resource"`
	} `json:"rest"`
}

// metadata asks the server what it is. The answer, whatever it is, also tells
// of its certificate and its clock.
func (s Server) metadata(ctx context.Context, r Report) bool {
	a, err := s.get(ctx, s.HTTP, s.URL+"/metadata", false)
	if err != nil {
		r.unanswered("server", err)
		return false
	}
	if at, err := url.Parse(s.URL); err == nil {
		r.certificate("server", at, a)
	}
	clock(a, r)
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		r.fine("fhir", "the server tells what it is only to those who sign in")
		return true
	case a.status >= 300 && a.status < 400:
		r.wrong("fhir", fmt.Sprintf("the server sends to another address (%d)", a.status), "write the address that it sends to as url of [server]; a redirect is never followed, since patient data would be")
	case a.isPage():
		r.wrong("fhir", "a web page answers, no FHIR server", "a portal or proxy answers in the server's place, or url of [server] is not the FHIR base")
	case a.status == http.StatusNotFound:
		r.wrong("fhir", "there is no FHIR server at this address (404)", "check the path in url of [server]; for Medplum it ends in /fhir/R4")
	case a.status != http.StatusOK:
		r.wrong("fhir", fmt.Sprintf("the server answers %d", a.status), "it is down or overloaded; ask its owner if it stays so. Results wait here meanwhile")
	default:
		return s.capability(a.body, r)
	}
	return false
}

func (s Server) capability(body []byte, r Report) bool {
	var c capability
	if json.Unmarshal(body, &c) != nil || c.ResourceType != "CapabilityStatement" {
		r.wrong("fhir", "what answers is no FHIR server", "check url of [server]")
		return false
	}
	if !strings.HasPrefix(c.FHIRVersion, "4.0.") {
		r.wrong("fhir", fmt.Sprintf("the server speaks FHIR %.20q, and labcourier sends R4 (4.0)", c.FHIRVersion), "use the server's R4 base as url of [server]")
		return false
	}
	r.fine("fhir", "FHIR %.20s%s", c.FHIRVersion, software(c.Software.Name))
	if !s.Resources {
		return true
	}
	for _, rest := range c.Rest {
		for _, res := range rest.Resource {
			if slices.Contains(needed(), res.Type) && res.ConditionalCreate != nil && !*res.ConditionalCreate {
				r.warn("fhir", "the server says that it does not create "+res.Type+" conditionally", "a result that is sent again after a lost answer may stand there twice: ask the server's owner")
			}
		}
	}
	return true
}

func software(name string) string {
	name = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, name)
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" of %.40s", name)
}

// Differences of clocks that matter: to a person who reads times, and to
// servers that look at when an assertion was made.
const (
	clockWarn  = time.Minute
	clockWrong = 5 * time.Minute
)

func clock(a *answer, r Report) {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return // it does not tell
	}
	off := a.middle.Sub(date).Round(time.Second)
	side := "ahead of"
	if off < 0 {
		off, side = -off, "behind"
	}
	text := fmt.Sprintf("this computer's is %s %s the server's", off, side)
	const hint = "set this computer's clock by NTP: results carry its time, and signing in may fail"
	switch {
	case off >= clockWrong:
		r.wrong("clock", text, hint)
	case off >= clockWarn:
		r.warn("clock", text, hint)
	default:
		r.fine("clock", "within a minute of the server's")
	}
}

// needed are the types that results become.
func needed() []string { return []string{"Device", "Specimen", "Observation", "DiagnosticReport"} }

// types are those that the configuration makes use of.
func (s Server) types() []string {
	switch {
	case s.Resources:
		return needed()
	case s.Heartbeat:
		return []string{"Device"}
	}
	return nil
}

// excess are types that no feature of this program asks for. To search them is
// to read of people, or of who may do what.
func excess() []string { return []string{"Patient", "AccessPolicy", "ClientApplication"} }

const policyHint = "give the client create, read and search on Device, Specimen, Observation and DiagnosticReport: configs/medplum-access-policy.json"

// rights searches each type that is needed, and some that should be closed.
func (s Server) rights(ctx context.Context, r Report) {
	if types := s.types(); len(types) > 0 {
		var may []string
		for _, typ := range types {
			switch good, over := s.mayUse(ctx, typ, s.URL+"/"+typ+"?_count=0", r); {
			case over:
				return
			case good:
				may = append(may, typ)
			}
		}
		if len(may) > 0 {
			untried := "create is not tried"
			if s.Heartbeat {
				untried = "create, and the update of Device that heartbeat needs, are not tried"
			}
			r.fine("rights", "the client may search %s; %s", strings.Join(may, ", "), untried)
		}
	}
	for _, bot := range s.Bots {
		address := s.URL + "/Bot/" + url.PathEscape(bot)
		if strings.Contains(bot, "|") {
			address = s.URL + "/Bot?" + url.Values{"identifier": {bot}, "_count": {"0"}}.Encode()
		}
		switch good, over := s.mayUse(ctx, "Bot", address, r); {
		case over:
			return
		case good:
			r.fine("rights", "the client may read the bot %s; running it is not tried", bot)
		}
	}
	s.excess(ctx, r)
}

// mayUse reports whether the client may read at an address, and whether asking
// for more is of no use.
func (s Server) mayUse(ctx context.Context, typ, address string, r Report) (good, over bool) {
	a, err := s.get(ctx, s.HTTP, address, true)
	switch {
	case err != nil:
		r.unanswered("server", err)
		return false, true
	case a.status == http.StatusUnauthorized:
		r.wrong("rights", "the server rejects the credentials (401)", "check the client's id and secret, or the user and password, at the server")
		return false, true
	case a.status == http.StatusForbidden:
		r.wrong("rights", "the client may not read or search "+typ+" (403)", policyFor(typ))
	case a.status == http.StatusNotFound && typ == "Bot":
		r.wrong("rights", "there is no such bot, or the client may not see it (404)", policyFor(typ))
	case a.status != http.StatusOK:
		r.wrong("rights", fmt.Sprintf("asking for %s is answered with %d", typ, a.status), "the server may not know this type, or be overloaded: ask its owner")
	default:
		return true, false
	}
	return false, a.status == http.StatusTooManyRequests
}

func policyFor(typ string) string {
	if typ == "Bot" {
		return "check bot in the configuration, and give the client the right to read this Bot"
	}
	return policyHint
}

// excess warns of rights that the client does not need: its secret is on a
// computer in a laboratory.
func (s Server) excess(ctx context.Context, r Report) {
	var open []string
	for _, typ := range excess() {
		a, err := s.get(ctx, s.HTTP, s.URL+"/"+typ+"?_count=0", true)
		if err != nil {
			return
		}
		if a.status == http.StatusOK && !a.isPage() {
			open = append(open, typ)
		}
	}
	if len(open) == 0 {
		r.fine("rights", "the client may not search %s", strings.Join(excess(), ", "))
		return
	}
	r.warn("rights", "the client may do more than it needs: it can search "+strings.Join(open, ", "), "narrow its access policy: configs/medplum-access-policy.json")
}
