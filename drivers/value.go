package drivers

import "strings"

// ParseValue reads a result's value as analyzers send it in text: a decimal
// number with or without a comparator, or else text. An empty value, or one of
// dashes or asterisks only, is absent. Nothing is rounded or rewritten; a comma
// is not taken for a decimal point.
func ParseValue(text string) Value {
	v := Value{Text: strings.TrimSpace(text)}
	if strings.Trim(v.Text, "-*") == "" {
		v.Absent = "unknown"
		return v
	}
	rest := v.Text
	for _, c := range []string{"<=", ">=", "<", ">"} {
		if after, ok := strings.CutPrefix(rest, c); ok {
			v.Comparator, rest = c, strings.TrimLeft(after, " ")
			break
		}
	}
	if !isDecimal(rest) {
		v.Comparator = ""
		return v
	}
	v.Number = rest
	return v
}

// WithComma reads the value again as one whose decimal point is a comma, for
// analyzers of which somebody said so. A point is then none: in "1.234" nobody
// can tell thousands from thousandths.
func (v Value) WithComma() Value {
	if v.Absent != "" || v.Code != nil {
		return v
	}
	if strings.Contains(v.Text, ".") {
		v.Comparator, v.Number = "", ""
		return v
	}
	if strings.Count(v.Text, ",") == 1 {
		meant := ParseValue(strings.Replace(v.Text, ",", ".", 1))
		v.Comparator, v.Number = meant.Comparator, meant.Number
	}
	return v
}

// isDecimal reports whether s is digits with at most one sign before, one point
// among and one exponent behind them.
func isDecimal(s string) bool {
	mantissa, exponent, hasExponent := cutExponent(unsigned(s))
	if hasExponent && !allDigits(unsigned(exponent)) {
		return false
	}
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	switch {
	case !hasPoint:
		return allDigits(whole)
	case whole == "":
		return allDigits(fraction)
	case fraction == "":
		return allDigits(whole)
	}
	return allDigits(whole) && allDigits(fraction)
}

// unsigned cuts one sign off.
func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

func cutExponent(s string) (mantissa, exponent string, found bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
