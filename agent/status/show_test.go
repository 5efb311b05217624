package status

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func TestPageRendersEveryState(t *testing.T) {
	p, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			b, err := p.render(s.snapshot, s.arrivals, s.arrivals != nil)
			if err != nil {
				t.Fatal(err)
			}
			html := string(b)
			for _, want := range []string{"<h1>", `<body class="` + string(judge(s.snapshot).level) + `"`, `role="status"`, "</html>"} {
				if !strings.Contains(html, want) {
					t.Errorf("the page lacks %s", want)
				}
			}
			if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "0001-01-01") {
				t.Error("the page shows what a template could not place, or a time that never was")
			}
			if strings.Contains(html, "Arriving at the server") != (s.arrivals != nil) {
				t.Error("arrivals belong to the demo, and to nothing else")
			}
			// The policy forbids what is not in a file of its own.
			if bad := regexp.MustCompile(`(?i)<script(>| [^>]*>[^<])|<style|<[a-z]\w*(\s+[\w:-]+(="[^"]*")?)*\s+((style|on\w+)=|(src|href)="[^/]|(src|href)="//)`).FindString(html); bad != "" {
				t.Errorf("the page has %q in it", bad)
			}
		})
	}
}

func TestPageEscapes(t *testing.T) {
	p, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	s := states()[len(states())-1]
	b, err := p.render(s.snapshot, s.arrivals, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>", "<img", "\x1b", "\a", "\u202e", "secret"} {
		if strings.Contains(string(b), bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	if !strings.Contains(string(b), "&lt;script&gt;alert(1)") {
		t.Error("the name is gone; it should be there as text")
	}
}

func TestWriteTableFits(t *testing.T) {
	ansi := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, s := range states() {
		for _, color := range []bool{false, true} {
			var b strings.Builder
			WriteTable(&b, s.snapshot, color)
			text := b.String()
			if strings.Contains(text, "\x1b") != color {
				t.Errorf("%s: colour %v\n%s", s.name, color, text)
			}
			for line := range strings.Lines(ansi.ReplaceAllString(text, "")) {
				line = strings.TrimSuffix(line, "\n")
				if n := columnsOf(line); n > columns {
					t.Errorf("%s: %d columns: %s", s.name, n, line)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
					t.Errorf("%s: control characters in %q", s.name, line)
				}
				if line != strings.TrimRight(line, " ") {
					t.Errorf("%s: blanks at the end of %q", s.name, line)
				}
			}
			if s.name != "hostile" && !color {
				t.Logf("%s\n%s", s.name, text)
			}
		}
	}
}

func TestWriteTable(t *testing.T) {
	const want = `WARN  The server does not answer, 214 messages waiting for up to 8 min.
      Check this computer's network, and whether the server is up.
      Nothing is lost: results are stored on this computer and sent, in order,
      as soon as that works.
      The last try: dial tcp 52.71.7.20:443: connection refused.
      Also: xn-550 is not connected. Check that it is switched on and its cable
      is plugged in.

Agent   core-lab-1, labcourier 0.1.0, running for 3 d 4 h
Config  loaded 2 h ago, digest 1a2b3c4d1a2b
Server  api.medplum.com/fhir/R4
        waiting: dial tcp 52.71.7.20:443: connection refused, last success 9 min
        ago
Sign-in OAuth2 for 3 d 4 h, token good for 42 min
Stored  214 waiting, 0 parked, 4,873 delivered; 1.0 MiB, 75.7 GiB free

ANALYZER            DRIVER  LINK       LAST MSG   WAITING    PARKED DELIVERED
xn-550              astm    down       22 min          55         0     2,410
  Bends the standard: checksum = any-case; specimen_id = O.4.3
  open /dev/ttyUSB0: no such file or directory.
bc-5380             hl7     connected  1 min           53         0     1,204
cobas-c311          astm    connected  12 min          53         0     1,187
gem-5000            poct1a  connected  40 min          53         0        72
`
	var b strings.Builder
	WriteTable(&b, with(func(s *Snapshot) { linkDown(s, 0); serverAway(s) }), false)
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func BenchmarkPage(b *testing.B) { benchmarkPage(b, (*page).render) }

// BenchmarkSum is what an open page costs each time that it is looked after.
func BenchmarkSum(b *testing.B) { benchmarkPage(b, (*page).sum) }

func benchmarkPage[T any](b *testing.B, do func(*page, Snapshot, []Arrival, bool) (T, error)) {
	p, err := newPage()
	if err != nil {
		b.Fatal(err)
	}
	p.history = busyDay()
	s := healthy()
	for b.Loop() {
		if _, err := do(p, s, nil, false); err != nil {
			b.Fatal(err)
		}
	}
}

// busyDay is a day on which each analyzer sent something all the time.
func busyDay() fakeHistory {
	messages := make([]uint32, 144)
	for i := range messages {
		messages[i] = uint32(i%7 + 1)
	}
	return fakeHistory{levels: make([]uint8, 144), day: func(string) []uint32 { return messages }}
}

// TestSum: another page has another sum, and the same one the same.
func TestSum(t *testing.T) {
	p, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	p.history = busyDay()
	pages := map[uint64]string{}
	for _, s := range states() {
		first, err := p.sum(s.snapshot, s.arrivals, s.arrivals != nil)
		again, err2 := p.sum(s.snapshot, s.arrivals, s.arrivals != nil)
		if err != nil || err2 != nil || first != again {
			t.Errorf("%s: %x, then %x: %v, %v", s.name, first, again, err, err2)
		}
		if other, is := pages[first]; is {
			t.Errorf("%s is %s", s.name, other)
		}
		pages[first] = s.name
	}
}

func BenchmarkTable(b *testing.B) {
	s := healthy()
	for b.Loop() {
		WriteTable(io.Discard, s, false)
	}
}

// TestConfigLine: a reload that was refused, and what waits for the next start,
// stay in sight.
func TestConfigLine(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"loaded 2 h ago, digest 1a2b3c4d1a2b":                                                func(*Config) {},
		"loaded 2 h ago, digest 1a2b3c4d1a2b; the last reload was refused, the log says why": func(c *Config) { c.Refused = true },
		"loaded 2 h ago, digest 1a2b3c4d1a2b; restart needed: [agent] name, [spool] key":     func(c *Config) { c.RestartNeeded = []string{"[agent] name", "[spool] key"} },
	} {
		s := with(func(s *Snapshot) { change(&s.Config) })
		if got := configLine(s); got != want {
			t.Errorf("%q, not %q", got, want)
		}
		if page := newView(s, nil, false); page.Config != want {
			t.Errorf("the page says %q, not %q", page.Config, want)
		}
	}
}
