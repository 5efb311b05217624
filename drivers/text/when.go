package text

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labcourier/labcourier/drivers"
)

// timeFormat is one of Options.TimeFormats.
type timeFormat struct {
	layout string // as package time writes it
	digits string // how much of a time it tells, as drivers.ParseTime reads it
	upper  bool   // AM and PM are compared in capitals
}

// newTimeFormat reads a format such as "DD/MM/YYYY hh:mm".
func newTimeFormat(text string) (timeFormat, error) { //nolint:funlen // a table of letters
	var f timeFormat
	var layout strings.Builder
	has := map[string]bool{}
	twelve := strings.Contains(text, "AM")
	for rest := text; rest != ""; {
		letter, size := utf8.DecodeRuneInString(rest)
		run := rest[:len(rest)-len(strings.TrimLeft(rest, rest[:size]))]
		if strings.HasPrefix(rest, "AM") {
			run = "AM"
		}
		rest = rest[len(run):]
		switch run {
		case "YYYY":
			layout.WriteString("2006")
		case "YY":
			layout.WriteString("06")
		case "MMM":
			layout.WriteString("Jan")
		case "MM":
			layout.WriteString("01")
		case "M":
			layout.WriteString("1")
		case "DD":
			layout.WriteString("02")
		case "D":
			layout.WriteString("2")
		case "hh", "h", "HH":
			layout.WriteString(map[bool]string{false: "15", true: "3"}[twelve])
		case "mm":
			layout.WriteString("04")
		case "ss":
			layout.WriteString("05")
		case "AM":
			layout.WriteString("PM")
			f.upper = true
		default:
			if letter >= '0' && letter <= '9' || letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z' && run != "T" || letter == '_' {
				return f, fmt.Errorf("%q: %q has no meaning: use YYYY, YY, MM, M, MMM, DD, D, hh, h, mm, ss, AM and what stands between them", text, run)
			}
			layout.WriteString(run)
		}
		has[run[:1]] = true
	}
	f.layout = layout.String()
	switch {
	case !has["Y"]:
		return f, fmt.Errorf("%q: the year (YYYY or YY) is missing", text)
	case has["s"]:
		f.digits = "20060102150405"
	case has["m"]:
		f.digits = "200601021504"
	case has["D"]:
		f.digits = "20060102"
	case has["M"]:
		f.digits = "200601"
	default:
		f.digits = "2006"
	}
	hours := has["h"] || has["H"]
	if hours != has["m"] || has["s"] && !has["m"] || hours && !(has["D"] && has["M"]) {
		return f, fmt.Errorf("%q: a time of day needs hours, minutes and a whole date", text)
	}
	return f, nil
}

// read reads a wall time in the zone loc.
func (f timeFormat) read(text string, loc *time.Location) (drivers.Time, bool) {
	compared := text
	if f.upper {
		compared = strings.ToUpper(text)
	}
	t, err := time.Parse(f.layout, compared)
	if err != nil {
		return drivers.Time{}, false
	}
	out, ok := drivers.ParseTime(t.Format(f.digits), loc)
	out.Text = text
	return out, ok
}

// when reads a time. What is none is kept as text.
func (d *description) when(text string, loc *time.Location) (drivers.Time, bool) {
	if text == "" || len(d.times) == 0 {
		return drivers.ParseTime(text, loc)
	}
	for _, f := range d.times {
		if t, ok := f.read(text, loc); ok {
			return t, true
		}
	}
	return drivers.Time{Text: text}, false
}
