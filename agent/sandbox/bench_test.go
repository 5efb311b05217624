package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// reportBundle is what one specimen comes to: eight results and their report.
func reportBundle(n int) string {
	entries := conditionals(8*n, 8)
	urns := make([]string, 8)
	for i := range urns {
		urns[i] = urn(8*n + i)
	}
	id := fmt.Sprint("report-", n)
	return bundleOf("batch", append(entries, entry(1e9+n, "DiagnosticReport", report(id, urns...), "identifier=urn:labcourier:report|"+id))...)
}

// BenchmarkBundles is the handler alone: one batch of eight results and a
// report, new every time.
func BenchmarkBundles(b *testing.B) {
	s := sandbox.New(sandbox.Options{})
	n := 0
	for b.Loop() {
		if w := ask(b, s, "POST", sandbox.BasePath, reportBundle(n)); w.Code != 200 {
			b.Fatal(w.Body)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "bundles/s")
	if s.Len("Observation") != 8*n || s.Len("DiagnosticReport") != n || s.Duplicates() != nil {
		b.Fatal("something was lost or doubled")
	}
}

// BenchmarkBundlesLoopback is the same over HTTP, one request at a time.
func BenchmarkBundlesLoopback(b *testing.B) {
	s := start(b, sandbox.Options{})
	n := 0
	for b.Loop() {
		if status, _, err := s.post(b.Context(), reportBundle(n)); status != 200 {
			b.Fatal(status, err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "bundles/s")
}
