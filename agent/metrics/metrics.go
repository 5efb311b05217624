package metrics

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/labcourier/labcourier/agent/status"
)

// Handler serves what source tells, and what the Go runtime and the operating
// system say of this process. A reader that asks for OpenMetrics gets it.
func Handler(source status.Source) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		newCollector(source),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// collector turns a snapshot into samples.
type collector struct {
	source   status.Source
	agent    []metric[status.Snapshot]
	analyzer []metric[status.Analyzer]
}

var _ prometheus.Collector = (*collector)(nil)

// metric is one name and where its value stands in a T.
type metric[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

func gauge[T any](name, help string, labels []string, value func(T) float64) metric[T] {
	return metric[T]{prometheus.NewDesc("labcourier_"+name, help, labels, nil), prometheus.GaugeValue, value}
}

func counter[T any](name, help string, labels []string, value func(T) float64) metric[T] {
	return metric[T]{prometheus.NewDesc("labcourier_"+name+"_total", help, labels, nil), prometheus.CounterValue, value}
}

// Describe sends nothing: which analyzers there are is known only at a scrape,
// and a reload may change it.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect takes one snapshot and sends all of it.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.source.Snapshot()
	ch <- prometheus.MustNewConstMetric(buildInfo(), prometheus.GaugeValue, 1, s.Agent.Version)
	ch <- prometheus.MustNewConstMetric(readyInfo(), prometheus.GaugeValue, flag(c.source.Ready() == nil))
	ch <- prometheus.MustNewConstMetric(authInfo(), prometheus.GaugeValue, 1, s.Server.Auth.Method)
	for _, cause := range []status.Cause{status.CauseNetwork, status.CauseServer, status.CauseCredentials, status.CauseForbidden} {
		ch <- prometheus.MustNewConstMetric(waitingInfo(), prometheus.GaugeValue, flag(s.Server.WaitingCause == cause), string(cause))
	}
	for _, m := range c.agent {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
	for _, a := range s.Analyzers {
		for _, m := range c.analyzer {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(a), a.Name, a.Driver)
		}
		for name, n := range a.Counters {
			if what, lie := strings.CutPrefix(name, "files_"); lie { // a state, not a count
				ch <- prometheus.MustNewConstMetric(folderFiles(), prometheus.GaugeValue, float64(n), a.Name, a.Driver, what)
				continue
			}
			ch <- prometheus.MustNewConstMetric(driverEvents(), prometheus.CounterValue, float64(n), a.Name, a.Driver, name)
		}
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func at(t status.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
