package browse_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/browse"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

const token = admin.Token("0123456789abcdef0123456789abcdef")

// desk is a browser in front of a spool.
type desk struct {
	t     *testing.T
	spool *spool.Spool
	site  *httptest.Server
	http  *http.Client
	now   time.Time
}

func open(t *testing.T) *desk { return openWith(t, nil) }

func openWith(t *testing.T, links admin.Links) *desk {
	t.Helper()
	s, err := spool.Open(filepath.Join(t.TempDir(), "spool.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, spool: s, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	steer := admin.NewHandler(s, links, token)
	h, err := browse.New(browse.Options{
		Admin: admin.Direct(steer, token), Token: token, Read: read, Server: func() string { return "https://fhir.example/R4/" }, Log: zerolog.Nop(),
		Analyzers: func() []string { return []string{"xn", "gas"} },
		Waiting:   func(string) string { return "the server does not answer" },
		Now:       func() time.Time { return d.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/app.css" { // of the status page, which is at the same endpoint
			http.ServeFile(w, r, filepath.Join("..", "status", "assets", "app.css"))
			return
		}
		h.ServeHTTP(w, r)
	}))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d.http = &http.Client{Jar: jar}
	t.Cleanup(func() {
		d.site.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func read(m admin.Content) browse.Reading {
	if strings.HasPrefix(string(m.Payload), "bad") {
		return browse.Reading{Err: fmt.Errorf("no H record")}
	}
	return browse.Reading{
		Reports: []drivers.Report{{Purpose: drivers.ForPatient, Specimen: drivers.Specimen{ID: "SP-1"}, Results: []drivers.Result{{
			Test: drivers.Code{Code: "GLU"}, Value: drivers.Value{Text: "5.40"}, Unit: "mmol/L", Range: []string{"3.9-5.8"},
		}}}},
		Steps: []browse.Step{{Name: "specimen", JSON: []byte(`{"resourceType":"Bundle"}`)}},
	}
}

func (d *desk) put(analyzer, payload string) spool.Seq {
	d.t.Helper()
	q, err := d.spool.Put(context.Background(), spool.Record{Lane: analyzer, Kind: "astm", Payload: []byte(payload)})
	if err != nil {
		d.t.Fatal(err)
	}
	return q
}

func (d *desk) park(analyzer, payload, why string) spool.Seq {
	d.t.Helper()
	q := d.put(analyzer, payload)
	if err := d.spool.Park(analyzer, q, spool.Reason{Code: "rejected", Text: why}); err != nil {
		d.t.Fatal(err)
	}
	return q
}

func (d *desk) get(path string) (int, string) {
	d.t.Helper()
	resp, err := d.http.Get(d.site.URL + path)
	return d.body(resp, err)
}

func (d *desk) post(path string, form url.Values) (int, string) {
	d.t.Helper()
	resp, err := d.http.PostForm(d.site.URL+path, form)
	return d.body(resp, err)
}

func (d *desk) body(resp *http.Response, err error) (int, string) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (d *desk) signIn() {
	d.t.Helper()
	if code, body := d.post("/login", url.Values{"token": {" " + string(token) + "\n"}}); code != http.StatusOK || !strings.Contains(body, "<h1>Messages</h1>") {
		d.t.Fatalf("signing in: %d\n%s", code, body)
	}
}

// mark is what the page's forms carry.
func (d *desk) mark(page string) string {
	d.t.Helper()
	m := regexp.MustCompile(`name="mark" value="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		d.t.Fatal("the page has no form of the session")
	}
	return m[1]
}

// TestNothingWithoutSession asks for every page without having signed in.
func TestNothingWithoutSession(t *testing.T) {
	d := open(t)
	q := d.park("xn", "H|\\^&\rP|1||SECRET", "SECRET reason")
	d.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/messages", "/messages/audit", fmt.Sprint("/messages/", q), fmt.Sprint("/messages/", q, "/raw"), "/login", "/login?code=guess"} {
		if code, body := d.get(path); strings.Contains(body, "SECRET") || code == http.StatusOK && !strings.HasPrefix(path, "/login") {
			t.Errorf("GET %s: %d\n%s", path, code, body)
		}
	}
	for _, path := range []string{"/logout", "/messages/retry", fmt.Sprint("/messages/", q, "/retry"), fmt.Sprint("/messages/", q, "/discard")} {
		if code, _ := d.post(path, url.Values{"reason": {"x"}, "analyzer": {"xn"}, "code": {"rejected"}, "text": {"SECRET reason"}}); code != http.StatusSeeOther {
			t.Errorf("POST %s: %d", path, code)
		}
	}
	if r, err := d.spool.Get(q); err != nil || r.Status.State != spool.Parked {
		t.Errorf("the message is %v, %v", r.Status.State, err)
	}
	log, err := d.spool.AuditLog(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		if e.What == "viewed" {
			t.Errorf("somebody saw it: %+v", e)
		}
	}
}

func TestWrongToken(t *testing.T) {
	d := open(t)
	limited := false
	for range 8 {
		code, body := d.post("/login", url.Values{"token": {"wrong"}})
		switch {
		case code == http.StatusTooManyRequests:
			limited = true
		case code != http.StatusForbidden || !strings.Contains(body, "not the admin token"):
			t.Fatalf("%d\n%s", code, body)
		}
	}
	if !limited {
		t.Error("tries are not limited")
	}
	if code, _ := d.post("/login", url.Values{"token": {string(token)}}); code != http.StatusTooManyRequests {
		t.Errorf("the right token went through the limit: %d", code)
	}
	d.now = d.now.Add(11 * time.Second)
	d.signIn()
}

func TestOneTimeLink(t *testing.T) {
	d := open(t)
	ask := func(with admin.Token) (admin.Login, error) {
		return admin.NewClient(strings.TrimPrefix(d.site.URL, "http://"), with).Login(t.Context())
	}
	if _, err := ask("wrong"); err == nil {
		t.Error("a link without the token")
	}
	l, err := ask(token)
	if err != nil {
		t.Fatal(err)
	}
	if code, body := d.get(l.Path); code != http.StatusOK || !strings.Contains(body, "Signed in") {
		t.Fatalf("%d\n%s", code, body)
	}
	if _, body := d.get("/messages"); !strings.Contains(body, "<h1>Messages</h1>") {
		t.Errorf("not signed in\n%s", body)
	}
	if _, body := d.get(l.Path); !strings.Contains(body, "used already") {
		t.Errorf("the link works twice\n%s", body)
	}
	if l, err = ask(token); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(61 * time.Second)
	if _, body := d.get(l.Path); !strings.Contains(body, "older than a minute") {
		t.Errorf("the link works after a minute\n%s", body)
	}
}

func TestSessionEnds(t *testing.T) {
	for name, after := range map[string]func(*desk){
		"idle": func(d *desk) { d.now = d.now.Add(30 * time.Minute) },
		"old": func(d *desk) {
			for range 25 { // used all the time
				d.now = d.now.Add(29 * time.Minute)
				d.get("/messages")
			}
		},
		"signed out": func(d *desk) {
			_, page := d.get("/messages")
			d.post("/logout", url.Values{"mark": {d.mark(page)}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			d.signIn()
			after(d)
			if _, body := d.get("/messages"); !strings.Contains(body, "Sign in") {
				t.Errorf("still signed in\n%s", body)
			}
		})
	}
}

// TestDestination follows no link to elsewhere.
func TestDestination(t *testing.T) {
	for to, want := range map[string]string{
		"/messages/7": "/messages/7", "/messages?state=parked": "/messages?state=parked", "": "/messages",
		"https://evil.example/": "/messages", "//evil.example/messages": "/messages", `/\evil.example`: "/messages",
		"/messages/../logout": "/messages", "javascript:alert(1)": "/messages", "/messagesX": "/messages",
	} {
		d := open(t)
		d.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := d.http.PostForm(d.site.URL+"/login", url.Values{"token": {string(token)}, "to": {to}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}

func TestList(t *testing.T) {
	d := open(t)
	d.put("xn", "one")
	d.park("gas", "two", "no specimen id")
	d.park("gas", "three", "no specimen id")
	d.park("xn", "four", "<script>alert(1)</script>")
	d.signIn()
	_, page := d.get("/messages")
	for _, want := range []string{"2 of gas", "no specimen id", "Resend all with this reason", "1 of xn", "&lt;script&gt;", `href="/messages/1"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "four") {
		t.Errorf("the page has what it must not\n%s", page)
	}
	if a, b := strings.Index(page, `href="/messages/4"`), strings.Index(page, `href="/messages/1"`); a < 0 || b < a {
		t.Error("the newest is not first")
	}
	if _, page = d.get("/messages?analyzer=xn&state=waiting"); strings.Contains(page, `href="/messages/4"`) || !strings.Contains(page, `href="/messages/1"`) {
		t.Errorf("the filter does not filter\n%s", page)
	}
	if _, page = d.get("/messages?since=nonsense"); !strings.Contains(page, "Write times like") {
		t.Error("a time that is none is taken")
	}
	if _, page = d.get("/messages?number=3"); !strings.Contains(page, "Message 3 of gas") {
		t.Errorf("the number leads elsewhere\n%s", page)
	}
	if code, _ := d.get("/messages?state=nonsense"); code != http.StatusBadRequest {
		t.Errorf("a state that is none: %d", code)
	}
}

func TestListPages(t *testing.T) {
	d := open(t)
	for i := range 120 {
		d.put("xn", fmt.Sprint("m", i))
	}
	d.signIn()
	seen := map[string]bool{}
	for path := "/messages?analyzer=xn"; path != ""; {
		_, page := d.get(path)
		for _, m := range regexp.MustCompile(`<td><a href="/messages/(\d+)"`).FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Fatalf("%s twice", m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="([^"]+)">Older`).FindStringSubmatch(page); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d messages on all pages", len(seen))
	}
}

func TestShow(t *testing.T) {
	d := open(t)
	q := d.park("xn", "H|\\^&\rP|1||\x02<b>\x00\xe4\r\nL|1|N", "the server said 422")
	d.signIn()
	_, page := d.get(fmt.Sprint("/messages/", q))
	for _, want := range []string{
		"Message 1 of xn", "the server said 422", "GLU", "5.40", "mmol/L", "3.9-5.8", "SP-1", "Bundle", "Resend", "Discard",
		`<span class="control">STX</span>&lt;b&gt;<span class="control">NUL</span>ä<span class="control">CR</span><span class="control">LF</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s\n%s", want, page)
		}
	}
	log, err := d.spool.AuditLog(0, 100)
	if err != nil || log[len(log)-1].What != "viewed" || log[len(log)-1].Seq != q {
		t.Errorf("the look is not in the audit log: %+v, %v", log, err)
	}
	if _, body := d.get(fmt.Sprint("/messages/", q, "/raw")); body != "H|\\^&\rP|1||\x02<b>\x00\xe4\r\nL|1|N" {
		t.Errorf("raw bytes %q", body)
	}
	if code, _ := d.get("/messages/999"); code != http.StatusNotFound {
		t.Errorf("a message that is not there: %d", code)
	}
	if code, _ := d.get("/messages/nonsense"); code != http.StatusNotFound {
		t.Errorf("a number that is none: %d", code)
	}
	if _, page := d.get(fmt.Sprint("/messages/", d.put("xn", "bad"))); !strings.Contains(page, "no H record") || !strings.Contains(page, "the server does not answer") {
		t.Errorf("a message that cannot be read\n%s", page)
	}
}

func TestActions(t *testing.T) {
	d := open(t)
	a, b, c := d.park("xn", "a", "why"), d.park("xn", "b", "why"), d.park("xn", "c", "another")
	d.signIn()
	_, page := d.get("/messages")
	mark := url.Values{"mark": {d.mark(page)}}
	with := func(k ...string) url.Values {
		v := url.Values{"mark": mark["mark"]}
		for i := 0; i < len(k); i += 2 {
			v.Set(k[i], k[i+1])
		}
		return v
	}
	if code, _ := d.post(fmt.Sprint("/messages/", a, "/retry"), url.Values{"mark": {"guess"}}); code != http.StatusForbidden {
		t.Errorf("a form of another session: %d", code)
	}
	if _, page := d.post(fmt.Sprint("/messages/", a, "/retry"), mark); !strings.Contains(page, "waits for delivery again") {
		t.Errorf("retry\n%s", page)
	}
	if code, page := d.post(fmt.Sprint("/messages/", b, "/discard"), with("reason", " ")); code != http.StatusBadRequest || !strings.Contains(page, "give a reason") {
		t.Errorf("discard without a reason: %d", code)
	}
	if _, page := d.post(fmt.Sprint("/messages/", b, "/discard"), with("reason", "sent to the wrong PC")); !strings.Contains(page, "is discarded") {
		t.Errorf("discard\n%s", page)
	}
	if _, page := d.post("/messages/retry", with("analyzer", "xn", "code", "rejected", "text", "another")); !strings.Contains(page, "Waiting for delivery again: 1 of xn") {
		t.Errorf("retry all\n%s", page)
	}
	for q, want := range map[spool.Seq]spool.State{a: spool.Waiting, b: spool.Discarded, c: spool.Waiting} {
		if r, err := d.spool.Get(q); err != nil || r.Status.State != want {
			t.Errorf("message %d is %v, %v; want %v", q, r.Status.State, err, want)
		}
	}
	if _, page := d.get(fmt.Sprint("/messages/", c)); strings.Contains(page, "Specimen id, read") {
		t.Error("a message that is not held can be given a specimen id")
	}
	held := d.put("xn", "held")
	if err := d.spool.Park("xn", held, spool.Reason{Code: "held", Text: "no specimen id"}); err != nil {
		t.Fatal(err)
	}
	if _, page := d.get(fmt.Sprint("/messages/", held)); !strings.Contains(page, "Specimen id, read") {
		t.Errorf("no place for the specimen id\n%s", page)
	}
	if code, _ := d.post(fmt.Sprint("/messages/", held, "/specimen"), with("id", "SP 1")); code != http.StatusBadRequest {
		t.Errorf("a specimen id with a blank: %d", code)
	}
	if _, page := d.post(fmt.Sprint("/messages/", held, "/specimen"), with("id", "SP-1", "order", "1")); !strings.Contains(page, "waits for delivery with that specimen id") {
		t.Errorf("the specimen id\n%s", page)
	}
	if _, page := d.get("/messages/audit"); !strings.Contains(page, "sent to the wrong PC") {
		t.Errorf("the audit page lacks the reason\n%s", page)
	}
}
