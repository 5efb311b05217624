package drivers

import (
	"strings"
	"testing"
)

func TestParseValue(t *testing.T) {
	for _, c := range []struct{ text, comparator, number, absent string }{
		{"5.40", "", "5.40", ""},
		{" 131.0 ", "", "131.0", ""},
		{"-1.5", "", "-1.5", ""},
		{"+3", "", "+3", ""},
		{".5", "", ".5", ""},
		{"1.2e-3", "", "1.2e-3", ""},
		{"<0.05", "<", "0.05", ""},
		{"< 20", "<", "20", ""},
		{">=1000", ">=", "1000", ""},
		{"<=7", "<=", "7", ""},
		{"> 8", ">", "8", ""},
		{"7,41", "", "", ""},
		{"-1^0.282", "", "", ""},
		{"1+", "", "", ""},
		{"+++", "", "", ""},
		{"POS", "", "", ""},
		{"NA", "", "", ""},
		{"1:40", "", "", ""},
		{"<", "", "", ""},
		{"1e", "", "", ""},
		{"0x1F", "", "", ""},
		{"1_000", "", "", ""},
		{"NaN", "", "", ""},
		{"Inf", "", "", ""},
		{"", "", "", "unknown"},
		{"---", "", "", "unknown"},
		{"*****", "", "", "unknown"},
	} {
		got := ParseValue(c.text)
		if got.Text != strings.TrimSpace(c.text) || got.Comparator != c.comparator || got.Number != c.number || got.Absent != c.absent {
			t.Errorf("%q: %+v", c.text, got)
		}
	}
}

func TestWithComma(t *testing.T) {
	for _, c := range []struct{ text, comparator, number string }{
		{"7,41", "", "7.41"},
		{"< 0,05", "<", "0.05"},
		{"12", "", "12"},
		{"1.234", "", ""}, // thousands or thousandths
		{"1.234,5", "", ""},
		{"1,234,5", "", ""},
		{"A, B", "", ""},
		{"---", "", ""},
	} {
		if got := ParseValue(c.text).WithComma(); got.Text != c.text || got.Comparator != c.comparator || got.Number != c.number {
			t.Errorf("%q: %+v", c.text, got)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add("<= +1.50e-3")
	f.Fuzz(func(t *testing.T, text string) {
		v := ParseValue(text)
		if v.Text != strings.TrimSpace(text) {
			t.Errorf("text changed: %q to %q", text, v.Text)
		}
		if v.Number != "" && (!strings.HasSuffix(v.Text, v.Number) || !strings.HasPrefix(v.Text, v.Comparator)) {
			t.Errorf("%q reads as %+v", text, v)
		}
	})
}
