package deliver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/spool"
)

// instant answers bundles over real HTTP without storing anything, so that the
// benchmark is about this side.
func instant(latency time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", fhirJSON)
		if r.Method == http.MethodGet { // for earlier states: there are none
			time.Sleep(latency)
			io.WriteString(w, `{"resourceType":"Bundle","type":"searchset"}`)
			return
		}
		f := newFakeServer()
		_, entries, err := f.read(r)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		time.Sleep(latency)
		io.WriteString(w, `{"resourceType":"Bundle","type":"batch-response","entry":[`)
		for i, e := range entries {
			if i > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"response":{"status":"201","location":"%s/%d"}}`, e.Request.URL, i)
		}
		io.WriteString(w, "]}")
	})
}

// BenchmarkDeliver delivers messages of 20 results over 1, 8 and 64 lanes. The
// figures of "bare" are an http.Client that posts the same three bundles per
// message from as many goroutines; "of-bare" is the share of it that delivery
// reaches in the same run. Of results that carry a state it asks once more for
// each message, whether there was an earlier one: "stated".
func BenchmarkDeliver(b *testing.B) {
	for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
		for _, lanes := range []int{1, 8, 64} {
			name := fmt.Sprintf("latency=%s/lanes=%d", latency, lanes)
			bare := 0.0
			b.Run(name+"/bare", func(b *testing.B) { bare = benchBare(b, latency, lanes) })
			for _, word := range []string{"deliver", "stated"} {
				b.Run(name+"/"+word, func(b *testing.B) {
					if rate := benchDeliver(b, latency, lanes, word); bare > 0 {
						b.ReportMetric(rate/bare, "of-bare")
					}
				})
			}
		}
	}
}

func listen(b *testing.B, latency time.Duration, conns int) (string, *http.Client) {
	b.Helper()
	network, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: instant(latency)}
	var work sync.WaitGroup
	work.Go(func() { srv.Serve(network) })
	tr := &http.Transport{MaxIdleConnsPerHost: conns}
	b.Cleanup(func() { srv.Close(); tr.CloseIdleConnections(); work.Wait() })
	return "http://" + network.Addr().String() + sandbox.BasePath, &http.Client{Transport: tr}
}

func benchDeliver(b *testing.B, latency time.Duration, lanes int, word string) (rate float64) {
	base, client := listen(b, latency, lanes)
	queue := newFakeQueue()
	o := Options{BaseURL: base, HTTP: client, Auth: &fakeAuth{}, Queue: queue, Concurrency: lanes, Log: zerolog.Nop(), Map: mapReal(fhir.NewMapper(fhir.Options{}))}
	for l := range lanes {
		o.Lanes = append(o.Lanes, fmt.Sprintf("l%d", l))
	}
	d, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	for n := range b.N {
		lane := o.Lanes[n%lanes]
		queue.put(lane, fmt.Sprintf("%s %d 20 %s", lane, n, word))
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.ResetTimer()
	var work sync.WaitGroup
	work.Go(func() { d.Run(ctx) })
	if err := queue.empty(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	cancel()
	work.Wait()
	return messagesPerSecond(b)
}

func messagesPerSecond(b *testing.B) float64 {
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "msg/s")
	return rate
}

func benchBare(b *testing.B, latency time.Duration, lanes int) float64 {
	base, client := listen(b, latency, lanes)
	plan, err := mapReal(fhir.NewMapper(fhir.Options{}))(spool.Record{Payload: []byte("l 0 20")})
	if err != nil {
		b.Fatal(err)
	}
	var bodies [][]byte
	resolved := map[string]string{}
	for _, s := range plan.Steps {
		body, err := s.Bundle(resolved)
		if err != nil {
			b.Fatal(err)
		}
		if s.Name != fhir.StepDevice {
			bodies = append(bodies, body)
		}
		for _, e := range s.Entries {
			resolved[e.FullURL] = e.Type + "/1"
		}
	}
	b.ResetTimer()
	var work sync.WaitGroup
	messages := make(chan struct{})
	for range lanes {
		work.Go(func() {
			for range messages {
				for _, body := range bodies {
					res, err := client.Post(base, fhirJSON, bytes.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
		})
	}
	for range b.N {
		messages <- struct{}{}
	}
	close(messages)
	work.Wait()
	b.StopTimer()
	return messagesPerSecond(b)
}
