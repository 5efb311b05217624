package hl7

import (
	"fmt"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// results reads one OBX segment: a result for each of its values. The same test
// twice, or twice with another type, is two results.
func (p *parser) results(obx segment) {
	rep := p.open()
	values, problem := readValues(obx, p.opts.Location)
	first := len(rep.Results)
	if problem != "" {
		p.problem(rep, problem, first+1)
	}
	res := drivers.Result{
		Test:       p.testCode(obx),
		SubID:      obx.text(4),
		Unit:       readUnit(obx),
		Range:      list(obx.repeats(7), obx.clean),
		Flags:      list(obx.repeats(8), obx.named),
		StatusRaw:  obx.text(11),
		Operator:   obx.named(obx.repeats(16)[0]),
		Method:     obx.named(obx.repeats(17)[0]),
		Instrument: readInstrument(obx),
		Observed:   p.time(rep, obx, 14),
		Completed:  p.time(rep, obx, 19),
		Notes:      p.subID(obx),
	}
	if res.Observed.Text == "" {
		res.Observed = p.observed
	}
	if !setStatus(&res, p.opts.DefaultStatus) {
		p.problem(rep, "OBX-11 of result %d is of no known status", first+1)
	}
	if res.Test.Code == "" && rep.Purpose == drivers.ForPatient {
		rep.Hold = or(rep.Hold, fmt.Sprintf("result %d has no test code in OBX-3", first+1))
	}
	for i, v := range values {
		res.Index, res.Value = first+i, v
		if reason := absent(res.StatusRaw); reason != "" {
			res.Value = drivers.Value{Text: v.Text, Absent: reason}
		}
		rep.Results = append(rep.Results, res)
		res.Notes = nil // those that follow belong to the OBX: once is enough
	}
	p.notes = &rep.Results[first].Notes
	p.identify(rep, obx)
	p.lastOBX = len(obx.fields)
	p.fullOBX = max(p.fullOBX, p.lastOBX)
}

// list reads the repetitions that hold something.
func list(reps []string, read func(string) string) (out []string) {
	for _, r := range reps {
		if s := read(r); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// testCode reads OBX-3.
func (p *parser) testCode(obx segment) drivers.Code {
	c := readCode(obx.components(obx.repeats(3)[0]))
	c.Code = or(c.Code, c.Text)
	if sub := obx.text(4); sub != "" && p.options.TestCode == "OBX-3/OBX-4" {
		c.Code += "/" + sub
	}
	return c
}

// subID carries a sub-id that tells results of one test apart.
func (p *parser) subID(obx segment) []drivers.Note {
	sub := obx.text(4)
	if sub == "" || sub == "0" || sub == "1" || p.options.TestCode == "OBX-3/OBX-4" {
		return nil
	}
	return []drivers.Note{{Source: "I", Code: "OBX-4", Text: sub}}
}

// readUnit reads OBX-6. A power of ten whose caret was not escaped is cut like
// a coded field, 10^9/L, and put together again.
func readUnit(obx segment) string {
	rep := obx.repeats(6)[0]
	parts := obx.components(rep)
	if second := part(parts, 2); parts[0] == "10" && second != "" && isDigit(second[0]) {
		return obx.clean(rep)
	}
	return or(parts[0], part(parts, 2))
}

// readInstrument reads OBX-18. Several repetitions (LAW: model, serial number,
// module) stay together as sent.
func readInstrument(obx segment) string {
	if reps := obx.repeats(18); len(reps) == 1 {
		return obx.named(reps[0])
	}
	return obx.text(18)
}

// identify takes model, manufacturer and serial number from the OBX-18 of a LAW
// message, which says what its repetitions are.
func (p *parser) identify(rep *drivers.Report, obx segment) {
	if !p.law || rep.Sender.Model != "" || obx.text(18) == "" {
		return
	}
	reps := obx.repeats(18)
	rep.Sender.Model, rep.Sender.Manufacturer = obx.subcomponent(reps[0], 1, 1), obx.subcomponent(reps[0], 2, 1)
	if len(reps) > 1 {
		rep.Sender.Serial = obx.subcomponent(reps[1], 1, 1)
	}
}

// absent is why a result of that status has no value, or "".
func absent(status string) string {
	switch strings.ToUpper(status) {
	case "X":
		return "not-performed"
	case "N":
		return "not-asked"
	}
	return ""
}

// setStatus maps OBX-11 (HL7 table 0085). The letters are HL7's own: several mean
// something else in LIS02 (R, W). V is no letter of the table but is sent.
func setStatus(res *drivers.Result, otherwise drivers.ResultStatus) (known bool) {
	if otherwise == "" {
		otherwise = drivers.StatusPreliminary
	}
	res.Status = otherwise
	switch strings.ToUpper(res.StatusRaw) {
	case "":
	case "F", "U", "V":
		res.Status = drivers.StatusFinal
	case "P", "R", "S": // R: entered, not verified
		res.Status = drivers.StatusPreliminary
	case "C":
		res.Status = drivers.StatusCorrected
	case "A", "B":
		res.Status = drivers.StatusAmended
	case "D", "W": // deleted; sent for the wrong patient or test
		res.Status = drivers.StatusEnteredInError
	case "I", "N", "O":
		res.Status = drivers.StatusRegistered
	case "X":
		res.Status = drivers.StatusCancelled
	default:
		return false
	}
	return true
}

// orderStatus maps OBR-25 (HL7 table 0123).
func orderStatus(code string) drivers.ResultStatus {
	switch strings.ToUpper(code) {
	case "F":
		return drivers.StatusFinal
	case "C":
		return drivers.StatusCorrected
	case "P":
		return drivers.StatusPreliminary
	case "A", "R":
		return drivers.StatusPartial
	case "X":
		return drivers.StatusCancelled
	case "O", "I", "S":
		return drivers.StatusRegistered
	}
	return ""
}
