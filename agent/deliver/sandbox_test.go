package deliver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// pipes is a network in memory, so that a real HTTP server and client can live
// in a bubble of synctest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mapReal maps a payload "<lane> <number> <results> [word]" with the real mapping.
// With "origins" comes the message itself, and "both" is
// "previous" in a first report and "origins" in a second. Each number is a specimen of its own, but "corrects", "settles" and "previous" are about
// the one before. "early" is preliminary by the analyzer's own word, and "settles"
// final; so is "later", of the specimen two before and from a test on.
func mapReal(m *fhir.Mapper) Mapper {
	return func(rec spool.Record) (fhir.Plan, error) {
		var lane string
		var n, results int
		word, more, status, raw := "", "", drivers.StatusFinal, ""
		if _, err := fmt.Sscan(string(rec.Payload)+" - -", &lane, &n, &results, &word, &more); err != nil {
			return fhir.Plan{}, err
		}
		r := drivers.Report{Purpose: drivers.ForPatient, Specimen: drivers.Specimen{ID: fmt.Sprintf("S%d", n)}}
		tail := ".50"
		switch word {
		case "corrects", "previous", "both", "settles":
			r.Specimen.ID = fmt.Sprintf("S%d", n-1)
		}
		from := 0 // the number of the first test, where the word before it is "later"
		switch word {
		case "later":
			fmt.Sscan(more, &from)
			r.Specimen.ID, raw, tail = fmt.Sprintf("S%d", n-2), "F", ".75"
		case "corrects":
			status, tail = drivers.StatusCorrected, ".75"
		case "early":
			status, raw = drivers.StatusPreliminary, "P"
		case "settles":
			raw, tail = "F", ".75"
		case "stated":
			raw = "F"
		}
		for i := range results {
			value := strconv.Itoa(from+i) + tail
			r.Results = append(r.Results, drivers.Result{
				Index: i, Test: drivers.Code{Code: "T" + strconv.Itoa(from+i)}, Unit: "mmol/L", Status: status, StatusRaw: raw, Previous: word == "previous" || word == "both",
				Completed: drivers.Time{Value: time.Unix(1_700_000_000, 0).UTC(), Precision: drivers.Second},
				Value:     drivers.Value{Text: value, Number: value},
			})
		}
		reports := []drivers.Report{r}
		if word == "both" {
			r.Index, r.Specimen.ID, r.Results = 1, fmt.Sprintf("S%d", n), slices.Clone(r.Results)
			for i := range r.Results {
				r.Results[i].Previous = false
			}
			reports = append(reports, r)
		}
		origins := word == "origins" || word == "both" || more == "origins"
		return m.Plan(fhir.Input{
			Key: fmt.Sprintf("%s.%d", lane, n), Received: time.Unix(1_800_000_000+int64(n), 0).UTC(),
			Source: fhir.Source{Name: lane}, Reports: reports,
			Choices: fhir.Choices{Raw: origins, Provenance: origins}, Payload: rec.Payload, MediaType: "text/plain",
		})
	}
}

// far is a sandbox behind real HTTP in a bubble of synctest, with a Deliverer
// and the real authorizer and mapping on this side.
type far struct {
	t     *testing.T
	ctx   context.Context
	srv   *sandbox.Server
	auth  *auth.Authorizer
	d     *Deliverer
	queue *fakeQueue

	double atomic.Bool // a proxy sends each request twice
	client *http.Client

	bots []sandbox.BotCall // what the lane "bot" delivered
	sick atomic.Bool       // which then fails
}

