package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/labcourier/labcourier/drivers/anonymise"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/capturetest"
	"github.com/labcourier/labcourier/drivers/detect"
	"github.com/labcourier/labcourier/drivers/trace"
)

// Every capture comes out as long as it was, says the same, and no longer holds
// what named somebody.
func TestAnonymiseCaptures(t *testing.T) {
	root := capturetest.Root(t)
	files, err := filepath.Glob(filepath.Join(root, "*", "*.bin"))
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{
		"mindray_bs-chemistry_1.bin":              true, // empty
		"siemens_clinitek-status_1.bin":           true, // a dump, read as nothing
		"lis2-a2-standard-example_example1_1.bin": true, // a dump
	}
	changed := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cryptotest.SetGlobalRandom(t, 1) // a pseudonym may have any few letters in it
			c, err := newAnonymiser("", "", "", "")
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.run(raw)
			if err != nil {
				if !refused[filepath.Base(file)] {
					t.Error(err)
				}
				return
			}
			if len(out) != len(raw) {
				t.Fatalf("%d bytes, were %d", len(out), len(raw))
			}
			if frameFaults(out) != frameFaults(raw) {
				t.Errorf("checksums: %s, were %s", frameFaults(out), frameFaults(raw))
			}
			reports, err := c.read(raw)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range anonymise.Identifying(reports) {
				plain := regexp.MustCompile(`[A-Za-z0-9]`).FindAllString(v, -1)
				if len(plain) < 4 || strings.HasPrefix(v, "$SYS") {
					continue // it may well be somewhere else too
				}
				changed++
				whole := regexp.MustCompile(`(?:^|[^A-Za-z0-9])` + regexp.QuoteMeta(v) + `(?:[^A-Za-z0-9]|$)`)
				if whole.Match(out) {
					t.Errorf("a value of %d bytes is still there", len(v))
				}
			}
		})
	}
	if changed < 50 {
		t.Errorf("only %d values were looked for: this test shows nothing", changed)
	}
}

// frameFaults is what is wrong with the frames of a capture.
func frameFaults(raw []byte) string {
	var all []string
	d := astm.Decoder{}
	for len(raw) > 0 {
		n, f, done := d.Feed(raw)
		raw = raw[n:]
		if done {
			all = append(all, string(f.Fault))
		}
	}
	return strings.Join(all, ";")
}

// A recording keeps its events and times; what was cut in the middle of a field
// is replaced all the same, and both sides get the same names.
func TestAnonymiseTrace(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	began := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	h := trace.Header{Began: began, Name: "a"}
	said := []byte("\x05" + string(astm.AppendFrame(nil, 1, []byte("H|\\^&|||XN\rP|1|PAT123456||X|MUSTER^ANNA||19700102|F\rO|1|SPEC"), false)) +
		string(astm.AppendFrame(nil, 2, []byte("987654^B||^^^WBC|R\rR|1|^^^WBC|5.4|||||F\rL|1|N\r"), true)) + "\x04")
	raw := trace.AppendHeader(nil, h)
	for i := range said { // byte by byte
		raw = trace.AppendEvent(raw, began, trace.Event{At: began.Add(time.Duration(i) * time.Millisecond), Conn: 1, Kind: trace.Data, From: trace.Analyzer, Data: said[i : i+1]})
	}
	answer := astm.AppendFrame(nil, 1, []byte("H|\\^&\rO|1|SPEC987654||^^^WBC\rL|1|N\r"), true)
	raw = trace.AppendEvent(raw, began, trace.Event{At: began, Conn: 1, Kind: trace.Data, From: trace.Host, Data: answer})
	c, err := newAnonymiser("", "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.run(raw)
	if err != nil {
		t.Fatal(err)
	}
	_, before, _ := trace.ReadAll(bytes.NewReader(raw))
	_, after, err := trace.ReadAll(bytes.NewReader(out))
	if err != nil || len(before) != len(after) {
		t.Fatalf("%d events, were %d: %v", len(after), len(before), err)
	}
	for i := range before {
		if !before[i].At.Equal(after[i].At) || len(before[i].Data) != len(after[i].Data) {
			t.Fatalf("event %d: %+v, was %+v", i, after[i], before[i])
		}
	}
	analyzer, host := trace.Sent(after, trace.Analyzer)[0].Data, trace.Sent(after, trace.Host)[0].Data
	text := string(analyzer) + string(host)
	for _, gone := range []string{"PAT1", "MUSTER", "ANNA", "19700102", "SPEC", "987654"} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is still there: %q", gone, text)
		}
	}
	reports, err := c.read(analyzer)
	if err != nil || len(reports) != 1 || reports[0].Patient.Sex != "F" || !reports[0].Patient.Birth.Known() {
		t.Fatalf("%+v, %v", reports, err)
	}
	if id := reports[0].Specimen.ID; len(id) != 10 || !strings.Contains(string(host), id) {
		t.Errorf("the host's %q does not name %s", host, id)
	}
	if frameFaults(analyzer) != ";" || frameFaults(host) != "" {
		t.Errorf("checksums: %q %q", frameFaults(analyzer), frameFaults(host))
	}
}

