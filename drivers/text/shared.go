package text

import (
	"fmt"
	"strings"
)

// shared are the fields of one result that may also stand once for all results of
// a report, before or behind them.
type shared struct {
	report, result       int
	date, time           string
	operator, instrument string
}

// fill gives what stands behind results to those of the report that have none of
// their own.
func (p *parser) fill(name, text string) {
	for i := range p.shared {
		sh := &p.shared[i]
		if sh.report != len(p.reports)-1 {
			continue
		}
		switch name {
		case fDate:
			if _, ok := p.when(sh.time, p.location()); sh.time == "" || !ok { // else the time says the date
				sh.date = or(sh.date, text)
			}
		case fTime:
			if _, ok := p.when(sh.date, p.location()); sh.time == "" && (sh.date == "" || len(p.times) > 0 || !ok) {
				sh.time = text
			}
		case fOperator:
			sh.operator = or(sh.operator, text)
		case fInstrument:
			sh.instrument = or(sh.instrument, text)
		}
	}
}

// share sets what results share, once all of the message is read.
func (p *parser) share() {
	for _, sh := range p.shared {
		rep := &p.reports[sh.report]
		res := &rep.Results[sh.result]
		res.Operator, res.Instrument = sh.operator, sh.instrument
		text := strings.TrimSpace(sh.date + " " + sh.time)
		if text == "" {
			continue
		}
		t, ok := p.when(text, p.location())
		if !ok {
			rep.Problems = append(rep.Problems, fmt.Sprintf("the time of result %d is not a time in any of time_formats", res.Index+1))
		}
		res.Completed = t
	}
}
