package deliver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/spool"
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
	if ft.slow > 0 {
		if err := sleep(r.Context(), ft.slow); err != nil {
			return nil, err
		}
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

// fakeQueue is a queue in memory.
type fakeQueue struct {
	mu      sync.Mutex
	news    chan struct{}
	waiting map[string][]spool.Record
	done    map[string][]spool.Seq
	receipt map[spool.Seq]spool.Receipt
	parked  map[spool.Seq]spool.Reason
	settle  error // answer of Done and Park, nothing done
	last    spool.Seq
}

func newFakeQueue() *fakeQueue {
	return &fakeQueue{
		news: make(chan struct{}), waiting: map[string][]spool.Record{}, done: map[string][]spool.Seq{},
		receipt: map[spool.Seq]spool.Receipt{}, parked: map[spool.Seq]spool.Reason{},
	}
}

func (q *fakeQueue) put(lane string, payload string) spool.Seq {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	q.waiting[lane] = append(q.waiting[lane], spool.Record{Lane: lane, Seq: q.last, Payload: []byte(payload)})
	q.changed()
	return q.last
}

func (q *fakeQueue) changed() {
	close(q.news)
	q.news = make(chan struct{})
}

func (q *fakeQueue) Next(ctx context.Context, lane string) (spool.Record, error) {
	for {
		q.mu.Lock()
		news := q.news
		if w := q.waiting[lane]; len(w) > 0 {
			q.mu.Unlock()
			return w[0], nil
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return spool.Record{}, ctx.Err()
		case <-news:
		}
	}
}

func (q *fakeQueue) take(lane string, s spool.Seq) error {
	if q.settle != nil {
		return q.settle
	}
	if w := q.waiting[lane]; len(w) == 0 || w[0].Seq != s {
		return errors.New("not the head")
	}
	q.waiting[lane] = q.waiting[lane][1:]
	q.changed()
	return nil
}

func (q *fakeQueue) Done(lane string, s spool.Seq, r spool.Receipt) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.take(lane, s); err != nil {
		return err
	}
	q.done[lane], q.receipt[s] = append(q.done[lane], s), r
	return nil
}

func (q *fakeQueue) Park(lane string, s spool.Seq, r spool.Reason) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.take(lane, s); err != nil {
		return err
	}
	q.parked[s] = r
	return nil
}

func (q *fakeQueue) setSettle(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settle = err
}

// empty waits until nothing waits.
func (q *fakeQueue) empty(ctx context.Context) error {
	for {
		q.mu.Lock()
		news, left := q.news, 0
		for _, w := range q.waiting {
			left += len(w)
		}
		q.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d messages are left", left)
		case <-news:
		}
	}
}

// fakeAuth gives out key-1, key-2 ... and lets a func refuse.
type fakeAuth struct {
	mu      sync.Mutex
	key     int
	rejects int
	refuse  func() error
}

func (a *fakeAuth) Authorize(_ context.Context, r *http.Request) (auth.Ticket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse != nil {
		if err := a.refuse(); err != nil {
			return auth.Ticket{}, err
		}
	}
	r.Header.Set("Authorization", fmt.Sprintf("Bearer key-%d", a.key+1))
	return auth.Ticket{}, nil
}

func (a *fakeAuth) Reject(auth.Ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key++
	a.rejects++
}

func (a *fakeAuth) rejected() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rejects
}

// testMap makes a plan of a payload "<lane> <number> <observations> [pad]": a
// Device, a Specimen, so many Observations and a DiagnosticReport.
func testMap(rec spool.Record) (fhir.Plan, error) {
	var lane string
	var n, observations, pad int
	if _, err := fmt.Sscan(string(rec.Payload)+" 0", &lane, &n, &observations, &pad); err != nil {
		return fhir.Plan{}, errors.New("not a test message")
	}
	id := fmt.Sprintf("%s.%d", lane, n)
	device := testEntry("Device", lane+".device", "")
	specimen := testEntry("Specimen", id+".specimen", "")
	report := testEntry("DiagnosticReport", id+".report", "", device.FullURL, specimen.FullURL)
	var results []fhir.Entry
	refs := []string{device.FullURL, specimen.FullURL}
	for i := range observations {
		o := testEntry("Observation", fmt.Sprintf("%s.o%d", id, i), strings.Repeat("x", pad), device.FullURL, specimen.FullURL)
		results, refs = append(results, o), append(refs, o.FullURL)
	}
	report = testEntry("DiagnosticReport", id+".report", "", refs...)
	return fhir.Plan{Steps: []fhir.Step{
		{Name: fhir.StepDevice, Entries: []fhir.Entry{device}},
		{Name: fhir.StepSpecimen, Entries: []fhir.Entry{specimen}},
		{Name: fhir.StepObservations, Entries: results},
		{Name: fhir.StepReport, Entries: []fhir.Entry{report}},
	}}, nil
}

func testEntry(resourceType, value, pad string, refs ...string) fhir.Entry {
	var r bytes.Buffer
	fmt.Fprintf(&r, `{"resourceType":%q,"note":%q,"refs":[`, resourceType, pad)
	for i, ref := range refs {
		if i > 0 {
			r.WriteByte(',')
		}
		fmt.Fprintf(&r, `{"reference":%q}`, ref)
	}
	r.WriteString("]}")
	return fhir.Entry{FullURL: "urn:uuid:" + value, Type: resourceType, System: "urn:test", Value: value, Resource: r.Bytes()}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a Deliverer with a fake of everything around it, in a bubble of
// synctest.
type world struct {
	t     *testing.T
	d     *Deliverer
	srv   *fakeServer
	queue *fakeQueue
	auth  *fakeAuth
	log   *logBuffer
	stop  func()
}

func inWorld(t *testing.T, lanes int, change func(*Options, *world), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, srv: newFakeServer(), queue: newFakeQueue(), auth: &fakeAuth{}, log: &logBuffer{}}
		o := Options{
			BaseURL: "https://fhir.example/fhir/R4/", HTTP: &http.Client{Transport: w.srv},
			Auth: w.auth, Queue: w.queue, Map: testMap, Log: zerolog.New(w.log),
		}
		for i := range lanes {
			o.Lanes = append(o.Lanes, string(rune('a'+i)))
		}
		if change != nil {
			change(&o, w)
		}
		var err error
		if w.d, err = New(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.d.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		w.stop = func() { cancel(); running.Wait() }
		test(w)
		w.stop()
		w.srv.mu.Lock()
		defer w.srv.mu.Unlock()
		if len(w.srv.twice) > 0 || len(w.srv.dangling) > 0 {
			t.Errorf("created twice: %v; dangling: %v", w.srv.twice, w.srv.dangling)
		}
	})
}

// drain waits until the queue is empty, or fails after d.
func (w *world) drain(d time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	if err := w.queue.empty(ctx); err != nil {
		w.t.Fatalf("after %s: %v\n%+v", d, err, w.d.State())
	}
	return time.Since(start)
}

// inOrder fails unless the reports of a lane were created in order, all of n.
func (w *world) inOrder(lane string, n int) {
	w.t.Helper()
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	if len(w.srv.order[lane]) != n {
		w.t.Errorf("lane %s has %d reports, want %d", lane, len(w.srv.order[lane]), n)
	}
	for i, id := range w.srv.order[lane] {
		if want := fmt.Sprintf("%s.%d.report", lane, i); id != want {
			w.t.Errorf("report %d is %s", i, id)
			return
		}
	}
}
