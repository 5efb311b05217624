package validate

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	chromepage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/labcourier/labcourier/agent/pagetest"
)

// sample has an item with each verdict, and text that would break a careless page.
func sample() *Report {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	r := &Report{Head: Head{
		Agent: "core-lab-1", Version: "1.2.3", Revision: "abc", Platform: "linux/amd64", Host: "lab-pc", User: "lab", Config: "/etc/labcourier/labcourier.toml",
		Digest: strings.Repeat("ab", 32), Analyzer: "xn-550", Driver: "astm", Server: "https://fhir.example.org/R4", SignIn: "oauth2",
		Selection: "the last 7", Started: at, Ended: at, MappedBy: []string{"1.2.3"},
	}}
	for n, v := range Verdicts() {
		m := Message{Number: uint64(n + 1), Received: at, Delivered: at, Bytes: 300, SHA256: strings.Repeat("cd", 32), State: "delivered", Verdict: Skipped}
		m.add(Item{Kind: KindReport, Order: 1, Test: "(report)", Resource: "DiagnosticReport/1", Verdict: Equal, Fields: []Field{
			{Name: "specimen id", Sent: "=HYPERLINK(1)", Held: "=HYPERLINK(1)", Verdict: Equal},
			{Name: "patient", Sent: "P-1", Verdict: Skipped, Remark: "never from the analyzer"},
		}})
		for res := 1; res <= 12; res++ {
			m.add(Item{Kind: KindResult, Order: 1, Result: res, Test: "<b>GLU</b>", Resource: "Observation/17/_history/1", Verdict: v, Remark: "why", Fields: []Field{
				{Name: "specimen id", Sent: "S-1", Held: "S-1", Verdict: Equal}, {Name: "test", Sent: "<b>GLU</b>", Held: "LOINC 2345-7, <b>GLU</b>", Verdict: Equal},
				{Name: "value", Sent: "-5.10", Held: "-5.1", Verdict: v}, {Name: "unit", Sent: "mmol/L", Held: "mmol/L (UCUM mmol/L)", Verdict: Equal},
				{Name: "received", Sent: "2026-11-22T08:00:00.000Z", Held: "2026-11-22T08:00:00.000Z", Verdict: Equal},
				{Name: "sub-id", Sent: "1", Held: "2", Verdict: v},
			}})
		}
		r.Messages = append(r.Messages, m)
	}
	r.Messages = append(r.Messages, Message{Number: 9, Received: at, State: "parked", Verdict: Skipped, Remark: "parked: order 2 has no specimen id"})
	r.count()
	return r
}

// TestCSV: every row has all columns, and no cell is a formula, and what was
// guarded can be had back.
func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := sample().WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\r\n") {
		t.Error("lines do not end in CRLF")
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 7*(2+12*6) + 1; len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	guarded, negative := 0, 0
	for _, row := range rows {
		for i, cell := range row {
			if formula(cell) {
				t.Errorf("a formula: %q", cell)
			}
			if cell == "-5.10" {
				negative++
			}
			if strings.HasPrefix(cell, "'=") {
				guarded++
				if !strings.Contains(" "+row[len(row)-1]+" ", " "+rows[0][i]+" ") {
					t.Errorf("%q is not told as guarded in %q", cell, row)
				}
			}
		}
	}
	if guarded != 14 || negative != 7*12 {
		t.Errorf("%d guarded, %d negative numbers", guarded, negative)
	}
}

func TestFormula(t *testing.T) {
	for cell, want := range map[string]bool{
		"": false, "5.10": false, "-5.10": false, "+3": false, "<0.1": false, "'x": false, "a=b": false,
		"=1+1": true, "+1+1": true, "-1-1": true, "@SUM(1)": true, "\t=1": true, "-": true, "+": true, "-1.2.3": true, "-1e5": true, "--": true,
	} {
		if formula(cell) != want {
			t.Errorf("%q: %v", cell, !want)
		}
	}
}

// TestPage: it is one file, nothing in it is taken for markup, and every verdict
// stands in words.
func TestPage(t *testing.T) {
	var out bytes.Buffer
	if err := sample().WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, bad := range []string{"<script", "<b>", "src=", "href=", "url(", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	for _, v := range Verdicts() {
		if !strings.Contains(text, mark(v)+string(v)) {
			t.Errorf("no %s", v)
		}
	}
}

// TestPageInBrowser prints the page in a real browser, and lets axe judge it.
func TestPageInBrowser(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := sample().WriteHTML(w); err != nil {
			t.Error(err)
		}
	}))
	defer site.Close()
	b := pagetest.Open(t)
	b.Do(chromedp.Navigate(site.URL), chromedp.WaitVisible("h1", chromedp.ByQuery))
	b.Axe("report")
	b.Picture("validation")
	b.Do(emulation.SetEmulatedMedia().WithMedia("print"))
	b.Axe("report, printed")
	b.Do(chromedp.ActionFunc(func(ctx context.Context) error {
		pdf, _, err := chromepage.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
		if err != nil {
			return err
		}
		if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages < 2 {
			t.Errorf("%d pages", pages)
		}
		if folder := os.Getenv("LABCOURIER_PICTURES"); folder != "" {
			return os.WriteFile(filepath.Join(folder, "validation.pdf"), pdf, 0o600)
		}
		return nil
	}))
}
