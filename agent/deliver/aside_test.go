package deliver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/fhir"
)

// asideServer answers one thing after the other, and notes what it was asked.
type asideServer struct {
	mu      sync.Mutex
	answers []string // "200 body"
	asked   []string // "GET /Device?..."
	matches []string // If-Match
	bodies  []string
}

func (s *asideServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodHead {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.asked = append(s.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/fhir/R4"))
	s.matches, s.bodies = append(s.matches, r.Header.Get("If-Match")), append(s.bodies, string(body))
	if len(s.answers) == 0 {
		return nil, errors.New("the line is dead")
	}
	status, text, _ := strings.Cut(s.answers[0], " ")
	s.answers = s.answers[1:]
	var code int
	fmt.Sscan(status, &code)
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// TestRenew: what is not there is created on condition, what is there gets a new
// version if it is still the newest, and every failure is an error and no more.
func TestRenew(t *testing.T) {
	const none = `200 {"resourceType":"Bundle","type":"searchset"}`
	one := func(id string) string {
		return `{"resource":{"resourceType":"Device","id":"` + id + `","meta":{"versionId":"v1"},"owner":{"reference":"Organization/1"}}}`
	}
	found := func(ids ...string) string {
		var list []string
		for _, id := range ids {
			list = append(list, one(id))
		}
		return `200 {"resourceType":"Bundle","type":"searchset","entry":[` + strings.Join(list, ",") + `]}`
	}
	for _, c := range []struct {
		name    string
		answers []string
		asked   string
		err     string // part of it
	}{
		{"not there", []string{none, `200 {"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"201","location":"Device/1"}}]}`}, "GET /Device, POST ", ""},
		{"there", []string{found("7"), `200 {"resourceType":"Device","id":"7"}`}, "GET /Device, PUT /Device/7", ""},
		{"twice", []string{found("7", "8")}, "GET /Device", "several resources"},
		{"may not look", []string{`403 {"resourceType":"OperationOutcome"}`}, "GET /Device", "right to search Device"},
		{"may not create", []string{none, `200 {"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"403"}}]}`}, "GET /Device, POST ", "right to create Device"},
		{"may not update", []string{found("7"), `403 {}`}, "GET /Device, PUT /Device/7", "right to update Device"},
		{"somebody was quicker", []string{found("7"), `412 {}`}, "GET /Device, PUT /Device/7", "412"},
		{"a portal", []string{`200 <html>`}, "GET /Device", "not FHIR"},
		{"down", nil, "GET /Device", "the line is dead"},
		{"credentials", []string{`401 {}`}, "GET /Device", "401"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, a := &asideServer{answers: c.answers}, &fakeAuth{}
			d, err := New(Options{BaseURL: "https://fhir.example/fhir/R4", HTTP: &http.Client{Transport: srv}, Auth: a, Queue: newFakeQueue(), Map: testMap})
			if err != nil {
				t.Fatal(err)
			}
			err = d.Renew(t.Context(), fhir.Entry{FullURL: "urn:uuid:1", Type: "Device", System: "urn:x:device", Value: "lab", Resource: []byte(`{"resourceType":"Device","status":"active"}`)})
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if got := strings.Join(srv.asked, ", "); got != c.asked {
				t.Errorf("asked %s, want %s", got, c.asked)
			}
			if c.name == "there" && (srv.matches[1] != `W/"v1"` || !strings.Contains(srv.bodies[1], "Organization/1") || !strings.Contains(srv.bodies[1], `"status":"active"`)) {
				t.Errorf("If-Match %q, %s", srv.matches[1], srv.bodies[1])
			}
			if c.name == "not there" && !strings.Contains(srv.bodies[1], `"ifNoneExist":"identifier=urn:x:device|lab"`) {
				t.Error(srv.bodies[1])
			}
			if c.name == "credentials" && a.rejected() != 1 {
				t.Error("the credential was not rejected")
			}
			if d.breaker.isOpen() || d.breaker.failed != 0 || len(d.pacer.windows) > 0 {
				t.Error("the lanes have noticed")
			}
		})
	}
}

// TestRenewComesLast: it asks nothing while the lanes need the server.
func TestRenewComesLast(t *testing.T) {
	now := time.Now()
	for name, need := range map[string]func(*Deliverer){
		"the server is away": func(d *Deliverer) { pass{d.breaker, false}.down("away", true, 0) },
		"everybody is held":  func(d *Deliverer) { d.pacer.pause(time.Minute, now) },
		"the limit is near": func(d *Deliverer) {
			d.pacer.learn([]string{`"units";r=100;t=60`}, 0, now)
			d.pacer.learn([]string{`"units";r=20;t=60`}, 0, now)
		},
		"all requests are taken": func(d *Deliverer) {
			if !d.gate.TryAcquire(DefaultConcurrency) {
				t.Fatal("not free")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := &asideServer{}
			d, err := New(Options{BaseURL: "https://fhir.example/fhir/R4", HTTP: &http.Client{Transport: srv}, Auth: &fakeAuth{}, Queue: newFakeQueue(), Map: testMap})
			if err != nil {
				t.Fatal(err)
			}
			need(d)
			if err := d.Renew(t.Context(), fhir.Entry{Type: "Device"}); !errors.Is(err, ErrBusy) || len(srv.asked) > 0 {
				t.Errorf("%v, asked %v", err, srv.asked)
			}
		})
	}
}
