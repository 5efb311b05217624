package deliver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// action is what an outcome asks for, the mildest first. Of a bundle's entries
// the strictest decides.
type action uint8

const (
	accept action = iota // it is in
	repeat               // wait and send again
	renew                // the credential was rejected
	demand               // wait for a person, and send again
	split                // too large
	refuse               // park
)

// verdict is what came of a request or of one entry.
type verdict struct {
	action action
	status int           // 0: no answer
	why    string        // in our own words, fit for a log
	asked  time.Duration // how long the server wants us to wait
	away   bool          // nobody usable is there: the breaker's business
	sure   bool          // of away: not even a connection
	limit  bool          // the wait is everybody's
	entry  bool          // it is about one entry, not the whole answer

	refused bool // there were no credentials to send it with, since they were refused
	said    *operationOutcome
}

// operationOutcome is the part of the resource that is used.
type operationOutcome struct {
	ResourceType string `json:"resourceType"`
	Extension    []struct {
		URL   string      `json:"url"`
		Value json.Number `json:"valueInteger"`
	} `json:"extension"`
	Issue []issue `json:"issue"`
}

type issue struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Details  struct {
		Text string `json:"text"`
	} `json:"details"`
	Diagnostics string   `json:"diagnostics"`
	Expression  []string `json:"expression"`
}

// judge sorts a status by the table in the package's documentation.
func judge(status int, said *operationOutcome) verdict {
	v := verdict{status: status, said: said, why: fmt.Sprintf("the server answered %d", status)}
	switch {
	case status >= 200 && status <= 299:
		v.action, v.why = accept, ""
	case status == http.StatusUnauthorized:
		v.action, v.why = renew, "the server rejects the credentials (401)"
	case status == http.StatusForbidden:
		v.action, v.why = demand, "the server forbids it (403): give the client the right to create, read and search these resources"
	case status == http.StatusRequestEntityTooLarge, status == http.StatusBadRequest && said.tooLarge():
		v.action, v.why = split, "too large for the server"
	case status == http.StatusTooManyRequests:
		v.action, v.limit, v.asked = repeat, true, said.resetAfter()
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly, status >= 500:
		v.action = repeat
	case status == http.StatusPreconditionFailed:
		v.action, v.why = refuse, "several resources on the server have this identifier (412)"
	case status >= 400:
		v.action, v.why = refuse, fmt.Sprintf("the server refuses it (%d)", status)
	default:
		v.action = demand // 1xx and 3xx say nothing of an entry
	}
	return v
}

// judgeAnswer sorts the whole answer to a request. An accepted one may still
// hold entries that are not.
func judgeAnswer(a answer, now time.Time) verdict {
	said := parseOutcome(a.body)
	v := judge(a.status, said)
	switch a.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		v.action = demand
		v.why = fmt.Sprintf("no FHIR server at this address (%d): check the server's url", a.status)
	case http.StatusProxyAuthRequired:
		v.action, v.away, v.why = demand, true, "the HTTP proxy wants credentials (407)"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		v.away = true
	}
	if a.status >= 300 && a.status <= 399 {
		v.action, v.away = demand, true
		v.why = fmt.Sprintf("the server redirects to another address (%d): check the server's url, and whether a portal answers in its place", a.status)
	}
	if v.action == repeat {
		v.asked = max(v.asked, a.retryAfter(now))
	}
	return v
}

// parseOutcome returns nil for what is not an OperationOutcome.
func parseOutcome(body []byte) *operationOutcome {
	var o operationOutcome
	if json.Unmarshal(body, &o) != nil || o.ResourceType != "OperationOutcome" {
		if text := string(body[:min(len(body), 200)]); mentionsSize(text) {
			return &operationOutcome{Issue: []issue{{Diagnostics: "too large"}}} // plain text of a body parser
		}
		return nil
	}
	return &o
}

// tooLarge reports whether the size of the request was the fault. Medplum says
// so with a 400 "File too large".
func (o *operationOutcome) tooLarge() bool {
	if o == nil {
		return false
	}
	for _, i := range o.Issue {
		if i.Code == "too-long" || mentionsSize(i.Details.Text) || mentionsSize(i.Diagnostics) {
			return true
		}
	}
	return false
}

func mentionsSize(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "too large") || strings.Contains(text, "too many entries")
}

// resetAfter reads how long a 429 lasts: from Medplum's extension, or from the
// JSON that it puts into diagnostics.
func (o *operationOutcome) resetAfter() time.Duration {
	if o == nil {
		return 0
	}
	for _, e := range o.Extension {
		if strings.HasSuffix(e.URL, "/rate-limit-reset") {
			if s, err := e.Value.Int64(); err == nil && s > 0 {
				return min(time.Duration(min(s, 1<<20))*time.Second, longestAsked)
			}
		}
	}
	for _, i := range o.Issue {
		var told struct {
			Wait float64 `json:"_msBeforeNext"`
		}
		if json.Unmarshal([]byte(i.Diagnostics), &told) == nil && told.Wait > 0 {
			return time.Duration(min(told.Wait, float64(longestAsked.Milliseconds())) * float64(time.Millisecond))
		}
	}
	return 0
}
