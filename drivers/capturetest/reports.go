package capturetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
)

// Report is a drivers.Report in short.
type Report struct {
	Purpose  string `json:"purpose"`
	Held     bool   `json:"held"`
	Sender   string `json:"sender"`
	Specimen string `json:"specimen"`

	// Results are: test code, value, comparator and number (or "absent"), unit,
	// reference ranges, flags, status, time of completion as sent.
	Results []string `json:"results"`
}

// Short shortens reports.
func Short(reports []drivers.Report) []Report {
	list := make([]Report, 0, len(reports))
	for _, r := range reports {
		s := Report{Purpose: string(r.Purpose), Held: r.Hold != "", Sender: r.Sender.Name, Specimen: r.Specimen.ID, Results: []string{}}
		for _, res := range r.Results {
			number := res.Value.Comparator + res.Value.Number
			if res.Value.Absent != "" {
				number = "absent"
			}
			s.Results = append(s.Results, strings.Join([]string{res.Test.Code, res.Value.Text, number, res.Unit,
				strings.Join(res.Range, " ~ "), strings.Join(res.Flags, " ~ "), string(res.Status), res.Completed.Text}, " | "))
		}
		list = append(list, s)
	}
	return list
}

// Compare compares got with the expected JSON of that capture.
func Compare(t *testing.T, capture string, got any) {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(capture), ".bin") + ".json"
	raw, err := os.ReadFile(filepath.Join("testdata", "captures", name))
	if err != nil {
		t.Fatal(err)
	}
	var want, have any
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	written, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(written, &have); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s, -want +got:\n%s", name, diff)
	}
}

// Settled checks what must hold of every message that was acknowledged: it was
// read into reports of which each is delivered, kept for what it is, or held for a
// person with the reason; or it was not read, and then the error is the reason.
func Settled(t *testing.T, parse func([]byte, drivers.ParseOptions) ([]drivers.Report, error), payload string) []drivers.Report {
	t.Helper()
	reports, err := parse([]byte(payload), drivers.ParseOptions{})
	switch {
	case err != nil && err.Error() == "":
		t.Error("parked without a reason")
	case err == nil && len(reports) == 0:
		t.Error("acknowledged, and neither read nor parked")
	}
	for _, r := range reports {
		switch {
		case r.Purpose == "":
			t.Errorf("report %d is for nothing that has a name", r.Index)
		case r.Purpose != drivers.ForPatient && r.PurposeReason == "":
			t.Errorf("report %d is kept back without a reason", r.Index)
		case r.Purpose == drivers.ForPatient && r.Hold == "" && r.Specimen.ID == "":
			t.Errorf("report %d is passed on without a specimen", r.Index)
		}
	}
	return reports
}
