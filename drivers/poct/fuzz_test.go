package poct

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labcourier/labcourier/drivers"
)

func seeds() []string {
	return []string{
		hel("START_CONTINUOUS") + dst("1") + obs("7") + msg("EOT.R01", "8", "") + msg("END.R01", "9", ""),
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<OBS.R01><!-- <a> --><SVC a='>'><![CDATA[]]]]></SVC></OBS.R01>",
		"noise << <1 </a> <a><?xml?><OBS.R01><b><KPA.R01/><!DOCTYPE a>",
		`<OBS.R01><HDR><HDR.control_id V="1"/></HDR><SVC><SVC.role_cd V="OBS"/><SVC.observation_dttm V="2026-11-22T08:15:00Z"/><PT><PT.name>x&amp;y</PT.name><OBS><OBS.observation_id V="a" SN="LN"/><OBS.value V="&lt;5" U="g"/><OBS.normal_lo-hi_limit V="[1;]"/><NTE><NTE.text V="n"/></NTE></OBS></PT></SVC></OBS.R01>`,
		"<OBS.R01>" + strings.Repeat("<a>", 40),
	}
}

// FuzzSplitter: however the bytes are split, the same documents come out; and a
// document that XML calls one is found as one.
func FuzzSplitter(f *testing.F) {
	for i, s := range seeds() {
		f.Add([]byte(s), uint8(i))
	}
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		run := func(step int) (out []string) {
			s := Splitter{Max: 256}
			for p := range slices.Chunk(raw, step) {
				for len(p) > 0 {
					n, d, done := s.Feed(p)
					p = p[n:]
					if done {
						out = append(out, string(d.Raw)+string(d.Fault))
						if d.Fault.Fatal() {
							return out
						}
					}
				}
				if cap(s.buf) > 4096 {
					t.Fatalf("holds %d bytes", cap(s.buf))
				}
			}
			return append(out, string(s.Rest()))
		}
		if whole, split := run(len(raw)+1), run(int(step)+1); !slices.Equal(whole, split) {
			t.Errorf("whole %q\nsplit %q", whole, split)
		}
	})
}

// FuzzDocument: what encoding/xml takes for a document, and has no DTD in it, the
// splitter finds as one.
func FuzzDocument(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := readDocument(raw, nil); err != nil || !strict(raw) || len(raw) == 0 || raw[0] != '<' {
			return
		}
		var s Splitter
		n, d, done := s.Feed(raw)
		if done && d.Fault == FaultCut || bytes.Contains(raw[1:], []byte("<?xml")) {
			return // a message within a message is well-formed XML, and no POCT1-A2
		}
		if !done || d.Fault != FaultNone || len(bytes.TrimSpace(raw[n:])) > 0 && !bytes.Contains(raw[n:], []byte("<")) {
			t.Errorf("%q: %d of %d bytes, %v %q", raw, n, len(raw), done, d.Fault)
		}
	})
}

// strict reports whether raw is well-formed also in its attributes' names.
func strict(raw []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		if _, err := d.Token(); err != nil {
			return err.Error() == "EOF"
		}
	}
}

// FuzzLink: no order of bytes, silences and failed stores makes the link
// acknowledge what it could not store, panic, or hoard; what it sends is XML.
func FuzzLink(f *testing.F) {
	for i, s := range seeds() {
		f.Add([]byte(s), uint8(i*37))
	}
	f.Fuzz(func(t *testing.T, raw []byte, script uint8) {
		b := newBench(t, Options{MaxMessage: 1024, SetClock: script&64 != 0})
		for i := 0; len(raw) > 0; i++ {
			n := min(len(raw), 1+i*int(script&7))
			b.fail = int(script >> 3 & 1)
			before := len(b.log)
			b.feed(string(raw[:n]))
			raw = raw[n:]
			if script&16 != 0 && i%5 == 4 {
				b.silence()
			}
			for j := before; j < len(b.log); j++ {
				if b.log[j] == "whole" && !slices.ContainsFunc(b.log[before:j], func(s string) bool { return strings.HasPrefix(s, "complete:") }) {
					t.Fatalf("acknowledged without storing: %q", b.log)
				}
			}
		}
		b.do(b.link.HangUp(b.now))
		if b.link.split.Inside() {
			t.Error("something is left")
		}
	})
}

// FuzzParse: any bytes make reports of valid text or an error, never a panic.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		reports, err := Parse(payload, drivers.ParseOptions{})
		if (err == nil) == (len(reports) == 0) {
			t.Fatalf("%d reports, %v", len(reports), err)
		}
		for i, rep := range reports {
			if rep.Index != i || rep.Purpose == "" || rep.Purpose == drivers.ForPatient && rep.Specimen.ID == "" && rep.Hold == "" {
				t.Errorf("report %d: %+v", i, rep)
			}
			for j, r := range rep.Results {
				if r.Index != j || r.Status == "" {
					t.Errorf("result %d: %+v", j, r)
				}
				for _, s := range append([]string{r.Value.Text, r.Test.Code, r.Unit, r.Operator, rep.Patient.Name}, r.Flags...) {
					if !utf8.ValidString(s) || s != strings.TrimSpace(s) {
						t.Errorf("text %q", s)
					}
				}
			}
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	raw := bytes.Repeat([]byte(seeds()[3]+"\r\n"), 2000)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var s Splitter
		for p := raw; len(p) > 0; {
			n, _, _ := s.Feed(p)
			p = p[n:]
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(seeds()[3])
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, drivers.ParseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