// inSandbox runs test with lanes a to d, a token lifetime of 30 seconds, and a
// client whose secret is secret(). It looks for duplicates at the end.
func inSandbox(t *testing.T, secret func() (string, error), test func(f *far)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &far{t: t, queue: newFakeQueue()}
		f.srv = sandbox.New(sandbox.Options{TokenLifetime: 30 * time.Second, UnitsPerMinute: 200_000, RequestsPerMinute: 60_000, Bot: f.bot})
		network := newPipes()
		web := &http.Server{Handler: f.srv}
		tr := &http.Transport{DialContext: network.dial}
		client := &http.Client{Transport: f.proxy(tr)}
		f.client = client
		const base = "http://127.0.0.1:80"
		var err error
		f.auth, err = auth.New(auth.Options{
			Method: auth.MethodAuto, TokenURL: base + sandbox.TokenPath, BaseURL: base + sandbox.BasePath,
			ClientID: sandbox.DefaultClientID, ClientSecret: secret, ClientAuth: auth.ByForm, // so that the server counts basic at FHIR alone
			HTTP: client, Probe: Probe(client, base+sandbox.BasePath), Log: zerolog.Nop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		f.d, err = New(Options{
			BaseURL: base + sandbox.BasePath, HTTP: client, Auth: f.auth, Queue: f.queue, Log: zerolog.Nop(),
			Map: mapReal(fhir.NewMapper(fhir.Options{AgentName: "test"})), Lanes: []string{"a", "b", "c", "d", "bot"},
			Bots: map[string]Bot{"bot": {Name: "b-1", MediaType: func(kind string) string { return "x-application/hl7-v2+er7; charset=utf-8" }}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.ctx = ctx
		var work sync.WaitGroup
		work.Go(func() { web.Serve(network) })
		work.Go(func() { f.auth.Run(ctx) })
		work.Go(func() { f.d.Run(ctx) })
		stop := sync.OnceFunc(func() {
			cancel()
			web.Close()
			tr.CloseIdleConnections()
			work.Wait()
		})
		defer stop() // also after a Fatal
		test(f)
		stop()
		d := append(f.srv.Duplicates(), f.srv.Dangling()...)
		d = slices.DeleteFunc(d, func(s string) bool { return strings.HasPrefix(s, "ServiceRequest ") }) // not ours
		if len(d) > 0 {
			t.Errorf("there twice or dangling: %v", d)
		}
	})
}

// bot is the bot of the lane of that name.
func (f *far) bot(c sandbox.BotCall) (string, error) {
	if f.sick.Load() {
		return "", errors.New("no such patient: S0")
	}
	f.bots = append(f.bots, c)
	return "ok", nil
}

// proxy is a proxy that sends requests twice while f.double is set.
func (f *far) proxy(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if f.double.Load() {
			first := r.Clone(r.Context())
			if r.GetBody != nil {
				first.Body, _ = r.GetBody()
			}
			if res, err := next.RoundTrip(first); err == nil {
				res.Body.Close()
			}
		}
		return next.RoundTrip(r)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// update puts a resource as some other client would.
func (f *far) update(ref, resource string) int {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.ctx, http.MethodPut, "http://127.0.0.1:80"+sandbox.BasePath+"/"+ref, strings.NewReader(resource))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", fhirJSON)
	r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	res, err := f.client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// put queues n messages for each of the lanes, numbered from first.
func (f *far) put(first, n int) {
	for i := range n {
		for _, lane := range []string{"a", "b", "c", "d"} {
			f.queue.put(lane, fmt.Sprintf("%s %d %d", lane, first+i, 1+(first+i)%9))
		}
	}
}

func (f *far) drain(d time.Duration) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, d)
	defer cancel()
	if err := f.queue.empty(ctx); err != nil {
		f.t.Fatalf("%v\n%+v\n%+v", err, f.d.State(), f.auth.State())
	}
}

func goodSecret() (string, error) { return sandbox.DefaultClientSecret, nil }

// TestAgainstSandbox sends 1,000 messages over 4 lanes with random faults of
// the server and of its token endpoint.
func TestAgainstSandbox(t *testing.T) {
	const each = 250
	inSandbox(t, goodSecret, func(f *far) {
		f.srv.SetFault(sandbox.Any(
			sandbox.OnBundle(sandbox.Random(7, 0.08,
				sandbox.Down(), sandbox.LostAnswer(), sandbox.CutAnswer(), sandbox.Reply(500), sandbox.Reply(503), sandbox.Reply(401),
				sandbox.Reply(403), sandbox.Reply(409), sandbox.HTMLPage(200), sandbox.HTMLPage(502), sandbox.ThrottleFrom(1),
				sandbox.RefuseEntry(0, 409), sandbox.RefuseEntry(0, 429), sandbox.SlowAnswer(90*time.Second))),
			sandbox.OnToken(sandbox.Random(9, 0.3, sandbox.Down(), sandbox.Reply(502), sandbox.HTMLPage(200))),
			slowly(50*time.Millisecond)))
		f.put(0, each)
		start := time.Now()
		f.drain(24 * time.Hour)
		checkSandbox(t, f.srv, f.queue, 4, each)
		t.Logf("%d messages in %s of simulated time; %+v", 4*each, time.Since(start).Round(time.Second), f.srv.Counts())
	})
}

// TestFallbackDrill: the token endpoint goes and comes back; nothing is lost
// or doubled, and the credentials change within seconds and minutes.
func TestFallbackDrill(t *testing.T) {
	inSandbox(t, goodSecret, func(f *far) {
		f.put(0, 5)
		f.drain(time.Minute)
		if s := f.auth.State(); s.Method != auth.MethodOAuth2 || f.srv.Counts().Auth["basic"] != 0 {
			t.Errorf("before: %+v, %v", s, f.srv.Counts().Auth)
		}
		f.srv.SetFault(sandbox.OnToken(sandbox.Always(sandbox.Reply(404))))
		time.Sleep(31 * time.Second) // the token in hand is good until then
		f.put(5, 5)
		f.drain(10 * time.Second)
		if s := f.auth.State(); !s.Fallback || s.Reason == "" || f.srv.Counts().Auth["basic"] == 0 {
			t.Errorf("fallen back: %+v, %v", s, f.srv.Counts().Auth)
		}
		f.srv.SetFault(nil)
		time.Sleep(auth.DefaultReprobe + time.Second)
		before := f.srv.Counts().Auth["basic"]
		f.put(10, 5)
		f.drain(10 * time.Second)
		if s := f.auth.State(); s.Fallback || f.srv.Counts().Auth["basic"] != before {
			t.Errorf("back: %+v, %v", s, f.srv.Counts().Auth)
		}
		for _, r := range f.srv.Requests() {
			if r.Status == http.StatusUnauthorized && r.Kind == "batch" {
				t.Errorf("a request with a stale token: %+v", r)
			}
		}
		checkSandbox(t, f.srv, f.queue, 4, 15)
	})
}

// TestWrongSecret: the server's own log shows no attempt by Basic in six hours,
// and the right secret in the file is enough to go on.
func TestWrongSecret(t *testing.T) {
	var right atomic.Bool
	secret := func() (string, error) {
		if right.Load() {
			return goodSecret()
		}
		return "wrong", nil
	}
	inSandbox(t, secret, func(f *far) {
		f.put(0, 3)
		time.Sleep(6 * time.Hour)
		if c := f.srv.Counts(); c.Auth["basic"] != 0 || c.Kind["batch"] != 0 || c.Kind["token"] < 300 {
			t.Errorf("the server's log: %+v", c)
		}
		if s := f.d.State().Server; !strings.Contains(s.Waiting, "Invalid secret") {
			t.Errorf("server: %+v", s)
		}
		right.Store(true)
		f.drain(2 * time.Minute)
		checkSandbox(t, f.srv, f.queue, 4, 3)
	})
}

// slowly is a server at some distance.
func slowly(most time.Duration) sandbox.Hook {
	return func(*http.Request) sandbox.Fault { return sandbox.Slow(rand.N(most)) }
}

func checkSandbox(t *testing.T, srv *sandbox.Server, queue *fakeQueue, lanes, each int) {
	t.Helper()
	if len(queue.parked) > 0 {
		t.Errorf("parked: %+v", queue.parked)
	}
	want := 0
	for n := range each {
		want += lanes * (1 + n%9)
	}
	if n := srv.Len("Observation"); n != want {
		t.Errorf("%d observations, want %d", n, want)
	}
	if n := srv.Len("Device"); n != lanes {
		t.Errorf("%d devices, want %d", n, lanes)
	}
	next := map[string]int{}
	for _, r := range srv.Resources("DiagnosticReport") {
		lane, rest, _ := strings.Cut(r.Identifiers[0].Value, ".")
		number, _, _ := strings.Cut(rest, "-")
		if n, err := strconv.Atoi(number); err != nil || n != next[lane] {
			t.Fatalf("report %s out of order: want number %d", r.Identifiers[0].Value, next[lane])
		}
		next[lane]++
	}
	for lane, n := range next {
		if n != each {
			t.Errorf("lane %s has %d reports", lane, n)
		}
	}
}
