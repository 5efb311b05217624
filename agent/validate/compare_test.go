package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/drivers"
)

// far is a server of a few resources, in a round trip. A hook may answer first.
type far struct {
	resources []string
	hook      func(r *http.Request, n int) (status int, header http.Header, body string)
	asked     []string
	rejected  int
}

func (f *far) Authorize(_ context.Context, r *http.Request) (auth.Ticket, error) {
	r.Header.Set("Authorization", fmt.Sprintf("Bearer %d", f.rejected))
	return auth.Ticket{}, nil
}

func (f *far) Reject(auth.Ticket) { f.rejected++ }

func (f *far) RoundTrip(r *http.Request) (*http.Response, error) {
	f.asked = append(f.asked, strings.TrimPrefix(r.URL.Path, "/R4/"))
	status, header, body := 0, http.Header{}, ""
	if f.hook != nil {
		status, header, body = f.hook(r, len(f.asked))
	}
	if status < 0 {
		return nil, errors.New("the line is dead")
	}
	if status == 0 {
		status, body = f.find(r)
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (f *far) find(r *http.Request) (status int, body string) {
	typ, id, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/R4/"), "/")
	var found []string
	for _, text := range f.resources {
		var res resource
		if err := json.Unmarshal([]byte(text), &res); err != nil || res.ResourceType != typ {
			continue
		}
		if one && res.ID == id {
			return 200, text
		}
		for token := range strings.SplitSeq(r.URL.Query().Get("identifier"), ",") {
			system, value, _ := strings.Cut(token, "|")
			if res.has(system, value) {
				found = append(found, `{"resource":`+text+`}`)
			}
		}
	}
	if one {
		return 404, `{"resourceType":"OperationOutcome"}`
	}
	return 200, `{"resourceType":"Bundle","type":"searchset","entry":[` + strings.Join(found, ",") + `]}`
}

// sentReport has two results on one tube.
func sentReport() []drivers.Report {
	result := func(i int, code, number string) drivers.Result {
		return drivers.Result{Index: i, Test: drivers.Code{Code: code}, Value: drivers.Value{Text: number, Number: number}, Status: drivers.StatusFinal}
	}
	return []drivers.Report{{Purpose: drivers.ForPatient, Specimen: drivers.Specimen{ID: "S-1"}, Results: []drivers.Result{result(0, "GLU", "5.40"), result(1, "K", "4.1")}}}
}

const (
	received  = "2026-11-22T08:00:00.000Z"
	glucose   = `{"resourceType":"Observation","id":"1","meta":{"versionId":"3"},"identifier":[{"system":"urn:x:result","value":"k1-0-0"}],"status":"final","code":{"coding":[{"code":"GLU"}]},"issued":"` + received + `","valueQuantity":{"value":5.40},"specimen":{"reference":"Specimen/9"}}`
	kalium    = `{"resourceType":"Observation","id":"2","identifier":[{"system":"urn:x:result","value":"k1-0-1"}],"status":"final","code":{"coding":[{"code":"K"}]},"issued":"` + received + `","valueQuantity":{"value":4.1},"specimen":{"reference":"https://far.example/R4/Specimen/9"}}`
	report    = `{"resourceType":"DiagnosticReport","id":"3","identifier":[{"system":"urn:x:report","value":"k1-0"}],"status":"final","specimen":[{"reference":"Specimen/9"}],"result":[{"reference":"Observation/1"},{"reference":"Observation/2"}]}`
	specimen9 = `{"resourceType":"Specimen","id":"9","accessionIdentifier":{"value":"S-1"}}`
)

// compareWith runs a comparison of one message.
func (f *far) compareWith(t *testing.T, change func(*Comparison)) (*Report, error) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, received)
	if err != nil {
		t.Fatal(err)
	}
	c := &Comparison{
		Base: "urn:x", Known: map[string]uint64{"k1": 1, "k2": 2},
		Server: &Server{URL: "https://far.example/R4", HTTP: &http.Client{Transport: f}, Auth: f, Timeout: time.Second},
		Stored: []Stored{{Number: 1, Key: "k1", Received: at, State: "delivered", Reports: sentReport(), Resources: []string{"Device/1", "Specimen/9", "Observation/1", "Observation/2", "DiagnosticReport/3"}}},
	}
	if change != nil {
		change(c)
	}
	return c.Run(t.Context())
}

// outline is the verdicts of a report's items, the report of the order first.
func outline(r *Report) string {
	var list []string
	for _, i := range r.Messages[0].Items {
		list = append(list, string(i.Verdict))
	}
	return strings.Join(list, "|")
}

