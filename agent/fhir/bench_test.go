package fhir

import (
	"fmt"
	"testing"
)

// BenchmarkPlan maps a blood count of 30 results to its bundles.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1, 30, 300} {
		b.Run(fmt.Sprintf("results=%d", n), func(b *testing.B) {
			m := testMapper()
			r := patientReport(0, "S1", n)
			for i := range r.Results {
				r.Results[i].Unit = "10^3/µL"
				r.Results[i].Range = []string{"4.00-10.00"}
				r.Results[i].Flags = []string{"H"}
			}
			in := testInput(r)
			b.ReportAllocs()
			bytes := 0
			for b.Loop() {
				p, err := m.Plan(in)
				if err != nil {
					b.Fatal(err)
				}
				resolved := map[string]string{}
				bytes = 0
				for _, s := range p.Steps {
					raw, err := s.Bundle(resolved)
					if err != nil {
						b.Fatal(err)
					}
					bytes += len(raw)
					for _, e := range s.Entries {
						resolved[e.FullURL] = "X/1"
					}
				}
			}
			b.SetBytes(int64(bytes))
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "results/s")
		})
	}
}
