package fhir

import (
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""}, {"a", "a"}, {" a b ", "a b"}, {"\x00", "\ufffd"}, {"a\x1bb", "a\ufffdb"},
		{"a\tb\r\nc", "a\tb\r\nc"}, {"\u3000a\u00a0b\ufeff", "a b"}, {"\xc3", "\ufffd"}, {"µ", "µ"}, {"\v\f", ""},
	}
	for _, tt := range tests {
		if got := clean(tt.in); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestIsURI(t *testing.T) {
	for s, want := range map[string]bool{
		"http://loinc.org": true, "urn:oid:1.2": true, "urn:x": true, "a+b-c.1:x": true,
		"": false, "LN": false, "99ROC": false, "urn:": false, ":x": false, "urn:a b": false, "1a:x": false, "urn:\x01": false, "a_b:x": false, " urn:x": false,
	} {
		if got := isURI(s); got != want {
			t.Errorf("isURI(%q) = %v", s, got)
		}
	}
}

func TestVendorSystem(t *testing.T) {
	tests := []struct {
		name string
		src  Source
		s    drivers.Sender
		want string
	}{
		{"configured", Source{Name: "x", Manufacturer: "Roche Diagnostics", Model: "cobas c 311"}, drivers.Sender{Manufacturer: "R", Model: "M", Name: "N"}, "urn:labcourier:code:roche-diagnostics:cobas-c-311"},
		{"half configured", Source{Name: "x", Manufacturer: "Roche"}, drivers.Sender{Model: "c111"}, "urn:labcourier:code:roche:c111"},
		{"the instrument's words", Source{Name: "x"}, drivers.Sender{Manufacturer: "Roche", Model: "c111"}, "urn:labcourier:code:roche:c111"},
		{"the instrument's name", Source{Name: "x"}, drivers.Sender{Name: "cobas-e411"}, "urn:labcourier:code:cobas-e411"},
		{"nothing but the analyzer", Source{Name: "XN 550"}, drivers.Sender{}, "urn:labcourier:code:xn-550"},
		{"signs only", Source{Name: "x", Model: "***"}, drivers.Sender{}, "urn:labcourier:code:x"},
		{"another alphabet", Source{Name: "x", Manufacturer: "迈瑞"}, drivers.Sender{}, "urn:labcourier:code:%E8%BF%88%E7%91%9E:x"},
		{"nothing at all", Source{Name: "*"}, drivers.Sender{}, "urn:labcourier:code"},
	}
	for _, tt := range tests {
		if got := vendorSystem(tt.src, &tt.s); got != tt.want || !isURI(got) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The vectors were computed with another program's UUID version 5.
func TestFullURL(t *testing.T) {
	tests := []struct{ system, value, want string }{
		{"urn:labcourier:device", "core-lab-1/xn-550", "urn:uuid:4d8c1616-fa96-565c-b7e4-5a95bb3eba3e"},
		{"urn:labcourier:result", "0123456789abcdef-0-0", "urn:uuid:b4a7cc21-daa5-5889-a07b-aac79b647132"},
		{"urn:labcourier:device", "Zürich/x", "urn:uuid:ea85f25f-ada1-5e99-b037-a59b3e94a9cb"},
	}
	for _, tt := range tests {
		if got := fullURL(tt.system, tt.value); got != tt.want {
			t.Errorf("fullURL(%s, %s) = %s, want %s", tt.system, tt.value, got, tt.want)
		}
	}
}

func TestDateTime(t *testing.T) {
	zone := func(seconds int) *time.Location { return time.FixedZone("", seconds) }
	at := time.Date(2026, 3, 2, 9, 30, 58, 123_900_000, zone(3600))
	tests := []struct {
		name string
		t    drivers.Time
		want string
	}{
		{"none", drivers.Time{Text: "x", Value: at}, ""},
		{"year", drivers.Time{Value: at, Precision: drivers.Year}, "2026"},
		{"month", drivers.Time{Value: at, Precision: drivers.Month}, "2026-03"},
		{"day", drivers.Time{Value: at, Precision: drivers.Day}, "2026-03-02"},
		{"minute", drivers.Time{Value: at, Precision: drivers.Minute}, "2026-03-02T09:30:00+01:00"},
		{"second", drivers.Time{Value: at, Precision: drivers.Second}, "2026-03-02T09:30:58+01:00"},
		{"millisecond", drivers.Time{Value: at, Precision: drivers.Millisecond}, "2026-03-02T09:30:58.123+01:00"},
		{"UTC", drivers.Time{Value: at.UTC(), Precision: drivers.Second}, "2026-03-02T08:30:58Z"},
		{"half an hour west", drivers.Time{Value: at.In(zone(-12600)), Precision: drivers.Second}, "2026-03-02T05:00:58-03:30"},
		{"offset with seconds", drivers.Time{Value: at.In(zone(2048)), Precision: drivers.Second}, "2026-03-02T08:30:58Z"},
		{"offset beyond FHIR", drivers.Time{Value: at.In(zone(15 * 3600)), Precision: drivers.Second}, "2026-03-02T08:30:58Z"},
		{"day keeps its own calendar", drivers.Time{Value: time.Date(2026, 3, 2, 0, 0, 0, 0, zone(2048)), Precision: drivers.Day}, "2026-03-02"},
		{"year 0", drivers.Time{Value: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), Precision: drivers.Day}, ""},
		{"year 10000", drivers.Time{Value: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Precision: drivers.Day}, ""},
	}
	for _, tt := range tests {
		if got := dateTime(tt.t); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
