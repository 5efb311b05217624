package fhir

import (
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// referenceRanges maps the ranges of a result. The text as sent is always
// there; limits only where all of the text can be read as limits.
func (msg *message) referenceRanges(res *drivers.Result) []referenceRange {
	var list []referenceRange
	for _, sent := range res.Range {
		text := clean(sent)
		if text == "" {
			continue
		}
		rr := referenceRange{Text: text}
		low, high := parseLimits(text, clean(res.Unit))
		if low != "" {
			rr.Low = msg.quantity(low, res.Unit)
		}
		if high != "" {
			rr.High = msg.quantity(high, res.Unit)
		}
		list = append(list, rr)
	}
	return list
}

// parseLimits reads "a-b", "a^b", "a to b", "<b", "<=b", ">a" and ">=a", each
// with or without the result's own unit behind it. Both are "" for anything
// else: a range in another unit, a lower limit that is not below the upper
// ("0-0" is how many analyzers say that they have none), a single number.
func parseLimits(text, unit string) (low, high string) {
	text = cutUnit(text, unit)
	if rest, ok := cutAny(text, "<=", "<"); ok {
		return "", wholeLimit(rest)
	}
	if rest, ok := cutAny(text, ">=", ">"); ok {
		return wholeLimit(rest), ""
	}
	n, _ := decimalPrefix(text)
	low = text[:n]
	rest, ok := cutAny(strings.TrimLeft(text[n:], " "), "-", "^", "to")
	high = wholeLimit(rest)
	if !ok || wholeLimit(low) == "" || high == "" || !less(low, high) {
		return "", ""
	}
	return low, high
}

// wholeLimit returns s without blanks at its ends if it is a decimal without
// an exponent, else "".
func wholeLimit(s string) string {
	s = strings.Trim(s, " ")
	if n, digits := decimalPrefix(s); n == 0 || n != len(s) || digits > maxDigits {
		return ""
	}
	return s
}

// cutUnit takes the unit off the end of a range. A unit that could be part of
// a number ("10*3/uL") has to stand apart from it.
func cutUnit(text, unit string) string {
	rest, ok := strings.CutSuffix(text, unit)
	if !ok || unit == "" || rest == "" {
		return text
	}
	if c := unit[0]; !strings.HasSuffix(rest, " ") && ('0' <= c && c <= '9' || c == '.' || c == '-') {
		return text
	}
	return strings.TrimRight(rest, " ")
}

func cutAny(s string, prefixes ...string) (rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return "", false
}
