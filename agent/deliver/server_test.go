package deliver

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// fault is what a fakeServer does with one request. The zero fault is nothing.
type fault struct {
	before error         // no answer, nothing done
	after  error         // done, no answer
	cut    bool          // done, half an answer
	hang   bool          // done, no answer until the request's deadline
	slow   time.Duration // before the work
	status int           // answered instead of doing anything
	header map[string]string
	body   string
	entry  func(i int, e sentEntry) (status int, outcome string) // 0: as usual
	hide   bool                                                  // no location, no resource
}

// strikes is a hook that gives ft to the requests that are met.
func strikes(met func(sent) bool, ft fault) func(sent) fault {
	return func(s sent) fault {
		if met(s) {
			return ft
		}
		return fault{}
	}
}

type sentEntry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
	Request  struct {
		Method, URL, IfNoneExist string
	} `json:"request"`
}

// sent is one request as the server saw it.
type sent struct {
	at      time.Time
	n       int    // counted from 0
	path    string // "POST", or "GET Device", or "HEAD metadata"
	stage   string // the type of the first entry
	lane    string // of the first entry
	entries int
	auth    string
	zipped  bool
	size    int
}

// fakeServer is a FHIR server as a RoundTripper. It creates unconditionally
// what does not ask to be conditional, and notes every reference that points at
// nothing.
type fakeServer struct {
	hook func(s sent) fault

	mu       sync.Mutex
	requests []sent
	ids      map[string]string // identity to reference
	twice    []string          // identities that were created twice
	dangling []string
	order    map[string][]string // per lane, report identifiers in order of creation
	flying   int
	most     int // requests at one time
	reply    func(s sent, h http.Header)
}

func newFakeServer() *fakeServer {
	return &fakeServer{ids: map[string]string{}, order: map[string][]string{}}
}

func (f *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, entries, err := f.read(r)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	if r.Method != "HEAD" {
		f.flying++
	}
	f.most = max(f.most, f.flying)
	s := sent{
		at: time.Now(), n: len(f.requests), path: r.Method, entries: len(entries), size: len(raw),
		auth: r.Header.Get("Authorization"), zipped: r.Header.Get("Content-Encoding") == "gzip",
	}
	if r.Method != "POST" {
		s.path += " " + strings.TrimPrefix(r.URL.Path, "/fhir/R4/")
	}
	if len(entries) > 0 {
		s.stage = entries[0].Request.URL
		_, id, _ := strings.Cut(entries[0].Request.IfNoneExist, "|")
		s.lane, _, _ = strings.Cut(id, ".")
	}
	if s.path != "HEAD metadata" {
		f.requests = append(f.requests, s)
	}
	hook := f.hook
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		if r.Method != "HEAD" {
			f.flying--
		}
		f.mu.Unlock()
	}()
	var ft fault
	if hook != nil {
		ft = hook(s)
	}
	return f.answer(r, s, entries, ft)
}

func (f *fakeServer) read(r *http.Request) ([]byte, []sentEntry, error) {
	if r.Body == nil {
		return nil, nil, nil
	}
	defer r.Body.Close()
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, nil, err
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	if err != nil || len(raw) == 0 {
		return nil, nil, err
	}
	var b struct{ Entry []sentEntry }
	return raw, b.Entry, json.Unmarshal(raw, &b)
}

func (f *fakeServer) answer(r *http.Request, s sent, entries []sentEntry, ft fault) (*http.Response, error) {
	if ft.slow > 0 && !drivers.Pause(r.Context(), ft.slow) {
		return nil, r.Context().Err()
	}
	switch {
	case ft.before != nil:
		return nil, ft.before
	case ft.status != 0:
		return f.respond(r, s, ft.status, ft.header, ft.body), nil
	case s.path == "HEAD metadata":
		return f.respond(r, s, 200, nil, ""), nil
	case r.Method == "GET":
		return f.respond(r, s, 200, ft.header, f.search(r.URL)), nil
	}
	body := f.batch(entries, ft)
	switch {
	case ft.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case ft.after != nil:
		return nil, ft.after
	case ft.cut:
		res := f.respond(r, s, 200, ft.header, "")
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), errReader{}))
		return res, nil
	}
	return f.respond(r, s, 200, ft.header, body), nil
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (f *fakeServer) respond(r *http.Request, s sent, status int, header map[string]string, body string) *http.Response {
	h := http.Header{"Content-Type": {fhirJSON}}
	for k, v := range header {
		h.Set(k, v)
	}
	if f.reply != nil {
		f.reply(s, h)
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

// batch does a batch and returns the batch-response.
func (f *fakeServer) batch(entries []sentEntry, ft fault) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for i, e := range entries {
		if ft.entry != nil {
			if status, outcome := ft.entry(i, e); status != 0 {
				out = append(out, fmt.Sprintf(`{"response":{"status":"%d","outcome":%s}}`, status, outcome))
				continue
			}
		}
		status, ref := f.create(e)
		location := fmt.Sprintf(`,"location":%q`, ref)
		if ft.hide {
			location = ""
		}
		out = append(out, fmt.Sprintf(`{"response":{"status":"%d"%s}}`, status, location))
	}
	return `{"resourceType":"Bundle","type":"batch-response","entry":[` + strings.Join(out, ",") + `]}`
}

func (f *fakeServer) create(e sentEntry) (int, string) {
	identity := e.Request.URL + "?" + e.Request.IfNoneExist
	if ref := f.ids[identity]; ref != "" {
		if e.Request.IfNoneExist != "" {
			return 200, ref
		}
		f.twice = append(f.twice, identity)
	}
	ref := fmt.Sprintf("%s/id-%d", e.Request.URL, len(f.ids)+1)
	f.ids[identity] = ref
	f.check(e)
	if _, id, ok := strings.Cut(identity, "|"); ok && e.Request.URL == "DiagnosticReport" {
		lane, _, _ := strings.Cut(id, ".")
		f.order[lane] = append(f.order[lane], id)
	}
	return 201, ref
}

// check notes references to nothing.
func (f *fakeServer) check(e sentEntry) {
	var resource struct{ Refs []struct{ Reference string } }
	if json.Unmarshal(e.Resource, &resource) != nil {
		return
	}
	for _, r := range resource.Refs {
		found := false
		for _, ref := range f.ids {
			found = found || ref == r.Reference
		}
		if !found {
			f.dangling = append(f.dangling, r.Reference)
		}
	}
}

func (f *fakeServer) search(u *url.URL) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	resourceType := strings.TrimPrefix(u.Path, "/fhir/R4/")
	ref := f.ids[resourceType+"?identifier="+u.Query().Get("identifier")]
	if ref == "" {
		return `{"resourceType":"Bundle","type":"searchset"}`
	}
	return fmt.Sprintf(`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":%q,"id":%q}}]}`,
		resourceType, strings.TrimPrefix(ref, resourceType+"/"))
}

// posts returns the requests with a bundle.
func (f *fakeServer) posts() []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	var posts []sent
	for _, s := range f.requests {
		if s.path == "POST" {
			posts = append(posts, s)
		}
	}
	return posts
}
