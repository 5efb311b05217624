package anonymise

import (
	"bytes"
	"regexp"
	"slices"
)

// hl7 replaces in place.
func (m *Mask) hl7(raw []byte) {
	field, inner, esc := byte('|'), "^~&", byte('\\')
	parts(raw, "\r\n\x0B\x1C", func(seg []byte) {
		seg = bytes.TrimLeft(seg, " \x00")
		if len(seg) < 4 {
			return
		}
		name := string(seg[:3])
		if name == "MSH" && len(seg) > 7 {
			field = seg[3]
			set, _, _ := bytes.Cut(seg[4:], []byte{field})
			inner, esc = string(set), 0
			if len(set) > 2 {
				esc = set[2]
				inner = string(slices.Concat(set[:2], set[3:]))
			}
			return
		}
		if seg[3] != field {
			return
		}
		n, test := -1, ""
		parts(seg, string(rune(field)), func(f []byte) {
			if n++; n == 3 {
				test = string(f)
			}
			if !namedHL7(name, n, test) {
				return
			}
			if inner == "" {
				m.value(f, esc)
				return
			}
			parts(f, inner, func(v []byte) { m.value(v, esc) })
		})
	})
}

// remark knows results that are no results.
var remark = regexp.MustCompile(`(?i)remark|patient|name|comment|doctor|physician|birth|department|bed ?no`)

// namedHL7 reports whether field n of a segment may name somebody.
func namedHL7(segment string, n int, test string) bool {
	if n < 1 {
		return false
	}
	switch segment {
	case "PID":
		return n != 1 && n != 8
	case "PV1":
		return n > 2
	case "PD1", "NK1", "PV2", "GT1", "IN1", "IN2", "IN3", "MRG", "ACC", "DSP":
		return n > 1
	case "ORC":
		return slices.Contains([]int{2, 3, 4, 8, 10, 11, 12, 19}, n)
	case "OBR":
		return slices.Contains([]int{2, 3, 10, 13, 16, 17, 18, 19, 20, 21, 28, 32, 33, 34, 35}, n)
	case "SPM":
		return slices.Contains([]int{2, 3, 30, 31}, n)
	case "SAC":
		return n <= 4
	case "OBX":
		return n == 16 || n == 5 && remark.MatchString(test)
	case "NTE":
		return n == 3
	case "QPD":
		return n > 2
	case "QRD":
		return n == 8
	case "QRF":
		return n > 1
	}
	return segment[0] == 'Z'
}
