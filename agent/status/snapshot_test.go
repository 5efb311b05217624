package status

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

var update = flag.Bool("update", false, "write the golden files anew")

// promised is the JSON that others rely on. A change here breaks them.
const promised = `{
 "agent": {"name": "core-lab-1", "version": "0.1.0", "started": "2026-11-22T08:00:00Z"},
 "server": {"url": "https://x/fhir/R4", "reachable": true, "last_success": "2026-11-22T09:00:00Z", "waiting_reason": "r",
            "auth": {"method": "oauth2", "since": "2026-11-22T08:00:01Z", "fallback": true, "reason": "f", "token_expires": "2026-11-22T09:30:00Z"}},
 "spool": {"queued": 1, "parked": 2, "delivered": 12431, "bytes": 1048576, "disk_free": 81234567890, "accepting": true},
 "analyzers": [{"name": "xn-550", "driver": "astm", "link": "connected", "last_byte": "2026-11-22T09:00:00Z", "last_message": "2026-11-22T08:59:59Z",
                "acknowledged": 120, "refused": 1, "duplicates": 3, "queued": 4, "parked": 5, "delivered": 6, "oldest_waiting_s": 7}]}`

func TestPromisedFields(t *testing.T) {
	var s Snapshot
	if err := json.Unmarshal([]byte(promised), &s); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(promised), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(written, &got); err != nil {
		t.Fatal(err)
	}
	contains(t, "", got, want)
}

// contains fails t where got lacks something of want.
func contains(t *testing.T, at string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		for k, v := range want {
			contains(t, at+"."+k, got.(map[string]any)[k], v)
		}
	case []any:
		for i, v := range want {
			contains(t, at+"[]", got.([]any)[i], v)
		}
	default:
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %v, want %v", at, got, want)
		}
	}
}

func TestSnapshotGolden(t *testing.T) {
	full := with(func(s *Snapshot) {
		linkDown(s, 0)
		serverAway(s)
		parkedTwo(s)
		fellBack(s)
		spoolFull(s)
		diskLow(s)
		shadowAway(s)
	})
	for name, s := range map[string]Snapshot{"full": full, "zero": {}, "zero-analyzer": {Analyzers: []Analyzer{{}}}} {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			file := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")); string(got)+"\n" != string(want) {
				t.Errorf("JSON differs from %s; if that is meant, run with -update\n%s", file, got)
			}
		})
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	want := with(func(s *Snapshot) { serverAway(s); fellBack(s) })
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Snapshot
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTime(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	for _, tt := range []struct {
		t    Time
		json string
	}{
		{Time{}, "null"},
		{At(time.Date(2026, 11, 22, 9, 30, 1, 999, zone)), `"2026-11-22T08:30:01Z"`},
	} {
		got, err := json.Marshal(tt.t)
		if err != nil || string(got) != tt.json {
			t.Errorf("%v: %s, %v; want %s", tt.t, got, err, tt.json)
		}
		back := At(noon)
		if err := json.Unmarshal(got, &back); err != nil || back.RFC3339() != tt.t.RFC3339() {
			t.Errorf("%s reads as %v, %v", got, back, err)
		}
	}
	var x Time
	if err := json.Unmarshal([]byte(`""`), &x); err != nil || !x.IsZero() {
		t.Errorf(`"" reads as %v, %v`, x, err)
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), &x); err == nil {
		t.Error("yesterday reads as a time")
	}
}

func TestLinkWordsAreTheDrivers(t *testing.T) {
	for want, got := range map[drivers.LinkState]string{
		drivers.LinkDown: LinkDown, drivers.LinkListening: LinkListening,
		drivers.LinkConnecting: LinkConnecting, drivers.LinkConnected: LinkConnected,
	} {
		if string(want) != got {
			t.Errorf("link %q is called %q here", want, got)
		}
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{grouped(0), "0"}, {grouped(999), "999"}, {grouped(1000), "1,000"}, {grouped(12431), "12,431"}, {grouped(1234567), "1,234,567"},
		{many(1, "message"), "1 message"}, {many(0, "message"), "0 messages"},
		{short(9999999), "9,999,999"}, {short(10000000), "10.0M"}, {short(1<<64 - 1), "18.4E"},
		{size(0), "0 B"}, {size(1023), "1023 B"}, {size(1 << 20), "1.0 MiB"}, {size(1<<20 - 1), "1.0 MiB"}, {size(1<<64 - 1), "16.0 EiB"},
		{span(-time.Second), "0 s"}, {span(59 * time.Second), "59 s"}, {span(time.Hour), "1 h"}, {span(90 * time.Minute), "1 h 30 min"}, {span(49 * time.Hour), "2 d 1 h"},
		{ago(noon, Time{}), "never"}, {ago(noon, before(-time.Hour)), "just now"}, {ago(noon, before(20*time.Second)), "under a minute ago"},
		{ago(noon, before(3*time.Hour)), "3 h ago"}, {ago(noon, before(50*time.Hour)), "2 d 2 h ago"},
		{clean("a\x1b[2J\r\nb\u202ec \xff"), "a [2J b c"}, {ended("x"), "x."}, {ended("x!"), "x!"}, {ended(" "), ""}, {ended(strings.Repeat("é", 400)), strings.Repeat("é", 300) + "…"},
		{listed([]string{"a"}, 2), "a"}, {listed([]string{"a", "b"}, 2), "a and b"}, {listed([]string{"a", "b", "c"}, 2), "a, b and 1 more"}, {listed(nil, 2), ""},
		{address("https://u:p@h:1/fhir/R4/?q=1"), "h:1/fhir/R4"}, {address("http://localhost:8103"), "http://localhost:8103"}, {address("%"), "not a URL"}, {address(""), "not set"},
		{unbroken("4 of 12,431 results xn-550 is"), "4\u00a0of 12,431\u00a0results xn-550 is"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	if strings.ContainsAny(clean(hostile), "\x1b\a\r\n\u202e") {
		t.Error("clean leaves control characters")
	}
}
