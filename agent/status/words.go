package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// grouped writes n with a comma between thousands.
func grouped(n uint64) string {
	d := strconv.FormatUint(n, 10)
	for i := len(d) - 3; i > 0; i -= 3 {
		d = d[:i] + "," + d[i:]
	}
	return d
}

// short writes n in at most nine columns.
func short(n uint64) string {
	if s := grouped(n); len(s) <= 9 {
		return s
	}
	v, unit := float64(n)/1000, 0
	for v >= 999.95 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f%c", v, "kMGTPE"[unit])
}

// many writes n with its noun: "1 message", "12,431 messages".
func many(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// size writes a number of bytes in the binary unit that keeps it short.
func size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < len(sizeUnits)-1 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, sizeUnits[unit])
}

const sizeUnits = "KMGTPE"

// span writes a duration in its two largest units, or one where that is enough.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", max(s, 0))
	case s < 60*60:
		return fmt.Sprintf("%d min", s/60)
	case s < 24*60*60:
		return twoUnits(s/3600, "h", s%3600/60, "min")
	}
	return twoUnits(s/86400, "d", s%86400/3600, "h")
}

func twoUnits(a int64, unitA string, b int64, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

// ago says how long before now t was. It is coarse on purpose: a page on which
// every card counts seconds is not calm.
func ago(now time.Time, t Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t.Time)
	switch {
	case d < 15*time.Second:
		return "just now"
	case d < time.Minute:
		return "under a minute ago"
	case d < 24*time.Hour:
		return oneUnit(d) + " ago"
	}
	return span(d) + " ago"
}

// oneUnit writes a duration in its largest unit.
func oneUnit(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int64(d/time.Second), 0))
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// clean makes foreign text fit for one line of a terminal or page: control and
// formatting characters, which could move a cursor or turn text round, become
// blanks, and runs of blanks become one.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// maxWords is how much of a foreign reason is shown, in characters.
const maxWords = 300

// ended makes s the end of a sentence, cut where it is endless.
func ended(s string) string {
	s = clean(s)
	if r := []rune(s); len(r) > maxWords {
		return string(r[:maxWords]) + "…"
	}
	if s == "" || strings.ContainsRune(".!?…", lastRune(s)) {
		return s
	}
	return s + "."
}

func lastRune(s string) rune {
	r := []rune(s)
	return r[len(r)-1]
}

// capital begins s with a capital letter.
func capital(s string) string {
	r := []rune(clean(s))
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

// listed joins names for a sentence, and counts those that are too many.
func listed(names []string, most int) string {
	rest := 0
	if len(names) > most {
		rest, names = len(names)-most, names[:most]
	}
	switch {
	case rest > 0:
		return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", rest)
	case len(names) > 1:
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}
