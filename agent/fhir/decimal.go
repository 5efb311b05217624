package fhir

import (
	"math/big"
	"strings"
)

// maxDigits is how many digits FHIR asks every server to keep of a decimal.
const maxDigits = 18

// isDecimal reports whether s is a FHIR decimal (and so a JSON number) digit
// for digit, small enough that no server has to round it away.
func isDecimal(s string) bool {
	n, digits := decimalPrefix(s)
	if n == 0 || digits > maxDigits {
		return false
	}
	exp := s[n:]
	if exp == "" {
		return true
	}
	if exp[0] != 'e' && exp[0] != 'E' {
		return false
	}
	exp = exp[1:]
	if exp != "" && (exp[0] == '+' || exp[0] == '-') {
		exp = exp[1:]
	}
	// Two digits of exponent: 1e999 would be read as infinity.
	return exp != "" && len(exp) <= 2 && strings.Trim(exp, "0123456789") == ""
}

// decimalPrefix measures the decimal without exponent that s begins with; 0
// if it does not begin with one: -?(0|[1-9][0-9]*)(\.[0-9]+)?
func decimalPrefix(s string) (length, digits int) {
	i := 0
	if strings.HasPrefix(s, "-") {
		i = 1
	}
	whole := countDigits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return 0, 0
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		if part := countDigits(s[i+1:]); part > 0 {
			return i + 1 + part, whole + part
		}
	}
	return i, whole
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// less reports whether decimal a is exactly below b.
func less(a, b string) bool {
	if plainLimit(a) && plainLimit(b) {
		return lessPlain(a, b)
	}
	x, ok := new(big.Rat).SetString(a)
	if !ok {
		return false
	}
	y, ok := new(big.Rat).SetString(b)
	return ok && x.Cmp(y) < 0
}

// plainLimit reports whether s is digits with or without a point, as nearly all
// limits are.
func plainLimit(s string) bool {
	n, _ := decimalPrefix(s)
	return n > 0 && n == len(s) && s[0] != '-'
}

// lessPlain compares two plain limits. The digits before the point have no
// zeros in front.
func lessPlain(a, b string) bool {
	wholeA, partA, _ := strings.Cut(a, ".")
	wholeB, partB, _ := strings.Cut(b, ".")
	if len(wholeA) != len(wholeB) {
		return len(wholeA) < len(wholeB)
	}
	if wholeA != wholeB {
		return wholeA < wholeB
	}
	return strings.TrimRight(partA, "0") < strings.TrimRight(partB, "0")
}
