package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
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
	var results []fhir.Entry
	refs := []string{device.FullURL, specimen.FullURL}
	for i := range observations {
		o := testEntry("Observation", fmt.Sprintf("%s.o%d", id, i), strings.Repeat("x", pad), device.FullURL, specimen.FullURL)
		results, refs = append(results, o), append(refs, o.FullURL)
	}
	report := testEntry("DiagnosticReport", id+".report", "", refs...)
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
		defer w.stop()  // also after a Fatal
		synctest.Wait() // until the server was asked whether it is there
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
