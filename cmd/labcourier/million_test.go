//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/spool"
)

// million is how many messages the spool of the benchmark below holds, unless
// LABCOURIER_MESSAGES says otherwise.
func million(b *testing.B) int {
	text := os.Getenv("LABCOURIER_MESSAGES")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("LABCOURIER_MESSAGES: %v", err)
	}
	return n
}

// pageLimit is how long an answer of the endpoint may take.
const pageLimit = 50 * time.Millisecond

// BenchmarkPageMillion asks the running agent for its page, its API and its
// message lists with a million messages in the spool: the slowest answer of each, and
// that as a share of what is allowed (limit, below 1). Run it with
// -benchtime=100x: building the spool takes a minute. BenchmarkPageMillion/events
// tells what one open page costs, in percent of a core (below 1).
func BenchmarkPageMillion(b *testing.B) {
	w := newWorld(b, 8)
	w.startServer()
	cfg, err := config.Load(w.config, kinds())
	if err != nil {
		b.Fatal(err)
	}
	noon := time.Now().Add(-7 * 24 * time.Hour).Local()
	fillMillion(b, cfg)
	defer w.startInProcess(b)()
	c := signedIn(b, w)

	hour := func(t time.Time) string { return t.Format("2006-01-02T15:04") }
	for _, p := range []struct{ name, path string }{
		{"page", "/"},
		{"status", "/api/status"},
		{"metrics", "/metrics"},
		{"messages", "/messages"},
		{"messages-of-one", "/messages?analyzer=bench-03"},
		{"messages-older", fmt.Sprint("/messages?before=", million(b)/2)},
		{"messages-hour", "/messages?since=" + hour(noon) + "&until=" + hour(noon.Add(time.Hour))},
		{"messages-until", "/messages?until=" + hour(noon)},
		{"messages-never", "/messages?since=2031-01-01T00:00"},
		{"parked", "/messages?state=parked"},
		{"waiting", "/messages?state=waiting"},
		{"delivered-of-one", "/messages?state=delivered&analyzer=bench-07"},
		{"discarded", "/messages?state=discarded"},
		{"discarded-of-one", "/messages?state=discarded&analyzer=bench-02"},
		{"discarded-hour", "/messages?state=discarded&since=" + hour(noon) + "&until=" + hour(noon.Add(time.Hour))},
		{"message", fmt.Sprint("/messages/", million(b)/2)},
	} {
		b.Run(p.name, func(b *testing.B) {
			var slowest time.Duration
			for b.Loop() {
				began := time.Now()
				fetchPage(b, c, "http://"+w.status+p.path)
				slowest = max(slowest, time.Since(began))
			}
			b.ReportMetric(float64(slowest.Microseconds())/1000, "max-ms")
			b.ReportMetric(float64(slowest)/float64(pageLimit), "limit")
		})
	}
	b.Run("events", func(b *testing.B) { benchmarkOpenPage(b, c, w) })
}

// fillMillion makes the agent's spool: a fortnight of eight analyzers, nearly all
// delivered; a few parked, a few discarded, and some that wait in the lane of an
// analyzer that is gone.
func fillMillion(b *testing.B, cfg *config.Config) {
	b.Helper()
	s, err := agent.OpenSpool(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const chunk = 4000
	first := time.Now().Add(-14 * 24 * time.Hour)
	count := million(b)
	step := 14 * 24 * time.Hour / time.Duration(count)
	for at := 0; at < count; at += chunk {
		records := make([]spool.Record, chunk)
		for i := range records {
			n := at + i
			records[i] = spool.Record{
				Lane: fmt.Sprintf("bench-%02d", n%8), Kind: "astm", Received: first.Add(time.Duration(n) * step),
				Payload: fmt.Appendf(nil, "H|\\^&|||SIM|||||||P|1\rP|1\rO|1|S-%07d||^^^GLU\rR|1|^^^GLU|5.4|mmol/L\rL|1|N\r", n),
			}
			if n%2000 == 1 {
				records[i].Lane = "gone"
			}
		}
		numbers, err := s.PutAll(context.Background(), records)
		if err != nil {
			b.Fatal(err)
		}
		settleAll(b, s, records, numbers)
	}
}

// settleAll finishes the messages of a chunk, all at once.
func settleAll(b *testing.B, s *spool.Spool, records []spool.Record, numbers []spool.Seq) {
	var running sync.WaitGroup
	for w := range 500 {
		running.Go(func() {
			for i := w; i < len(numbers); i += 500 {
				lane, q := records[i].Lane, numbers[i]
				var err error
				switch {
				case lane == "gone":
				case q%100_000 == 7:
					err = s.Discard(lane, q, spool.Reason{Code: "discarded", Text: "a test tube"})
				case q%50_000 == 9:
					err = s.Park(lane, q, spool.Reason{Code: "rejected", Text: "the server refuses it"})
				default:
					err = s.Done(lane, q, spool.Receipt{Resources: []string{"DiagnosticReport/1"}})
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	running.Wait()
}

// signedIn is a browser with a session.
func signedIn(b *testing.B, w *world) *http.Client {
	b.Helper()
	token, err := os.ReadFile(filepath.Join(w.dir, "data", "admin-token"))
	if err != nil {
		b.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	resp, err := c.PostForm("http://"+w.status+"/login", url.Values{"token": {strings.TrimSpace(string(token))}})
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
	return c
}

func fetchPage(b *testing.B, c *http.Client, address string) {
	resp, err := c.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(body), "<h1>Sign in") {
		b.Fatalf("%s: %s, %v", address, resp.Status, err)
	}
}

// benchmarkOpenPage reports what an open page costs the agent while nothing
// changes: the median of several times with one, less that without.
func benchmarkOpenPage(b *testing.B, c *http.Client, w *world) {
	const watched, rounds = 5 * time.Second, 2
	used := func() time.Duration { return cpuWithin(b, watched) }
	for range 180 { // a large spool is looked through after it was opened, which would hide what a page costs
		if cpuWithin(b, time.Second) < 10*time.Millisecond {
			break
		}
	}
	var with, without []time.Duration
	for range rounds {
		without = append(without, used())
		ctx, cancel := context.WithCancel(b.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.status+"/events", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		with = append(with, used())
		cancel()
		resp.Body.Close()
	}
	cost := slices.Min(with) - slices.Min(without)
	b.ReportMetric(100*cost.Seconds()/watched.Seconds(), "%core")
	b.ReportMetric(100*slices.Min(without).Seconds()/watched.Seconds(), "%core-idle")
}

// cpuWithin is what this process uses within a time.
func cpuWithin(b *testing.B, t time.Duration) time.Duration {
	before := cpuTime(b)
	<-time.After(t)
	return cpuTime(b) - before
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
