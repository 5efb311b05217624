package metrics

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"

	process "github.com/VictoriaMetrics/metrics"

	"github.com/labcourier/labcourier/agent/status"
)

// Handler serves what source tells, and what the Go runtime and the operating
// system say of this process. A reader that asks for OpenMetrics gets it.
func Handler(source status.Source) http.Handler {
	agent, analyzer := agentMetrics(), analyzerMetrics()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text")
		var text bytes.Buffer
		for _, f := range families(source, agent, analyzer) {
			f.write(&text, open)
		}
		process.WriteProcessMetrics(&text)
		process.WriteFDMetrics(&text)
		kind := "text/plain; version=0.0.4; charset=utf-8"
		if open {
			text.WriteString("# EOF\n")
			kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(text.Bytes()) // a reader who hung up will come again
	})
}

// metric is one name and where its value stands in a T.
type metric[T any] struct {
	name, help string
	kind       kind
	value      func(T) float64
}

func gauge[T any](name, help string, value func(T) float64) metric[T] {
	return metric[T]{"labcourier_" + name, help, gaugeKind, value}
}

func counter[T any](name, help string, value func(T) float64) metric[T] {
	return metric[T]{"labcourier_" + name + "_total", help, counterKind, value}
}

// families takes one snapshot and puts all of it into words.
func families(source status.Source, agent []metric[status.Snapshot], analyzer []metric[status.Analyzer]) []family {
	s := source.Snapshot()
	waits := family{name: "labcourier_server_waiting", help: "1 while deliveries to the server wait for this cause.", kind: gaugeKind}
	for _, cause := range []status.Cause{status.CauseNetwork, status.CauseServer, status.CauseCredentials, status.CauseForbidden} {
		waits.add(flag(s.Server.WaitingCause == cause), "cause", string(cause))
	}
	all := []family{
		one("labcourier_build_info", "Always 1; the version is in the label.", 1, "version", s.Agent.Version),
		one("labcourier_ready", "1 while every listener is open and the spool accepts.", flag(source.Ready() == nil)),
		one("labcourier_auth_method_info", "Always 1; how the agent signs in now is in the label.", 1, "method", s.Server.Auth.Method),
		waits,
	}
	for _, m := range agent {
		f := family{name: m.name, help: m.help, kind: m.kind}
		f.add(m.value(s))
		all = append(all, f)
	}
	for _, m := range analyzer {
		f := family{name: m.name, help: m.help, kind: m.kind}
		for _, a := range s.Analyzers {
			f.add(m.value(a), "analyzer", a.Name, "driver", a.Driver)
		}
		all = append(all, f)
	}
	return append(all, counted(s.Analyzers)...)
}

// counted is what drivers count by names of their own.
func counted(analyzers []status.Analyzer) []family {
	events := family{name: "labcourier_analyzer_driver_events_total", kind: counterKind,
		help: "What the driver of the analyzer counts, by name, since the agent started."}
	files := family{name: "labcourier_analyzer_folder_files", kind: gaugeKind,
		help: "Files that lie in the analyzer's folder, by state: waiting is all of them, the others say why some stay."}
	for _, a := range analyzers {
		for _, name := range slices.Sorted(maps.Keys(a.Counters)) {
			n := float64(a.Counters[name])
			if what, lie := strings.CutPrefix(name, "files_"); lie { // a state, not a count
				files.add(n, "analyzer", a.Name, "driver", a.Driver, "state", what)
				continue
			}
			events.add(n, "analyzer", a.Name, "driver", a.Driver, "event", name)
		}
	}
	return []family{events, files}
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
