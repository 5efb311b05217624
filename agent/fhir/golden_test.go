package fhir

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

const testKey = "0123456789abcdef"

func testMapper() *Mapper {
	return NewMapper(Options{AgentName: "core-lab-1", Version: "0.1.0"})
}

type goldenReport struct {
	Source   Source           `json:"source"`
	Received time.Time        `json:"received"`
	Reports  []drivers.Report `json:"reports"`
}

type goldenPlan struct {
	Held  []string `json:"held"`
	Kept  []string `json:"kept"`
	Steps []struct {
		Name   string          `json:"name"`
		Bundle json.RawMessage `json:"bundle"`
	} `json:"steps"`
}

// TestGolden compares plans with files that were written by reading the rules
// of the package comment, and not by this package. In them "{uuid system|value}"
// stands for the UUID of an identifier; a server is imagined that numbers the
// resources of each type from 1.
func TestGolden(t *testing.T) {
	dirs, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no golden folders: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			in := readGoldenReport(t, filepath.Join(dir, "report.json"))
			want := readGoldenPlan(t, filepath.Join(dir, "plan.json"))
			got, err := testMapper().Plan(in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.Held, append([]string{}, got.Held...)); d != "" {
				t.Errorf("held (-want +got):\n%s", d)
			}
			if d := cmp.Diff(want.Kept, append([]string{}, got.Kept...)); d != "" {
				t.Errorf("kept (-want +got):\n%s", d)
			}
			compareSteps(t, want, got)
		})
	}
}

var seriesIdentifiers = regexp.MustCompile(`,\{"type":\{"text":"Test series"\},"system":"urn:labcourier:series","value":"[0-9a-f]{64}"\}`)

func compareSteps(t *testing.T, want goldenPlan, got Plan) {
	t.Helper()
	if len(got.Steps) != len(want.Steps) {
		t.Fatalf("got %d steps, want %d", len(got.Steps), len(want.Steps))
	}
	resolved := map[string]string{}
	count := map[string]int{}
	for i, step := range got.Steps {
		if step.Name != want.Steps[i].Name {
			t.Errorf("step %d is %q, want %q", i, step.Name, want.Steps[i].Name)
		}
		raw, err := step.Bundle(resolved)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, want.Steps[i].Bundle); err != nil {
			t.Fatal(err)
		}
		raw = seriesIdentifiers.ReplaceAll(raw, nil) // digests: TestSeries is about them
		if !bytes.Equal(raw, compact.Bytes()) {
			t.Errorf("step %d %s differs (-want +got):\n%s", i, step.Name, cmp.Diff(indent(t, compact.Bytes()), indent(t, raw)))
		}
		for _, e := range step.Entries {
			count[e.Type]++
			resolved[e.FullURL] = e.Type + "/" + strconv.Itoa(count[e.Type])
		}
	}
}

func readGoldenReport(t testing.TB, path string) Input {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var g goldenReport
	if err := dec.Decode(&g); err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return Input{Key: testKey, Received: g.Received, Source: g.Source, Reports: g.Reports}
}

func readGoldenPlan(t *testing.T, path string) goldenPlan {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw = regexp.MustCompile(`\{uuid ([^|}]*)\|([^}]*)\}`).ReplaceAllFunc(raw, func(m []byte) []byte {
		id := bytes.TrimSuffix(bytes.TrimPrefix(m, []byte("{uuid ")), []byte("}"))
		system, value, _ := bytes.Cut(id, []byte("|"))
		return []byte(fullURL(string(system), string(value)))
	})
	var g goldenPlan
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return g
}

func indent(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", " "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
