package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// outcome is an OperationOutcome with one issue, and the status it stands for.
type outcome struct {
	status      int
	id          string
	code        string
	text        string
	diagnostics string
	expression  string
	reset       int // seconds, for the extension of newer versions; 0: none
}

// What went well is the same every time.
const (
	outcomeOK      = `{"resourceType":"OperationOutcome","id":"ok","issue":[{"severity":"information","code":"informational","details":{"text":"All OK"}}]}`
	outcomeCreated = `{"resourceType":"OperationOutcome","id":"created","issue":[{"severity":"information","code":"informational","details":{"text":"Created"}}]}`
)

// The refusals. They are functions so that a caller may change its copy.

func badRequest(text string) *outcome {
	return &outcome{status: http.StatusBadRequest, code: "invalid", text: text}
}

func unauthorized() *outcome {
	return &outcome{status: http.StatusUnauthorized, id: "unauthorized", code: "login", text: "Unauthorized"}
}

func forbidden() *outcome {
	return &outcome{status: http.StatusForbidden, id: "forbidden", code: "forbidden", text: "Forbidden"}
}

func notFound() *outcome {
	return &outcome{status: http.StatusNotFound, id: "not-found", code: "not-found", text: "Not found"}
}

func multipleMatches() *outcome {
	return &outcome{
		status: http.StatusPreconditionFailed, id: "multiple-matches",
		code: "multiple-matches", text: "Multiple resources found matching condition",
	}
}

func structureFault(text, expression string) *outcome {
	return &outcome{status: http.StatusBadRequest, code: "structure", text: text, expression: expression}
}

// throttled is the 429 of a window. The wait is told as JSON inside a text.
func (s *Server) throttled(w *window) *outcome {
	wait := w.wait(s.o.Now())
	o := &outcome{
		status: http.StatusTooManyRequests, id: "too-many-requests",
		code: "throttled", text: "Too Many Requests",
		diagnostics: fmt.Sprintf(`{"_remainingPoints":0,"_msBeforeNext":%d}`, wait.Milliseconds()),
	}
	if s.o.ResetExtension {
		o.reset = int((wait + time.Second - 1) / time.Second)
	}
	return o
}

// refusal is the outcome of a status that a fault asked for.
func (s *Server) refusal(status int) *outcome {
	switch status {
	case http.StatusBadRequest:
		return badRequest("Refused by the sandbox")
	case http.StatusUnauthorized:
		return unauthorized()
	case http.StatusForbidden:
		return forbidden()
	case http.StatusNotFound:
		return notFound()
	case http.StatusConflict:
		return &outcome{status: status, code: "conflict", text: "Conflict"}
	case http.StatusPreconditionFailed:
		return multipleMatches()
	case http.StatusTooManyRequests:
		return s.throttled(&s.unitWindow)
	}
	return &outcome{status: status, code: "exception", text: http.StatusText(status)}
}

func (o *outcome) json() []byte {
	type text struct {
		Text string `json:"text"`
	}
	type issue struct {
		Severity    string   `json:"severity"`
		Code        string   `json:"code"`
		Details     text     `json:"details"`
		Diagnostics string   `json:"diagnostics,omitempty"`
		Expression  []string `json:"expression,omitempty"`
	}
	type extension struct {
		URL   string `json:"url"`
		Value int    `json:"valueInteger"`
	}
	doc := struct {
		ResourceType string      `json:"resourceType"`
		ID           string      `json:"id,omitempty"`
		Extension    []extension `json:"extension,omitempty"`
		Issue        []issue     `json:"issue"`
	}{ResourceType: "OperationOutcome", ID: o.id}
	if o.reset > 0 {
		doc.Extension = []extension{{"https://medplum.com/fhir/StructureDefinition/rate-limit-reset", o.reset}}
	}
	i := issue{Severity: "error", Code: o.code, Details: text{o.text}, Diagnostics: o.diagnostics}
	if o.expression != "" {
		i.Expression = []string{o.expression}
	}
	doc.Issue = []issue{i}
	b, _ := json.Marshal(doc) // strings and ints: cannot fail
	return b
}

func (o *outcome) reply() reply { return newReply(o.status, fhirType, o.json()) }

// result is what one interaction came to, alone or as an entry of a bundle.
type result struct {
	status  int
	err     *outcome  // set when it was refused
	res     *resource // what was created, found or changed
	body    []byte    // a searchset
	write   bool      // res is to be stored
	existed bool      // a conditional create found res
}

func failed(o *outcome) result { return result{status: o.status, err: o} }

func done(status int, res *resource) result { return result{status: status, res: res} }

func (r result) content() []byte {
	if r.res != nil {
		return r.res.raw
	}
	return r.body
}

// reply is the result as the answer to a request of its own.
func (r result) reply(base string) reply {
	if r.err != nil {
		return r.err.reply()
	}
	rep := newReply(r.status, fhirType, r.content())
	if r.res != nil {
		rep.header.Set("Etag", `W/"`+r.res.version+`"`)
		rep.header.Set("Last-Modified", r.res.updated.UTC().Format(http.TimeFormat))
		if r.status == http.StatusCreated {
			rep.header.Set("Location", base+"/"+r.res.ref())
		}
	}
	return rep
}

// appendEntry adds the result as an entry of an answer: a bare status, a
// location without history, no etag.
func (r result) appendEntry(b []byte) []byte {
	b = append(b, `{"response":{"outcome":`...)
	switch {
	case r.err != nil:
		b = append(b, r.err.json()...)
	case r.status == http.StatusCreated:
		b = append(b, outcomeCreated...)
	default:
		b = append(b, outcomeOK...)
	}
	b = append(b, `,"status":"`...)
	b = strconv.AppendInt(b, int64(r.status), 10)
	b = append(b, '"')
	if r.res != nil {
		b = append(b, `,"location":"`...)
		b = append(b, r.res.ref()...)
		b = append(b, '"')
	}
	b = append(b, '}')
	if c := r.content(); c != nil {
		b = append(b, `,"resource":`...)
		b = append(b, c...)
	}
	return append(b, '}')
}
