package text_test

import (
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/text"
)

// A message that is made up for a stanza is read back as what it was made of.
func TestRender(t *testing.T) {
	number := func(s string) drivers.Value { return drivers.Value{Text: s, Number: s} }
	at := drivers.Time{Value: time.Date(2026, 11, 22, 8, 15, 0, 0, time.UTC), Precision: drivers.Second}
	report := drivers.Report{Specimen: drivers.Specimen{ID: "SIM-1"}, Results: []drivers.Result{
		{Test: drivers.Code{Code: "WBC"}, Value: number("6.4"), Unit: "10*3/uL", Completed: at, Status: drivers.StatusFinal},
		{Test: drivers.Code{Code: "RBC"}, Value: number("4.52"), Unit: "10*6/uL", Completed: at, Status: drivers.StatusFinal},
	}}
	for _, c := range []struct {
		stanza  string
		results int // 0: it cannot be done
		holds   string
	}{
		{"csv-printer", 1, "6,4"},
		{"csv-folder", 2, "2026-11-22 08:15"},
		{"mini-vidas", 2, "\x1eciSIM-1"},
		{"kx-21", 2, "D1U"},
		{"rapidlab-348", 0, ""},
		{"tosoh-g8", 0, ""},
		{"xml-export", 0, ""},
	} {
		t.Run(c.stanza, func(t *testing.T) {
			s, err := text.NewSender(options(t, c.stanza))
			if err != nil {
				t.Fatal(err)
			}
			message, results, err := s.Render(report)
			if c.results == 0 {
				if err == nil {
					t.Fatalf("made up %q", message)
				}
				return
			}
			if err != nil || results != c.results || !strings.Contains(string(message), c.holds) {
				t.Fatalf("%d results, %v in %q", results, err, message)
			}
			again, err := text.Parse(message, drivers.ParseOptions{Section: section(t, c.stanza)})
			if err != nil || len(again) != 1 || len(again[0].Results) < c.results || again[0].Specimen.ID != "SIM-1" {
				t.Fatalf("%+v, %v", again, err)
			}
			for i, r := range again[0].Results[:c.results] {
				if r.Value.Number != report.Results[i].Value.Number || !r.Completed.Known() {
					t.Errorf("result %d: %+v", i+1, r)
				}
			}
		})
	}
	s, err := text.NewSender(options(t, "kx-21"))
	if err != nil {
		t.Fatal(err)
	}
	report.Specimen.ID = strings.Repeat("9", 40)
	if message, _, err := s.Render(report); err == nil {
		t.Errorf("an id that does not fit was made %q", message)
	}
}

// What is made up is read back, or refused; nothing panics.
func FuzzRender(f *testing.F) {
	stanzas := []string{"csv-printer", "csv-folder", "mini-vidas", "kx-21"}
	f.Add(uint8(0), "S-1", "WBC", "6.4")
	f.Add(uint8(3), "S-1", "RBC", "4.525")
	f.Add(uint8(1), "S;\"1", "A\rB", "<1")
	f.Fuzz(func(t *testing.T, which uint8, id, test, number string) {
		o := options(t, stanzas[int(which)%len(stanzas)])
		s, err := text.NewSender(o)
		if err != nil {
			t.Fatal(err)
		}
		message, results, err := s.Render(drivers.Report{Specimen: drivers.Specimen{ID: id}, Results: []drivers.Result{
			{Test: drivers.Code{Code: test}, Value: drivers.Value{Text: number, Number: number}},
		}})
		if err != nil {
			return
		}
		again, err := text.Parse(message, drivers.ParseOptions{Section: with(o)})
		if err != nil || len(again) != 1 || again[0].Specimen.ID != id || len(again[0].Results) < results {
			t.Errorf("%q of %q, %q, %q: %+v, %v", message, id, test, number, again, err)
		}
	})
}
