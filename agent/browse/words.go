package browse

import (
	"bytes"
	"encoding/json"
	"html/template"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labcourier/labcourier/drivers"
)

// words are the functions of the templates.
func words(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"moment": moment,
		"today":  func() string { return now().Local().Format("2006-01-02") },
		"pretty": pretty,
		"ranges": rangeText,
		"when":   when,
	}
}

// moment is a time for people, in this computer's zone.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// when is an analyzer's time, as it was sent where it could not be read.
func when(t drivers.Time) string {
	if !t.Known() {
		return t.Text
	}
	return t.Value.Format("2006-01-02 15:04:05 -07:00")
}

// pretty sets JSON out in lines.
func pretty(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// characters reads UTF-8, or ISO 8859-1 where it is none.
func characters(payload []byte) []rune {
	if utf8.Valid(payload) {
		return []rune(string(payload))
	}
	out := make([]rune, len(payload))
	for i, b := range payload {
		out[i] = rune(b)
	}
	return out
}

// controlName is the name that the standards give a control character; "" for
// one that prints. Formatting characters, which could turn text round, are shown
// by their number.
func controlName(c rune) string {
	switch {
	case c < 0x20:
		return c0[c]
	case c == 0x7f:
		return "DEL"
	case unicode.IsControl(c), unicode.Is(unicode.Cf, c):
		const digits = "0123456789ABCDEF"
		return "U+" + string([]byte{digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15]})
	}
	return ""
}

// c0 is the table of ISO 646.
var c0 = [32]string{
	"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
	"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
}
