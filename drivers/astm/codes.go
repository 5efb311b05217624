package astm

import (
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// isLOINC reports whether s is a LOINC code: digits, a hyphen, and the check
// digit that makes the whole satisfy the mod 10 (Luhn) rule.
func isLOINC(s string) bool {
	number, check, found := strings.Cut(s, "-")
	if !found || len(number) < 1 || len(number) > 7 || len(check) != 1 {
		return false
	}
	sum, double := 0, false
	for i := len(number+check) - 1; i >= 0; i-- {
		d := int((number + check)[i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if double {
			d = d*2/10 + d*2%10
		}
		sum, double = sum+d, !double
	}
	return sum%10 == 0
}

// testCode reads a universal test id. LIS02-A2 5.6.1 reserves its first
// component for a LOINC code; the manufacturer's code is the fourth, Sysmex counts from five, and some send one component only.
func testCode(parts []string) drivers.Code {
	code := drivers.Code{}
	for _, c := range parts[min(3, len(parts)):] {
		if c != "" {
			code.Code = c
			break
		}
	}
	if len(parts) > 1 {
		code.Text = parts[1]
	}
	first := parts[0]
	switch {
	case first == "":
	case isLOINC(first):
		if code.Code == "" {
			code.Code = or(code.Text, first)
		}
		code.Alt = []drivers.Code{{System: "http://loinc.org", Code: first}}
	case code.Code == "":
		code.Code = first
	}
	if code.Code == "" {
		code.Code = code.Text
	}
	return code
}

// orderStatus maps O.26.
func orderStatus(code string) drivers.ResultStatus {
	switch strings.ToUpper(code) {
	case "F", "Q":
		return drivers.StatusFinal
	case "C":
		return drivers.StatusCorrected
	case "P":
		return drivers.StatusPreliminary
	case "X":
		return drivers.StatusCancelled
	case "O", "I":
		return drivers.StatusRegistered
	}
	return ""
}

// setStatus maps R.9. The letters are LIS02's own: several mean something else
// in HL7 (R, W).
func setStatus(res *drivers.Result, otherwise drivers.ResultStatus) (known bool) {
	if otherwise == "" {
		otherwise = drivers.StatusPreliminary
	}
	res.Status = otherwise
	switch strings.ToUpper(res.StatusRaw) {
	case "":
	case "F", "V", "M", "Q":
		res.Status = drivers.StatusFinal
	case "C":
		res.Status = drivers.StatusCorrected
	case "P", "S":
		res.Status = drivers.StatusPreliminary
	case "I", "N":
		res.Status = drivers.StatusRegistered
	case "X":
		res.Status = drivers.StatusCancelled
		res.Value = drivers.Value{Text: res.Value.Text, Absent: "not-performed"}
	case "R":
		res.Previous = true
	case "W":
		res.Status, res.Doubtful = drivers.StatusPreliminary, true
	default:
		return false
	}
	return true
}
