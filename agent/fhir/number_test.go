package fhir

import (
	"math/big"
	"testing"
)

func TestIsDecimal(t *testing.T) {
	yes := []string{"0", "-0", "0.0", "5.40", "-12.5", "1e5", "1E-05", "1.0e+9", "123456789012345678", "0.00000000000000001"}
	no := []string{"", "-", ".5", "5.", "05", "00", "+5", "5,4", "1e", "1e+", "1e999", "1e5x", "1 ", " 1", "0x1", "NaN", "1.2.3",
		"1234567890123456789", "0.123456789012345678", "--1", "1e1.0", "١"}
	for _, s := range yes {
		if !isDecimal(s) {
			t.Errorf("%q was not taken", s)
		}
	}
	for _, s := range no {
		if isDecimal(s) {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestParseLimits(t *testing.T) {
	tests := []struct{ text, unit, low, high string }{
		{"4.00-10.00", "", "4.00", "10.00"},
		{"4 - 10", "", "4", "10"},
		{"3.5 to 4.5", "", "3.5", "4.5"},
		{"3.5to4.5", "", "3.5", "4.5"},
		{"0.27^4.2", "", "0.27", "4.2"},
		{"-2-3", "", "-2", "3"},
		{"-2--1", "", "-2", "-1"},
		{"-2 - -1", "", "-2", "-1"},
		{"<5.0", "", "", "5.0"},
		{"< 5.0", "", "", "5.0"},
		{"<=5", "", "", "5"},
		{">1", "", "1", ""},
		{">= 1", "", "1", ""},
		{"3.5-5.1 mmol/L", "mmol/L", "3.5", "5.1"},
		{"0-5%", "%", "0", "5"},
		{"<5 ng/mL", "ng/mL", "", "5"},
		{"4-10 10*3/uL", "10*3/uL", "4", "10"},

		{"4-1010*3/uL", "10*3/uL", "", ""}, // where does the number end?
		{"3.5-5.1 mmol/L", "mg/dL", "", ""},
		{"3.5-5.1 mmol/L", "", "", ""},
		{"10-4", "", "", ""},
		{"0-0", "", "", ""},
		{"0 to 0.00", "", "", ""},
		{"5", "", "", ""},
		{"-5", "", "", ""},
		{"5-", "", "", ""},
		{"^5", "", "", ""},
		{"<", "", "", ""},
		{"<-", "", "", ""},
		{"1-2-3", "", "", ""},
		{"03-05", "", "", ""},
		{"1.-2.", "", "", ""},
		{"1e1-2e1", "", "", ""},
		{"3,5-4,5", "", "", ""},
		{"negative", "", "", ""},
		{"M: 4-5", "", "", ""},
		{"4..5", "", "", ""},
		{"<5>3", "", "", ""},
		{"%", "%", "", ""},
		{"", "", "", ""},
	}
	for _, tt := range tests {
		if low, high := parseLimits(tt.text, tt.unit); low != tt.low || high != tt.high {
			t.Errorf("parseLimits(%q, %q) = %q, %q, want %q, %q", tt.text, tt.unit, low, high, tt.low, tt.high)
		}
	}
}

// The quick comparison says what exact arithmetic says.
func TestLess(t *testing.T) {
	numbers := []string{"0", "0.0", "0.5", "0.50", "0.49", "1", "1.0", "9", "9.99", "10", "10.001", "100", "99.9", "-1", "-1.5", "1e2", "123456789012345678"}
	for _, a := range numbers {
		for _, b := range numbers {
			x, _ := new(big.Rat).SetString(a)
			y, _ := new(big.Rat).SetString(b)
			if want := x.Cmp(y) < 0; less(a, b) != want {
				t.Errorf("less(%s, %s) = %v", a, b, !want)
			}
		}
	}
}
