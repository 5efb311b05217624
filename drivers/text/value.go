package text

import (
	"slices"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// value reads a result's value. Text is always what was sent. Number is set to
// something else than a part of Text only where an option says what the
// analyzer's digits mean.
func (d *description) value(text string, decimals *int) drivers.Value {
	v := drivers.ParseValue(text)
	if v.Text != "" && slices.Contains(d.Absent, v.Text) {
		return drivers.Value{Text: v.Text, Absent: "unknown"}
	}
	if v.Absent != "" {
		return v
	}
	if d.Decimal == "," {
		v = v.WithComma()
	}
	if decimals != nil {
		v.Number = withPoint(v.Number, *decimals)
		if v.Number == "" {
			v.Comparator = ""
		}
	}
	return v
}

// withPoint puts the point that an analyzer leaves out into a number: "0064" with
// one decimal is "6.4". Anything but digits is not such a number.
func withPoint(digits string, decimals int) string {
	sign := ""
	if strings.HasPrefix(digits, "-") || strings.HasPrefix(digits, "+") {
		sign, digits = strings.TrimPrefix(digits[:1], "+"), digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	for len(digits) <= decimals {
		digits = "0" + digits
	}
	at := len(digits) - decimals
	whole := strings.TrimLeft(digits[:at], "0")
	if whole == "" {
		whole = "0"
	}
	if decimals == 0 {
		return sign + whole
	}
	return sign + whole + "." + digits[at:]
}
