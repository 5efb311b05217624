package deliver

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseLimits(t *testing.T) {
	tests := []struct {
		lines []string
		want  []limit
	}{
		{[]string{`"requests";r=59;t=42`, `"fhirInteractions";r=100;t=0`}, []limit{{`"requests"`, 59, 42 * time.Second}, {`"fhirInteractions"`, 100, 0}}},
		{[]string{`"a";r=1;t=2, "b"; t=4 ;r=3`}, []limit{{`"a"`, 1, 2 * time.Second}, {`"b"`, 3, 4 * time.Second}}},
		{[]string{`"a";r=-1;t=2`, `"b";r=1`, `"c";r=x;t=1`, ``, `;;;`, `"d";r=1.5;t=1`}, nil},
		{[]string{`"a";r=1;t=9999999`}, []limit{{`"a"`, 1, longestWindow}}},
	}
	for _, test := range tests {
		if got := parseLimits(test.lines); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.lines, got, test.want)
		}
	}
}

func FuzzParseLimits(f *testing.F) {
	f.Add(`"requests";r=59;t=42, "x";t=1;r=99999999999999999`)
	f.Fuzz(func(t *testing.T, line string) {
		p := newPacer()
		now := time.Now()
		p.learn([]string{line}, 1, now)
		p.learn([]string{line}, 1, now)
		for _, l := range parseLimits([]string{line}) {
			if l.left < 0 || l.ends < 0 || l.ends > longestWindow {
				t.Fatalf("%q is %+v", line, l)
			}
		}
		if _, pause, _ := p.reserve(40, now); pause < 0 || pause > longestWindow {
			t.Fatalf("%q makes a pause of %s", line, pause)
		}
	})
}

func TestReference(t *testing.T) {
	tests := []struct{ location, id, want string }{
		{"Observation/1", "", "Observation/1"},
		{"Observation/1/_history/2", "", "Observation/1"},
		{"https://h/fhir/Observation/a-b.c/_history/1?x=1", "", "Observation/a-b.c"},
		{"https://h/Observation/v1/Observation/7", "", "Observation/7"},
		{"Device/1", "", ""},
		{"", "", ""},
		{"", "9", "Observation/9"},
		{"Observation/", "9", "Observation/9"},
		{"Observation/a b", "../x", ""},
		{"Observation/" + strings.Repeat("x", 65), "", ""},
	}
	for _, test := range tests {
		var a entryAnswer
		a.Response.Location = test.location
		a.Resource.ResourceType, a.Resource.ID = "Observation", test.id
		if got := a.reference("Observation"); got != test.want {
			t.Errorf("%q, %q: got %q, want %q", test.location, test.id, got, test.want)
		}
	}
}

func TestEntryStatus(t *testing.T) {
	for text, want := range map[string]action{
		"201": accept, "200 OK": accept, " 204 ": accept, "412 Precondition Failed": refuse, "429": repeat,
		"": repeat, "2O1": repeat, "20": repeat, "2010": repeat, "OK": repeat,
	} {
		var a entryAnswer
		a.Response.Status = text
		if got := a.verdict().action; got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

// FuzzAnswer: no answer makes us panic, wait for ever, or take for accepted
// what is not a whole bundle of accepted entries with sane ids.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"resourceType":"Bundle","entry":[{"response":{"status":"201","location":"Observation/1"}}]}`, "5")
	f.Add(200, `{"resourceType":"Bundle","entry":[null]}`, "Sun, 06 Nov 1994 08:49:37 GMT")
	f.Add(429, throttled, "-3")
	f.Add(503, `<html>`, "1e99")
	f.Add(400, tooLarge, "NaN")
	f.Fuzz(func(t *testing.T, status int, body, retryAfter string) {
		a := answer{status: status, header: http.Header{"Retry-After": {retryAfter}}, body: []byte(body)}
		v := judgeAnswer(a, time.Now())
		if v.asked < 0 || (v.action == accept) != (status >= 200 && status <= 299) {
			t.Fatalf("%+v", v)
		}
		entries, whole := parseBundle(a.body, 1)
		if whole != (len(entries) == 1) {
			t.Fatalf("%d entries, %v", len(entries), whole)
		}
		for _, e := range entries {
			e.verdict()
			if ref := e.reference("Observation"); ref != "" && !isID(strings.TrimPrefix(ref, "Observation/")) {
				t.Fatalf("reference %q", ref)
			}
		}
	})
}
