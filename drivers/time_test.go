package drivers

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text      string
		want      string // RFC 3339, "" for none
		precision Precision
		ambiguous bool
		bad       bool
	}{
		{text: ""},
		{text: "2026", want: "2026-01-01T00:00:00+01:00", precision: Year},
		{text: "202607", want: "2026-07-01T00:00:00+02:00", precision: Month},
		{text: "20260722", want: "2026-07-22T00:00:00+02:00", precision: Day},
		{text: "202607220915", want: "2026-07-22T09:15:00+02:00", precision: Minute},
		{text: "20260722091501", want: "2026-07-22T09:15:01+02:00", precision: Second},
		{text: "20260722091501.25", want: "2026-07-22T09:15:01.25+02:00", precision: Millisecond},
		{text: "20260722091501-0500", want: "2026-07-22T09:15:01-05:00", precision: Second},
		{text: "20260722091501.5+0545", want: "2026-07-22T09:15:01.5+05:45", precision: Millisecond},
		{text: "20240229", want: "2024-02-29T00:00:00+01:00", precision: Day},
		// The clocks of Zurich went back at 03:00 on 25 October 2026 and forward
		// at 02:00 on 29 March.
		{text: "20261025023000", want: "2026-10-25T02:30:00+02:00", precision: Second, ambiguous: true},
		{text: "20261025013000", want: "2026-10-25T01:30:00+02:00", precision: Second},
		{text: "20261025033000", want: "2026-10-25T03:30:00+01:00", precision: Second},
		{text: "20260329023000", want: "2026-03-29T03:30:00+02:00", precision: Second, ambiguous: true},
		{text: "20260329033000", want: "2026-03-29T03:30:00+02:00", precision: Second},
		{text: "20230229", bad: true},
		{text: "2026072209", bad: true}, // an hour without minutes
		{text: "20261301", bad: true},
		{text: "20260722240000", bad: true},
		{text: "202607220915.5", bad: true},
		{text: "20260722091501.", bad: true},
		{text: "20260722091501+1", bad: true},
		{text: "20260722091501+9900", bad: true},
		{text: "+2026722", bad: true},
		{text: "2026-07-22", bad: true},
		{text: "0000", bad: true},
		{text: "yesterday", bad: true},
	} {
		got, ok := ParseTime(c.text, zurich)
		if ok == c.bad || got.Text != c.text || got.Precision != c.precision || got.Ambiguous != c.ambiguous {
			t.Errorf("%q: %+v, %v", c.text, got, ok)
			continue
		}
		if c.want != "" && got.Value.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%q: %s, want %s", c.text, got.Value.Format(time.RFC3339Nano), c.want)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("20261025023000.123+0100")
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseTime(text, zone)
		if got.Text != text || got.Known() && !ok {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
		if got.Precision < Second || got.Ambiguous {
			return
		}
		if shown := got.Value.Format("20060102150405"); shown != text[:14] {
			t.Errorf("%q reads as %s", text, shown)
		}
	})
}

func TestParseClock(t *testing.T) {
	for text, want := range map[string]string{
		"0915": "09:15:00", "091501": "09:15:01", "000000": "00:00:00", "235959.1230": "23:59:59.1230",
		"": "", "9": "", "09": "", "091": "", "2400": "", "0960": "", "091560": "", "0915.5": "", "091501.": "", "091501.+5": "",
		"0915+0100": "", "09:15": "", "-915": "", "091501.1234567890": "",
	} {
		if got, ok := ParseClock(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}

// FuzzParseClock: what is read has the digits that were sent, and no others but
// the seconds that FHIR asks for.
func FuzzParseClock(f *testing.F) {
	for _, s := range []string{"0915", "091501", "091501.25", "2400", "0915+0100", "09:15"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clock, ok := ParseClock(text)
		if ok != (clock != "") {
			t.Fatalf("%q, %v", clock, ok)
		}
		if got := strings.ReplaceAll(clock, ":", ""); ok && got != text && got != text+"00" {
			t.Fatalf("%q came out as %q", text, clock)
		}
	})
}