// TestCompare: each thing that can be wrong with what the server has leads to its
// own verdict, at its own item.
func TestCompare(t *testing.T) {
	edit := func(text, old, other string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return strings.Replace(text, old, other, 1)
	}
	second := `[{"system":"urn:x:result","value":"k1-0-0"},{"system":"urn:x:result","value":"k2-0-0"}]`
	corrected := func(ids string) string {
		return edit(edit(glucose, `[{"system":"urn:x:result","value":"k1-0-0"}]`, ids), "5.40", "4.80")
	}
	for _, c := range []struct {
		name      string
		resources []string
		change    func(*Comparison)
		want      string // report, glucose, kalium
		remark    string // somewhere
	}{
		{"all there", []string{glucose, kalium, report, specimen9}, nil, "equal|equal|equal", ""},
		{"a value", []string{edit(glucose, "5.40", "5.41"), kalium, report, specimen9}, nil, "equal|differs|equal", ""},
		{"a test", []string{edit(glucose, "GLU", "LAC"), kalium, report, specimen9}, nil, "equal|differs|equal", ""},
		{"a status", []string{edit(glucose, "final", "preliminary"), kalium, report, specimen9}, nil, "equal|differs|equal", ""},
		{"a time", []string{edit(glucose, "08:00:00", "08:00:01"), kalium, report, specimen9}, nil, "equal|differs|equal", ""},
		{"another tube", []string{glucose, kalium, report, edit(specimen9, "S-1", "S-2")}, nil, "differs|differs|differs", ""},
		{"no tube", []string{glucose, kalium, report}, nil, "missing|missing|missing", "is not there"},
		{"a tube elsewhere", []string{edit(glucose, "Specimen/9", "https://evil.example/Specimen/9"), kalium, report, specimen9}, nil, "equal|unread|equal", "another place"},
		{"a result gone", []string{glucose, report, specimen9}, nil, "equal|equal|missing", ""},
		{"its report gone", []string{glucose, kalium, specimen9}, nil, "missing|equal|equal", "no DiagnosticReport"},
		{"not in its report", []string{glucose, kalium, edit(report, `,{"reference":"Observation/2"}`, ""), specimen9}, nil, "differs|equal|equal", ""},
		{"all gone", []string{specimen9}, nil, "missing|missing|missing", ""},
		{"there twice", []string{glucose, edit(glucose, `"id":"1"`, `"id":"8"`), kalium, report, specimen9}, nil, "equal|differs|equal", "2 resources on the server"},
		{"not FHIR", []string{edit(glucose, `"value":5.40`, `"value":5.40,"unit":7`), kalium, report, specimen9}, nil, "equal|unread|equal", "not as FHIR R4 has it"},
		{"corrected", []string{corrected(second), kalium, report, specimen9}, nil, "equal|superseded|equal", "newer version came with message 2"},
		{"corrected by nobody known", []string{corrected(strings.Replace(second, "k2", "k9", 1)), kalium, report, specimen9}, nil, "equal|differs|equal", ""},
		{"corrected by an older", []string{corrected(second), kalium, report, specimen9}, func(c *Comparison) { c.Stored[0].Number = 3 }, "equal|differs|equal", ""},
		{"confirmed", []string{edit(glucose, `[{"system":"urn:x:result","value":"k1-0-0"}]`, second), kalium, report, specimen9}, nil, "equal|equal|equal", ""},
		{"sent before", []string{glucose, report, specimen9}, func(c *Comparison) {
			c.Stored[0].Reports[0].Results[1].Previous = true
			c.Stored[0].Resources = []string{"Observation/1"}
		}, "equal|equal|not compared", "sent this before"},
		{"sent before, and gone since", []string{glucose, report, specimen9}, func(c *Comparison) { c.Stored[0].Reports[0].Results[1].Previous = true }, "equal|equal|missing", ""},
		{"QC is kept", nil, func(c *Comparison) { c.Stored[0].Reports[0].Purpose = drivers.ForQC }, "not compared", "kept here"},
		{"QC is sent", []string{glucose, kalium, report, specimen9}, func(c *Comparison) { c.SendsQC, c.Stored[0].Reports[0].Purpose = true, drivers.ForQC }, "equal|equal|equal", ""},
		{"training", nil, func(c *Comparison) { c.Stored[0].Reports[0].Purpose = drivers.ForTraining }, "not compared", "not a patient's"},
		{"nothing in it", []string{glucose, report, specimen9}, func(c *Comparison) { c.Stored[0].Reports[0].Results[1] = drivers.Result{Index: 1} }, "equal|equal|not compared", "neither a test nor a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &far{resources: c.resources}
			r, err := f.compareWith(t, c.change)
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(r); got != c.want {
				text, _ := json.MarshalIndent(r.Messages, "", " ")
				t.Errorf("%s, want %s\n%s", got, c.want, text)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), c.remark) {
				t.Errorf("no %q in %s", c.remark, text)
			}
			bad := strings.Contains(c.want, "differs") || strings.Contains(c.want, "missing") || strings.Contains(c.want, "unread")
			if r.Good() == bad {
				t.Errorf("good: %v", r.Good())
			}
		})
	}
}

