package drivers

import (
	"strconv"
	"strings"
	"time"
)

// ParseTime reads the time format that LIS02 and HL7 v2 share,
// YYYY[MM[DD[HHMM[SS[.f]]]]][+hhmm], in the zone loc where the text names no
// offset. An empty text is an unknown Time and ok; a text that is no time is
// kept as Text, unknown, and not ok.
func ParseTime(text string, loc *time.Location) (t Time, ok bool) {
	t.Text = text
	if text == "" {
		return t, true
	}
	if loc == nil {
		loc = time.UTC
	}
	digits, offset, ok := cutOffset(text)
	if !ok {
		return t, false
	}
	digits, fraction, hasFraction := strings.Cut(digits, ".")
	w, precision, ok := readWall(digits)
	if !ok || hasFraction && precision != Second {
		return t, false
	}
	if hasFraction {
		ns, err := strconv.Atoi((fraction + "000000000")[:9])
		if err != nil || len(fraction) == 0 || len(fraction) > 9 || strings.ContainsAny(fraction, "+-") {
			return t, false
		}
		w.nanosecond, precision = ns, Millisecond
	}
	t.Precision = precision
	if offset != nil {
		t.Value = w.in(offset)
		return t, true
	}
	t.Value, t.Ambiguous = w.local(loc)
	return t, true
}

// ParseClock reads a time of any day, HHMM[SS[.f]], as hh:mm:ss with the
// fraction as sent; minutes alone get zero seconds. One with an offset, or of an
// hour alone, is not ok: nothing could carry it as it is.
func ParseClock(text string) (clock string, ok bool) {
	digits, fraction, hasFraction := strings.Cut(text, ".")
	if len(digits) != 4 && len(digits) != 6 || hasFraction && (len(digits) != 6 || len(fraction) > 9 || !allDigits(fraction)) {
		return "", false
	}
	w, _, ok := readWall("20000101" + digits)
	if !ok {
		return "", false
	}
	clock = w.in(time.UTC).Format(time.TimeOnly)
	if hasFraction {
		clock += "." + fraction
	}
	return clock, true
}

// cutOffset splits a trailing +hhmm or -hhmm off.
func cutOffset(text string) (digits string, offset *time.Location, ok bool) {
	i := strings.LastIndexAny(text, "+-")
	if i < 0 {
		return text, nil, true
	}
	z := text[i+1:]
	hours, err1 := strconv.Atoi(z[:min(2, len(z))])
	minutes, err2 := strconv.Atoi(z[min(2, len(z)):])
	if len(z) != 4 || err1 != nil || err2 != nil || hours > 14 || minutes > 59 || hours < 0 || minutes < 0 {
		return "", nil, false
	}
	seconds := (hours*60 + minutes) * 60
	if text[i] == '-' {
		seconds = -seconds
	}
	return text[:i], time.FixedZone("", seconds), true
}

// wall is what a clock on the wall shows.
type wall struct{ year, month, day, hour, minute, second, nanosecond int }

// readWall reads YYYY to YYYYMMDDHHMMSS. An hour alone is no time that FHIR or
// anybody else could carry without inventing minutes.
func readWall(s string) (w wall, p Precision, ok bool) {
	switch len(s) {
	case 4:
		p = Year
	case 6:
		p = Month
	case 8:
		p = Day
	case 12:
		p = Minute
	case 14:
		p = Second
	default:
		return w, NoTime, false
	}
	w.month, w.day = 1, 1
	fields := []*int{&w.year, &w.month, &w.day, &w.hour, &w.minute, &w.second}
	width := 4
	for _, field := range fields {
		if s == "" {
			break
		}
		n, err := strconv.ParseUint(s[:width], 10, 16) // takes no sign
		if err != nil {
			return w, NoTime, false
		}
		*field, s, width = int(n), s[width:], 2
	}
	d := time.Date(w.year, time.Month(w.month), w.day, 0, 0, 0, 0, time.UTC)
	if d.Year() != w.year || int(d.Month()) != w.month || d.Day() != w.day {
		return w, NoTime, false
	}
	return w, p, w.year >= 1 && w.hour < 24 && w.minute < 60 && w.second < 60
}

func (w wall) in(loc *time.Location) time.Time {
	return time.Date(w.year, time.Month(w.month), w.day, w.hour, w.minute, w.second, w.nanosecond, loc)
}

// local reads w in a zone whose clocks may have been changed just then.
// Ambiguous: the clock showed w twice, or never.
func (w wall) local(loc *time.Location) (t time.Time, ambiguous bool) {
	t = w.in(loc)
	start, end := t.ZoneBounds()
	offsets := []int{offset(t)}
	if !start.IsZero() {
		offsets = append(offsets, offset(start.Add(-time.Second)))
	}
	if !end.IsZero() {
		offsets = append(offsets, offset(end))
	}
	utc := w.in(time.UTC)
	var readings []time.Time
	for _, o := range offsets {
		r := utc.Add(-time.Duration(o) * time.Second).In(loc)
		if offset(r) == o && (len(readings) == 0 || !r.Equal(readings[0])) {
			readings = append(readings, r)
		}
	}
	switch len(readings) {
	case 0: // skipped by the clock change
		return t, true
	case 1:
		return readings[0], false
	}
	if readings[1].Before(readings[0]) {
		return readings[1], true
	}
	return readings[0], true
}

func offset(t time.Time) int {
	_, o := t.Zone()
	return o
}
