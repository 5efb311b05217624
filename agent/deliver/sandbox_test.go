package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
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

// mapReal maps a payload "<lane> <number> <results>" with the real mapping.
func mapReal(m *fhir.Mapper) Mapper {
	return func(rec spool.Record) (fhir.Plan, error) {
		var lane string
		var n, results int
		if _, err := fmt.Sscan(string(rec.Payload), &lane, &n, &results); err != nil {
			return fhir.Plan{}, err
		}
		r := drivers.Report{Purpose: drivers.ForPatient, Specimen: drivers.Specimen{ID: fmt.Sprintf("S%d", n)}}
		for i := range results {
			value := strconv.Itoa(i) + ".50"
			r.Results = append(r.Results, drivers.Result{
				Index: i, Test: drivers.Code{Code: "T" + strconv.Itoa(i)}, Unit: "mmol/L", Status: drivers.StatusFinal,
				Value: drivers.Value{Text: value, Number: value},
			})
		}
		return m.Plan(fhir.Input{
			Key: fmt.Sprintf("%s.%d", lane, n), Received: time.Unix(1_800_000_000, 0).UTC(),
			Source: fhir.Source{Name: lane}, Reports: []drivers.Report{r},
		})
	}
}

// TestAgainstSandbox sends 1,000 messages over 4 lanes with random faults of
// the server and of its token endpoint, through real HTTP, the real
// authorizer with tokens of 30 seconds, and the real mapping.
func TestAgainstSandbox(t *testing.T) {
	const lanes, each = 4, 250
	synctest.Test(t, func(t *testing.T) {
		srv := sandbox.New(sandbox.Options{TokenLifetime: 30 * time.Second, UnitsPerMinute: 200_000, RequestsPerMinute: 60_000})
		network := newPipes()
		far := &http.Server{Handler: srv}
		var work sync.WaitGroup
		work.Go(func() { far.Serve(network) })

		tr := &http.Transport{DialContext: network.dial}
		client := &http.Client{Transport: tr}
		const base = "http://127.0.0.1:80"
		a, err := auth.New(auth.Options{
			Method: auth.MethodAuto, TokenURL: base + sandbox.TokenPath, BaseURL: base + sandbox.BasePath, ClientID: sandbox.DefaultClientID,
			ClientSecret: func() (string, error) { return sandbox.DefaultClientSecret, nil },
			HTTP:         client, Probe: Probe(client, base+sandbox.BasePath), Log: zerolog.Nop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		queue := newFakeQueue()
		log := &logBuffer{}
		d, err := New(Options{
			BaseURL: base + sandbox.BasePath, HTTP: client, Auth: a, Queue: queue, Log: zerolog.New(log).Level(zerolog.WarnLevel),
			Map: mapReal(fhir.NewMapper(fhir.Options{AgentName: "test"})), Lanes: []string{"a", "b", "c", "d"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := range each {
			for _, lane := range []string{"a", "b", "c", "d"} {
				queue.put(lane, fmt.Sprintf("%s %d %d", lane, n, 1+n%9))
			}
		}
		srv.SetFault(sandbox.Any(
			sandbox.OnBundle(sandbox.Random(7, 0.08,
				sandbox.Down(), sandbox.LostAnswer(), sandbox.CutAnswer(), sandbox.Reply(500), sandbox.Reply(503), sandbox.Reply(401),
				sandbox.Reply(403), sandbox.Reply(409), sandbox.HTMLPage(200), sandbox.HTMLPage(502), sandbox.ThrottleFrom(1),
				sandbox.RefuseEntry(0, 409), sandbox.RefuseEntry(0, 429), sandbox.SlowAnswer(90*time.Second))),
			sandbox.OnToken(sandbox.Random(9, 0.3, sandbox.Down(), sandbox.Reply(502), sandbox.HTMLPage(200))),
			slowly(50*time.Millisecond)))

		ctx, cancel := context.WithCancel(t.Context())
		work.Go(func() { a.Run(ctx) })
		work.Go(func() { d.Run(ctx) })
		start := time.Now()
		within, done := context.WithTimeout(ctx, 24*time.Hour)
		if err := queue.empty(within); err != nil {
			t.Errorf("%v: %+v\n%+v", err, d.State(), a.State())
		}
		done()
		took := time.Since(start)
		cancel()
		far.Close()
		tr.CloseIdleConnections()
		work.Wait()

		checkSandbox(t, srv, queue, lanes, each)
		c := srv.Counts()
		t.Logf("%d messages in %s of simulated time; %+v", lanes*each, took.Round(time.Second), c)
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
	if d := srv.Duplicates(); len(d) > 0 {
		t.Errorf("there twice: %v", d)
	}
	if d := srv.Dangling(); len(d) > 0 {
		t.Errorf("dangling: %v", d)
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
