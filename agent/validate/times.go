package validate

import (
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// timeText is a time as it was sent.
func timeText(t drivers.Time) string {
	switch {
	case !t.Known() && t.Text == "":
		return ""
	case t.Text != "":
		return t.Text
	}
	return t.Value.Format(time.RFC3339Nano)
}

// timeField compares a time of the analyzer with one of the server; nil where
// neither has one.
func timeField(name string, sent drivers.Time, held string) *Field {
	f := Field{Name: name, Sent: timeText(sent), Held: held, Verdict: Differs}
	switch {
	case f.Sent == "" && held == "":
		return nil
	case !sent.Known() && held == "":
		f.Verdict, f.Remark = Skipped, "what was sent cannot be read as a time"
	case sent.Known():
		f.Verdict = equalIf(sameTime(sent, held))
	}
	return &f
}

// sameTime reports whether a FHIR dateTime is the time that was sent, as exactly
// as that was told.
func sameTime(sent drivers.Time, held string) bool {
	day := map[drivers.Precision]string{drivers.Year: "2006", drivers.Month: "2006-01", drivers.Day: time.DateOnly}[sent.Precision]
	if day != "" {
		date, _, _ := strings.Cut(held, "T")
		return date == sent.Value.Format(day)
	}
	at, err := time.Parse(time.RFC3339Nano, held)
	if err != nil {
		return false
	}
	step := map[drivers.Precision]time.Duration{drivers.Minute: time.Minute, drivers.Second: time.Second, drivers.Millisecond: time.Millisecond}[sent.Precision]
	return step > 0 && at.Truncate(step).Equal(sent.Value.Truncate(step))
}

// effective is the time that a result was true of the patient, as FHIR has it: the
// first that the analyzer told, in the order that the agent promises.
func effective(r *drivers.Report, res *drivers.Result) (t drivers.Time, what string) {
	for _, one := range []struct {
		what string
		at   drivers.Time
	}{
		{"collected", r.Specimen.Collected}, {"observed", res.Observed}, {"analysis completed", res.Completed},
		{"analysis started", res.Started}, {"reported", r.Order.Reported},
	} {
		if one.at.Known() {
			return one.at, one.what
		}
	}
	return t, ""
}
