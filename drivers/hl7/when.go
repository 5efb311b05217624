package hl7

import (
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// readTimes reads a value of the types DT, TS, DTM, DR and TM. Not ok: it is
// none, or says more or less than its type can, and stays text. A TS with its
// old second component, the precision, is one of them: nobody can tell which of
// its digits are meant.
func readTimes(obx segment, t valueType, rep string, loc *time.Location) (v drivers.Value, ok bool) {
	v = textValue(obx.clean(rep))
	if v.Text == "" {
		return v, true
	}
	parts := obx.components(rep)
	switch t {
	case clock:
		v.Clock, ok = drivers.ParseClock(v.Text)
	case period:
		start, ok1 := drivers.ParseTime(part(parts, 1), loc)
		end, ok2 := drivers.ParseTime(part(parts, 2), loc)
		if ok = ok1 && ok2 && len(parts) == 2 && start.Known() && end.Known(); ok {
			v.Time, v.Until = start, end
		}
	default:
		at, is := drivers.ParseTime(v.Text, loc)
		if ok = is && (t != day || at.Precision <= drivers.Day); ok {
			v.Time = at
		}
	}
	return v, ok
}