// TestServer: what the server may do instead of answering. It waits when it is told
// to, signs in again once, and gives up in words without an identifier.
func TestServer(t *testing.T) {
	all := []string{glucose, kalium, report, specimen9}
	for _, c := range []struct {
		name string
		hook func(r *http.Request, n int) (int, http.Header, string)
		want string        // the outline, or part of the error after "!"
		took time.Duration // at least
	}{
		{"knows no or", func(r *http.Request, _ int) (int, http.Header, string) {
			if strings.Contains(r.URL.Query().Get("identifier"), ",") {
				return 200, nil, `{"resourceType":"Bundle","type":"searchset"}`
			}
			return 0, nil, ""
		}, "equal|equal|equal", 0},
		{"is busy", func(_ *http.Request, n int) (int, http.Header, string) {
			if n == 2 || n == 3 {
				return 429, http.Header{"Ratelimit": {`"units";r=0;t=7`}}, ""
			}
			return 0, nil, ""
		}, "equal|equal|equal", 14 * time.Second},
		{"asks to wait", func(_ *http.Request, n int) (int, http.Header, string) {
			if n == 2 {
				return 503, http.Header{"Retry-After": {"30"}}, ""
			}
			return 0, nil, ""
		}, "equal|equal|equal", 30 * time.Second},
		{"stays busy", func(r *http.Request, _ int) (int, http.Header, string) {
			if strings.HasSuffix(r.URL.Path, "Observation") {
				return 503, nil, ""
			}
			return 0, nil, ""
		}, "unread|unread|unread", 0},
		{"forgot the token", func(r *http.Request, _ int) (int, http.Header, string) {
			if r.Header.Get("Authorization") == "Bearer 0" {
				return 401, nil, ""
			}
			return 0, nil, ""
		}, "equal|equal|equal", 0},
		{"rejects everybody", func(*http.Request, int) (int, http.Header, string) { return 401, nil, "" }, "!rejects the credentials", 0},
		{"forbids", func(*http.Request, int) (int, http.Header, string) { return 403, nil, "" }, "!needs read and search", 0},
		{"is a portal", func(*http.Request, int) (int, http.Header, string) {
			return 200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "<html>"
		}, "!web page", 0},
		{"is no FHIR", func(*http.Request, int) (int, http.Header, string) { return 200, nil, "{}" }, "!not FHIR", 0},
		{"is away", func(*http.Request, int) (int, http.Header, string) { return -1, nil, "" }, "!the line is dead", 0},
		{"has no specimen for us", func(r *http.Request, _ int) (int, http.Header, string) {
			if strings.Contains(r.URL.Path, "Specimen") {
				return 500, nil, ""
			}
			return 0, nil, ""
		}, "unread|unread|unread", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &far{resources: all, hook: c.hook}
				start := time.Now()
				r, err := f.compareWith(t, nil)
				if want, fails := strings.CutPrefix(c.want, "!"); fails {
					if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "k1") || !errors.Is(err, errAway) {
						t.Errorf("%v, want %q", err, want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := outline(r); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				if took := time.Since(start); took < c.took || took > 3*time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestFewRequests: the results of a message are asked for together, and a specimen
// once.
func TestFewRequests(t *testing.T) {
	f := &far{resources: []string{glucose, kalium, report, specimen9}}
	if _, err := f.compareWith(t, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.asked, " "); got != "metadata Observation DiagnosticReport Specimen/9" {
		t.Errorf("asked %s", got)
	}

	// And no address is too long for a proxy, however many there are.
	f = &far{}
	f.hook = func(r *http.Request, _ int) (int, http.Header, string) {
		if n := len(r.URL.String()); n > 2000 {
			t.Errorf("an address of %d characters", n)
		}
		return 0, nil, ""
	}
	_, err := f.compareWith(t, func(c *Comparison) {
		c.Base, c.Stored[0].Key = "https://lab.example.org/a/base/that/is/rather/long", strings.Repeat("ab", 32)
		r := &c.Stored[0].Reports[0]
		for i := range 98 {
			r.Results = append(r.Results, drivers.Result{Index: i + 2, Test: drivers.Code{Code: "X"}})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
