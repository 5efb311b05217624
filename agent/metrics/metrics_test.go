package metrics_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/labcourier/labcourier/agent/metrics"
	"github.com/labcourier/labcourier/agent/status"
)

type fakeSource struct {
	snapshot status.Snapshot
	ready    error
}

func (f fakeSource) Snapshot() status.Snapshot { return f.snapshot }
func (f fakeSource) Ready() error              { return f.ready }

func some() fakeSource {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 500e6, time.UTC)
	return fakeSource{status.Snapshot{
		Agent:  status.Agent{Name: "lab", Version: "1.2.3", Started: status.At(noon)},
		Config: status.Config{Loaded: status.At(noon), Refused: true, Reloads: 5, ReloadsRefused: 2, RestartNeeded: []string{"[agent] name"}},
		Server: status.Upstream{
			Reachable: true, WaitingCause: status.CauseForbidden,
			Auth: status.Auth{Method: "basic", Fallback: true},
		},
		Spool: status.Spool{Accepting: true, Bytes: 4096, DiskFree: 1 << 40},
		Analyzers: []status.Analyzer{
			{Name: "xn", Driver: "astm", Link: status.LinkConnected, Acknowledged: 7, Delivered: 5, Queued: 2, OldestWaiting: 31,
				Counters: map[string]uint64{"bad_checksum": 3, "files_waiting": 4}},
			{Name: "gas\"\n", Driver: "hl7", Link: status.LinkDown, Parked: 1},
		},
	}, errors.New("gas: not open")}
}

func scrape(t *testing.T, s status.Source, accept string) (string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	metrics.Handler(s).ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", w.Code, err, body)
	}
	return string(body), w.Result().Header
}

func TestScrape(t *testing.T) {
	got, _ := scrape(t, some(), "text/plain")
	for _, line := range []string{
		`labcourier_build_info{version="1.2.3"} 1`,
		`labcourier_ready 0`,
		`labcourier_start_timestamp_seconds 1.7953488005e+09`,
		`labcourier_config_last_reload_successful 0`,
		`labcourier_config_last_reload_success_timestamp_seconds 1.7953488005e+09`,
		`labcourier_config_reloads_total 5`,
		`labcourier_config_reloads_refused_total 2`,
		`labcourier_config_restart_needed 1`,
		`labcourier_server_reachable 1`,
		`labcourier_server_last_success_timestamp_seconds 0`,
		`labcourier_server_waiting{cause="forbidden"} 1`,
		`labcourier_server_waiting{cause="network"} 0`,
		`labcourier_auth_method_info{method="basic"} 1`,
		`labcourier_auth_fallback 1`,
		`labcourier_spool_file_bytes 4096`,
		`labcourier_analyzer_connected{analyzer="xn",driver="astm"} 1`,
		`labcourier_analyzer_messages_acknowledged_total{analyzer="xn",driver="astm"} 7`,
		`labcourier_analyzer_messages_queued{analyzer="xn",driver="astm"} 2`,
		`labcourier_analyzer_oldest_queued_seconds{analyzer="xn",driver="astm"} 31`,
		`labcourier_analyzer_driver_events_total{analyzer="xn",driver="astm",event="bad_checksum"} 3`,
		`labcourier_analyzer_folder_files{analyzer="xn",driver="astm",state="waiting"} 4`,
		`labcourier_analyzer_link_down{analyzer="gas\"\n",driver="hl7"} 1`,
		`labcourier_analyzer_messages_parked{analyzer="gas\"\n",driver="hl7"} 1`,
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

func TestOpenMetrics(t *testing.T) {
	got, header := scrape(t, some(), "application/openmetrics-text; version=1.0.0")
	if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") {
		t.Errorf("content type %s", kind)
	}
	if !strings.HasSuffix(got, "# EOF\n") || strings.Count(got, "# EOF") != 1 {
		t.Error("the text does not end with # EOF")
	}
	const name = "labcourier_analyzer_messages_acknowledged"
	if !strings.Contains(got, "\n# TYPE "+name+" counter\n") || !strings.Contains(got, "\n"+name+`_total{analyzer="xn",driver="astm"} 7`+"\n") {
		t.Error("a counter is not named as OpenMetrics wants it")
	}
}

// TestParsed lets the parser of Prometheus' own libraries read it.
func TestParsed(t *testing.T) {
	s := some()
	s.snapshot.Analyzers[1].Name = "a\\b\"c\nd\xffe"
	got, header := scrape(t, s, "")
	if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("content type %s", kind)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	parked := found["labcourier_analyzer_messages_parked"]
	if parked.GetType() != dto.MetricType_GAUGE || len(parked.GetMetric()) != 2 {
		t.Fatalf("%v", parked)
	}
	m := parked.GetMetric()[1]
	if m.GetGauge().GetValue() != 1 || m.GetLabel()[0].GetValue() != "a\\b\"c\nd\uFFFDe" {
		t.Errorf("%v", m)
	}
	for _, name := range []string{"process_resident_memory_bytes", "process_open_fds", "go_goroutines"} {
		if found[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

// TestConventions holds the names to the rules of Prometheus itself.
func TestConventions(t *testing.T) {
	got, _ := scrape(t, some(), "text/plain")
	problems, err := promlint.New(strings.NewReader(got)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "labcourier_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestWatchers finds every name that the shipped rules and dashboard use among
// those that are served.
func TestWatchers(t *testing.T) {
	served, _ := scrape(t, some(), "text/plain")
	names := regexp.MustCompile(`\blabcourier_[a-z0-9_]+`)
	for _, file := range []string{
		"prometheus/labcourier-alerts.yml", "prometheus/labcourier-alerts_test.yml", "grafana/labcourier-dashboard.json",
	} {
		text, err := os.ReadFile(filepath.Join("../../configs", file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is not JSON", file)
		}
		used := names.FindAllString(string(text), -1)
		if len(used) == 0 {
			t.Errorf("%s watches nothing", file)
		}
		for _, name := range used {
			if !strings.Contains(served, "# TYPE "+name+" ") {
				t.Errorf("%s: %s is not served", file, name)
			}
		}
	}
}

// TestRules lets promtool judge the alert rules and run their unit tests.
func TestRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	for _, args := range [][]string{
		{"check", "rules", "labcourier-alerts.yml"},
		{"test", "rules", "labcourier-alerts_test.yml"},
	} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = "../../configs/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
