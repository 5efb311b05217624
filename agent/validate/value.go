package validate

import (
	"math/big"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// sentValue is a value as the analyzer sent it, and how the driver reads it
// where that is something else: "7,41 (read as 7.41)".
func sentValue(v *drivers.Value) string {
	text := join(v.Text)
	read := readValue(v)
	switch {
	case text == "" && read == "" && v.Code != nil:
		return join(v.Code.Code, v.Code.Text)
	case text == "":
		return read
	case read == "" || sameText(strings.ReplaceAll(text, " ", ""), read):
		return text
	}
	return text + " (read as " + read + ")"
}

// readValue is the driver's reading of a number, ratio or range, "" for others.
func readValue(v *drivers.Value) string {
	if v.Number == "" {
		return ""
	}
	return v.Comparator + v.Number + v.Separator + v.Second
}

// value compares a result's value with what the Observation has, and its unit
// with the place where that kind of value has one.
func (o *observation) value(res *drivers.Result) (value, unit Field) {
	v := &res.Value
	value = Field{Name: "value", Sent: sentValue(v), Verdict: Differs}
	unit = Field{Name: "unit", Sent: join(res.Unit), Verdict: Differs}
	if o.values > 1 {
		value.Remark = "the server's resource has several values"
	}
	switch {
	case o.ValueQuantity != nil:
		q := o.ValueQuantity
		value.Held = q.Comparator + q.number()
		if v.Separator == "" && v.Comparator == q.Comparator {
			value.Verdict = sameNumber(v.Number, q.number())
		}
		unit.Held = q.unit()
		unit.Verdict = equalIf(sameText(res.Unit, q.Unit))
	case o.ValueRatio != nil:
		o.pair(&value, &unit, v, res.Unit, o.ValueRatio.Numerator, o.ValueRatio.Denominator, ":/")
	case o.ValueRange != nil:
		o.pair(&value, &unit, v, res.Unit, o.ValueRange.Low, o.ValueRange.High, "-")
	case o.ValueConcept != nil:
		o.coded(&value, v)
		o.unitElsewhere(&unit, "")
	case o.ValueString != nil:
		o.text(&value, &unit, v)
	default:
		o.absent(&value, &unit, res)
	}
	if o.values > 1 {
		value.Verdict = Differs
	}
	value.remarkDigits()
	return value, unit
}

// pair compares two numbers.
func (o *observation) pair(value, unit *Field, v *drivers.Value, sent string, a, b quantity, separators string) {
	sep := separators[:1]
	if v.Separator != "" && strings.Contains(separators, v.Separator) {
		sep = v.Separator // a ratio does not keep which of its signs was sent
	}
	value.Held = a.Comparator + a.number() + sep + b.Comparator + b.number()
	if sep == v.Separator && v.Comparator == a.Comparator && b.Comparator == "" {
		value.Verdict = worse(sameNumber(v.Number, a.number()), sameNumber(v.Second, b.number()))
	}
	unit.Held = a.unit()
	unit.Verdict = equalIf(sameText(sent, a.Unit) && sameText(sent, b.Unit))
}

// coded compares a code.
func (o *observation) coded(value *Field, v *drivers.Value) {
	value.Held = o.ValueConcept.codes()
	if text := o.ValueConcept.Text; text != "" && text != value.Held {
		value.Held = join(value.Held, text)
	}
	if v.Code == nil {
		return
	}
	value.Verdict = equalIf(o.ValueConcept.means(*v.Code))
}

// means reports whether the concept has the code as it was sent, or the words
// where there is no code.
func (c *concept) means(sent drivers.Code) bool {
	if join(sent.Code) == "" {
		return sameText(sent.Text, c.Text)
	}
	return slices.ContainsFunc(c.Coding, func(x coding) bool { return sameText(x.Code, sent.Code) })
}

// text compares words. A number that FHIR cannot hold is text, too, with the unit
// behind it.
func (o *observation) text(value, unit *Field, v *drivers.Value) {
	sent := join(v.Text)
	if sent == "" {
		sent = readValue(v)
	}
	value.Held = *o.ValueString
	behind := ""
	switch {
	case sameText(sent, value.Held):
		value.Verdict = Equal
	case unit.Sent != "" && strings.HasSuffix(join(value.Held), " "+unit.Sent):
		value.Verdict = equalIf(sameText(sent+" "+unit.Sent, value.Held))
		behind = value.Held
	}
	o.unitElsewhere(unit, behind)
}

// unitElsewhere looks for a unit behind the text of a value, or in a note.
func (o *observation) unitElsewhere(unit *Field, text string) {
	switch {
	case unit.Sent == "":
		unit.Verdict = Equal
	case text != "":
		unit.Held, unit.Verdict, unit.Remark = unit.Sent, Equal, "behind the value's text"
	case o.noted("Unit as sent: " + unit.Sent):
		unit.Held, unit.Verdict, unit.Remark = unit.Sent, Equal, "in a note"
	}
}

func (o *observation) noted(text string) bool {
	for _, n := range o.Note {
		if sameText(n.Text, text) {
			return true
		}
	}
	return false
}

// absent compares a result without a value. What was sent instead of one ("---",
// or anything with a cancelled result) is in a note.
func (o *observation) absent(value, unit *Field, res *drivers.Result) {
	v := &res.Value
	*unit = Field{} // of nothing
	if o.DataAbsentReason == nil {
		value.Remark = "the server's resource has neither a value nor a reason why there is none"
		return
	}
	value.Held = "no value: " + o.DataAbsentReason.codes()
	cancelled := res.Status == drivers.StatusCancelled
	if sent := join(v.Text); sent != "" && (cancelled || v.Absent != "") {
		for _, n := range o.Note {
			if strings.HasSuffix(join(n.Text), ": "+sent) {
				value.Remark = "what was sent is in a note"
			}
		}
	}
	if v.Absent != "" {
		value.Sent = join(value.Sent, "(no value: "+v.Absent+")")
	}
	switch {
	case v.Absent != "":
		value.Verdict = equalIf(o.DataAbsentReason.means(drivers.Code{Code: v.Absent}) || sameText(v.Absent, o.DataAbsentReason.Text))
	case cancelled, value.Sent == "":
		value.Verdict = Equal
	}
}

func (f *Field) remarkDigits() {
	if f.Verdict == Digits && f.Remark == "" {
		f.Remark = "the same number; the server does not keep its digits"
	}
}

// sameNumber compares two decimal numbers: by their digits, and then by what they
// are worth.
func sameNumber(sent, held string) Verdict {
	if sent == "" || held == "" {
		return Differs
	}
	if sent == held {
		return Equal
	}
	a, aok := rational(sent)
	b, bok := rational(held)
	if aok && bok && a.Cmp(b) == 0 {
		return Digits
	}
	return Differs
}

// rational reads a decimal number that is not too long to be worth reading.
func rational(s string) (*big.Rat, bool) {
	const longest, largest = 64, 3 // digits and signs, of the exponent
	if i := strings.IndexAny(s, "eE"); len(s) > longest || i >= 0 && len(s)-i-1 > largest {
		return nil, false
	}
	if strings.Trim(s, "+-.0123456789eE") != "" {
		return nil, false // what big.Rat would take besides: 1/3, 0x10, 1_000
	}
	return new(big.Rat).SetString(s)
}

// sameText compares words, whatever the blanks between them.
func sameText(a, b string) bool { return join(a) == join(b) }

func equalIf(same bool) Verdict {
	if same {
		return Equal
	}
	return Differs
}