// What is on a page about POCT1-A, and names in letters of other countries.
func TestAnonymiseElsewhere(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1) // the short words below may be in another key's pseudonyms
	for _, c := range []struct{ driver, raw, kept string }{
		{"poct", `<OBS.R01><SVC><SVC.role_cd V="OBS"/><PT><PT.patient_id V="4711-22"/><PT.name V="x"><FAM V="Muster"/><GIV V='Änne&amp;Co'/></PT.name><PT.gender_cd V="F"/><OBS><OBS.value V="5.40"/></OBS></PT><OPR><OPR.operator_id V="meier"/></OPR><ORD><ORD.order_id V="S-900177"/></ORD><NTE><NTE.text>call Dr Meier</NTE.text></NTE></SVC></OBS.R01>`,
			`V="F"/><OBS><OBS.value V="5.40"/></OBS></PT>`},
		{"hl7", "\x0bMSH|^~\\&|A|B||||||1|P|2.5.1||||||UNICODE UTF-8\rPID|1||4711-22^^^Muster&1.2||Muster^Änne^\\T\\||19700102|F\rOBR|1||S-900177|GLU\rOBX|1|NM|GLU||5.40|mmol/L|||||F|||||meier\rNTE|1|L|call Dr Meier\rZPI|1|4711-22\r\x1c\r",
			"OBX|1|NM|GLU||5.40|mmol/L"},
	} {
		m, err := anonymise.New()
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Stream(c.driver, []byte(c.raw))
		if err != nil || len(out) != len(c.raw) || !strings.Contains(string(out), c.kept) {
			t.Errorf("%s: %d bytes of %d: %q, %v", c.driver, len(out), len(c.raw), out, err)
		}
		for _, gone := range []string{"4711", "Muster", "nne", "Änn", "eier", "900177", "call", "19700102"} {
			if strings.Contains(string(out), gone) {
				t.Errorf("%s: %s is still there: %q", c.driver, gone, out)
			}
		}
		if f := detect.Look(out); f.Driver != c.driver {
			t.Errorf("taken for %q afterwards", f.Driver)
		}
	}
}

func FuzzAnonymise(f *testing.F) {
	f.Add("astm", []byte("\x05\x021H|\\^&\rP|1|A&S&B\r\x03E5\r\n"))
	f.Add("hl7", []byte("\x0bMSH|^~\\&|A\rPID|1||\\X41\\^x\r\x1c\r"))
	f.Add("poct", []byte(`<OBS.R01><PT><PT.name V="&amp;"/></PT></OBS.R01>`))
	f.Fuzz(func(t *testing.T, driver string, raw []byte) {
		m, err := anonymise.New()
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Stream(driver, raw)
		if err == nil && len(out) != len(raw) {
			t.Errorf("%d bytes, were %d", len(out), len(raw))
		}
	})
}
