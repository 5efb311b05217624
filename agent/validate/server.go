package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/drivers"
)

// Authorizer puts credentials on requests; [auth.Authorizer] is one.
type Authorizer interface {
	// Authorize sets r's Authorization header, and waits for a token if need be.
	Authorize(ctx context.Context, r *http.Request) (auth.Ticket, error)

	// Reject tells that a request with this ticket was answered with 401.
	Reject(t auth.Ticket)
}

// Server is the FHIR server that is read back. It is only read.
type Server struct {
	URL       string // the FHIR base, without a slash at the end
	HTTP      *http.Client
	Auth      Authorizer
	Timeout   time.Duration // of one request
	UserAgent string
}

const (
	longestAnswer = 16 << 20
	mostTries     = 4                // of a request that the server puts off
	longestWait   = 60 * time.Second // before the next
	longestQuery  = 1800             // of a search: an address of 2,000 characters goes through every proxy
)

// errAway is wrapped by what ends a comparison: nothing more can be read.
var errAway = errors.New("the server cannot be read")

// errElsewhere: what is to be read is not on this server.
var errElsewhere = errors.New("the reference leads to another place")

// statusError is an answer other than 2xx.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the server answered %d", e.status) }

// search returns the resources of a type that carry one of the identifiers, which
// share a system.
func (s *Server) search(ctx context.Context, typ, system string, values []string) ([]json.RawMessage, error) {
	tokens := make([]string, len(values))
	for i, v := range values {
		tokens[i] = system + "|" + v
	}
	q := url.Values{"identifier": {strings.Join(tokens, ",")}, "_count": {strconv.Itoa(5 * len(values))}}
	body, err := s.get(ctx, s.URL+"/"+typ+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	var b struct {
		ResourceType string `json:"resourceType"`
		Type         string `json:"type"`
		Entry        []struct {
			Resource json.RawMessage `json:"resource"`
		} `json:"entry"`
	}
	if json.Unmarshal(body, &b) != nil || b.ResourceType != "Bundle" || b.Type != "searchset" {
		return nil, fmt.Errorf("%w: its answer to a search is not FHIR: a portal or proxy may answer in its place", errAway)
	}
	var list []json.RawMessage
	for _, e := range b.Entry {
		var r resource
		if json.Unmarshal(e.Resource, &r) == nil && r.ResourceType == typ {
			list = append(list, e.Resource)
		}
	}
	return list, nil
}

// local is a reference without the server's own address, as most servers write it.
func (s *Server) local(reference string) string { return strings.TrimPrefix(reference, s.URL+"/") }

// read reads "Type/id". What is gone is a statusError of 404 or 410.
func (s *Server) read(ctx context.Context, reference string) (json.RawMessage, error) {
	typ, id, ok := strings.Cut(reference, "/")
	if !ok || typ == "" || id == "" || strings.ContainsAny(reference, ":?#|") || strings.Contains(id, "..") {
		return nil, errElsewhere
	}
	return s.get(ctx, s.URL+"/"+reference)
}

// software is what the server calls itself, "" if it does not.
func (s *Server) software(ctx context.Context) string {
	body, err := s.get(ctx, s.URL+"/metadata")
	var c struct {
		Software struct{ Name, Version string } `json:"software"`
		FHIR     string                         `json:"fhirVersion"`
	}
	if err != nil || json.Unmarshal(body, &c) != nil {
		return ""
	}
	return join(c.Software.Name, c.Software.Version, "FHIR "+c.FHIR)
}

// get makes a request, again where the server asks for patience.
func (s *Server) get(ctx context.Context, address string) ([]byte, error) {
	for try := 1; ; try++ {
		a, err := s.once(ctx, address)
		if err != nil {
			return nil, err
		}
		switch a.status {
		case http.StatusOK:
			if kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type")); err == nil && kind == "text/html" {
				return nil, fmt.Errorf("%w: a web page answers in its place", errAway)
			}
			return a.body, nil
		case http.StatusForbidden:
			return nil, fmt.Errorf("%w: it forbids it (403): the client needs read and search on Device, Specimen, Observation and DiagnosticReport", errAway)
		case http.StatusUnauthorized:
			return nil, fmt.Errorf("%w: it rejects the credentials (401); `labcourier doctor` looks at them", errAway)
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			if try < mostTries {
				if !drivers.Pause(ctx, pause(a.header, try)) {
					return nil, ctx.Err()
				}
				continue
			}
		}
		return nil, &statusError{a.status}
	}
}

// answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// once makes a request; one whose credentials are rejected is made again at once.
func (s *Server) once(ctx context.Context, address string) (answer, error) {
	for try := 1; ; try++ {
		within, cancel := context.WithTimeout(ctx, s.Timeout)
		a, ticket, err := s.send(within, address)
		cancel()
		if err != nil || a.status != http.StatusUnauthorized || try > 1 {
			return a, err
		}
		s.Auth.Reject(ticket)
	}
}

func (s *Server) send(ctx context.Context, address string) (a answer, ticket auth.Ticket, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return a, ticket, fmt.Errorf("%w: its address is none", errAway)
	}
	r.Header.Set("Accept", "application/fhir+json")
	r.Header.Set("Cache-Control", "no-cache") // what it holds now
	r.Header.Set("User-Agent", s.UserAgent)
	if ticket, err = s.Auth.Authorize(ctx, r); err != nil {
		return a, ticket, fmt.Errorf("%w: no credentials: %w; `labcourier doctor` looks at them", errAway, err)
	}
	res, err := s.HTTP.Do(r)
	if err != nil {
		return a, ticket, fmt.Errorf("%w: %s; `labcourier doctor` looks at the way there", errAway, cause(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if err != nil {
		return a, ticket, fmt.Errorf("%w: its answer was cut off", errAway)
	}
	return answer{res.StatusCode, res.Header, body}, ticket, nil
}

// cause is why a request failed, without its address: that has identifiers in it.
func cause(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if failed.Timeout() {
			return "no answer in time"
		}
		err = failed.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return err.Error()
}

// pause is how long the server asks to wait: by Retry-After, or by RateLimit, which
// is all that Medplum sends.
func pause(h http.Header, try int) time.Duration {
	wait := time.Duration(try) * 2 * time.Second
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		wait = time.Duration(n) * time.Second
	}
	for _, line := range h.Values("RateLimit") {
		for part := range strings.SplitSeq(line, ";") {
			if t, ok := strings.CutPrefix(strings.TrimSpace(part), "t="); ok && strings.Contains(line, "r=0") {
				if n, err := strconv.Atoi(t); err == nil {
					wait = max(wait, time.Duration(n)*time.Second)
				}
			}
		}
	}
	return min(max(wait, 0), longestWait)
}
