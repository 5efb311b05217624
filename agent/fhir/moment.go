package fhir

import (
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// dateTime is t as a FHIR dateTime, as exact as it is known, or "". FHIR has
// no minutes without seconds, so a Minute gets zero seconds; it has offsets of
// whole minutes up to 14 hours only, so that others are given in UTC.
func dateTime(t drivers.Time) string { return dateTimeOf(t, "000") }

// exactTime is dateTime with as many digits of a second as were sent.
func exactTime(t drivers.Time) string {
	_, fraction, _ := strings.Cut(t.Text, ".")
	n := min(countDigits(fraction), 9)
	if n == 0 {
		return dateTime(t)
	}
	return dateTimeOf(t, "000000000"[:n])
}

func dateTimeOf(t drivers.Time, fraction string) string {
	if !t.Known() {
		return ""
	}
	v := t.Value
	if _, off := v.Zone(); t.Precision >= drivers.Minute && (off%60 != 0 || off > 14*3600 || off < -14*3600) {
		v = v.UTC()
	}
	if y := v.Year(); y < 1 || y > 9999 {
		return ""
	}
	switch t.Precision {
	case drivers.Year:
		return v.Format("2006")
	case drivers.Month:
		return v.Format("2006-01")
	case drivers.Day:
		return v.Format(time.DateOnly)
	case drivers.Minute:
		return v.Format("2006-01-02T15:04:00Z07:00")
	case drivers.Second:
		return v.Format(time.RFC3339)
	}
	return v.Format("2006-01-02T15:04:05." + fraction + "Z07:00")
}

// temporal sets a value that is a time, a period or a time of day, as the
// guide's OBX[Observation] has DT, DTM, DR and TM. It reports false if v is
// none that FHIR can hold.
func temporal(o *observation, v *drivers.Value, sent string, n *notes) bool {
	at, until := exactTime(v.Time), exactTime(v.Until)
	minutes := v.Time.Precision == drivers.Minute || v.Until.Precision == drivers.Minute
	switch {
	case at != "" && until != "" && !isBackwards(v.Time, v.Until):
		o.ValuePeriod = &period{Start: at, End: until}
	case until != "" || v.Until.Known():
		return false
	case at != "":
		o.ValueDateTime = at
	case isClock(v.Clock):
		o.ValueTime = v.Clock
		minutes = len(sent) == len("hhmm")
	default:
		return false
	}
	if minutes {
		n.remark("Value as sent, without seconds: " + sent)
	}
	n.ambiguous("value's", v.Time)
	n.ambiguous("end of the value's", v.Until)
	return true
}

// isClock reports whether s is a FHIR time.
func isClock(s string) bool {
	whole, fraction, hasFraction := strings.Cut(s, ".")
	_, err := time.Parse(time.TimeOnly, whole)
	return err == nil && len(whole) == len(time.TimeOnly) && (!hasFraction || fraction != "" && countDigits(fraction) == len(fraction))
}

// isBackwards reports whether a period ends before it begins, which FHIR
// forbids (per-1). A day is not over before its end.
func isBackwards(start, end drivers.Time) bool {
	if !start.Known() || !end.Known() {
		return false
	}
	over := end.Value
	switch end.Precision {
	case drivers.Year:
		over = over.AddDate(1, 0, 0)
	case drivers.Month:
		over = over.AddDate(0, 1, 0)
	case drivers.Day:
		over = over.AddDate(0, 0, 1)
	case drivers.Minute:
		over = over.Add(time.Minute)
	default:
		return over.Before(start.Value)
	}
	return !over.After(start.Value)
}

// at is the time as a dateTime, or the period that it begins.
func (e effective) at() (string, *period) {
	if end := dateTime(e.until); end != "" && !isBackwards(e.Time, e.until) {
		return "", &period{Start: dateTime(e.Time), End: end}
	}
	return dateTime(e.Time), nil
}
