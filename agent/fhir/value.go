package fhir

import (
	"encoding/json"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

const (
	systemUCUM   = "http://unitsofmeasure.org"
	systemAbsent = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
)

// value sets what o measured, or why there is nothing. It is the
// specification's invariant obs-6 that only one of the two is there.
func (ord *order) value(o *observation, res *drivers.Result, n *notes) {
	v := &res.Value
	sent := sentText(v)
	if reason := ord.absent(o.Status, v, sent); reason != nil {
		o.DataAbsentReason = reason
		if sent != "" && o.Status == string(drivers.StatusCancelled) {
			n.remark("Sent with the cancelled result, and not to be read as its value: " + sent)
		} else if sent != "" {
			n.remark("Sent instead of a value: " + sent)
		}
		return
	}
	switch {
	case isNamed(v.Code):
		cc := concept(*v.Code, ord.own+":value")
		o.ValueCodeableConcept = &cc
		n.unit(res.Unit)
		if sent != cc.Text && sent != clean(v.Code.Code) {
			n.remark("Value as sent: " + sent)
		}
	case ord.numeric(o, v, res.Unit):
	case temporal(o, v, sent, n):
		n.unit(res.Unit)
	case v.Number != "" || hasDigit(sent):
		// The fallback of the v2-to-FHIR map for SN: all parts with blanks.
		o.ValueString = join(" ", sent, clean(res.Unit))
	default:
		o.ValueString = sent
		n.unit(res.Unit)
	}
}

// sentText is what the analyzer sent for a value.
func sentText(v *drivers.Value) string {
	if text := clean(v.Text); text != "" {
		return text
	}
	if v.Code != nil {
		if text := concept(*v.Code, "").Text; text != "" {
			return text
		}
	}
	return join(" ", clean(v.Comparator), clean(v.Number), clean(v.Separator), clean(v.Second))
}

// numeric sets a value that is a number, a ratio or a range, if v is one that
// FHIR can hold exactly.
func (msg *message) numeric(o *observation, v *drivers.Value, unit string) bool {
	if !isDecimal(v.Number) || !isComparator(v.Comparator) || v.Separator != "" && !isDecimal(v.Second) {
		return false
	}
	num := msg.quantity(v.Number, unit)
	num.Comparator = v.Comparator
	switch {
	case v.Separator == "" && v.Second == "":
		o.ValueQuantity = num
	case v.Separator == ":" || v.Separator == "/":
		o.ValueRatio = &ratio{Numerator: num, Denominator: msg.quantity(v.Second, unit)}
	case v.Separator == "-" && v.Comparator == "" && !less(v.Second, v.Number):
		// Invariant rng-2: low is not above high; a limit has no comparator.
		o.ValueRange = &valueRange{Low: num, High: msg.quantity(v.Second, unit)}
	default:
		return false
	}
	return true
}

// quantity is a number with its unit as sent, and the unit's UCUM code where
// the table has it.
func (msg *message) quantity(number, unit string) *quantity {
	q := &quantity{Value: json.Number(number), Unit: clean(unit)}
	if code, ok := msg.codes.UCUM(msg.in.Source.Name, q.Unit); ok {
		q.System, q.Code = systemUCUM, code
	}
	return q
}

func isComparator(s string) bool {
	switch s {
	case "", "<", "<=", ">", ">=":
		return true
	}
	return false
}

// absent returns why a result has no value, or nil if it has one.
func (msg *message) absent(status string, v *drivers.Value, sent string) *codeableConcept {
	code := codeText(v.Absent)
	switch {
	case code != "":
	case status == string(drivers.StatusCancelled):
		code = "not-performed"
	case sent != "":
		return nil
	case status == string(drivers.StatusRegistered):
		code = "temp-unknown"
	default:
		code = "unknown"
	}
	if display, ok := msg.tables.absent[code]; ok {
		return &codeableConcept{Coding: []coding{{System: systemAbsent, Code: code, Display: display}}}
	}
	return &codeableConcept{
		Coding: []coding{{System: systemAbsent, Code: "unknown", Display: msg.tables.absent["unknown"]}},
		Text:   strings.TrimSpace(code),
	}
}
