package codes

import "strings"

// SystemLOINC is LOINC's name in a FHIR coding.
const SystemLOINC = "http://loinc.org"

// CheckLOINC says what is wrong with a LOINC code, "" if nothing is: one to
// seven digits, a hyphen, and the check digit (mod 10, as in LOINC's manual,
// appendix on the check digit). Whether there is such a code it cannot know.
func CheckLOINC(code string) string {
	digits, check, ok := strings.Cut(code, "-")
	if !ok || len(digits) == 0 || len(digits) > 7 || len(check) != 1 || strings.Trim(digits+check, "0123456789") != "" {
		return "is not a LOINC code: those are digits, a hyphen and one digit, such as 2345-7"
	}
	// From the right every other digit is doubled, the last one first, and the
	// digits of all are added up.
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	if want := (10 - sum%10) % 10; int(check[0]-'0') != want {
		return "has a wrong check digit: a digit was mistyped"
	}
	return ""
}
