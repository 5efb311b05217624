package anonymise

import (
	"bytes"
	"slices"
	"strings"
)

// Text replaces the values, which the analyzer's description found in raw, wherever
// they stand alone in it: a digit or letter beside one may make it another value.
// One that stands nowhere alone, since a tag or another column is beside it, is
// replaced wherever it is, if it is not too short for that. Text returns those that
// it could not place. Checks of frames are the caller's.
func (m *Mask) Text(raw []byte, values []string) (out []byte, missing []string) {
	out = bytes.Clone(raw)
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) }) // a name before its parts
	done := make([]bool, len(raw))
	for _, v := range slices.Compact(values) {
		if v = strings.TrimSpace(v); v == "" {
			continue
		}
		places := places(raw, v)
		if len(places) == 0 {
			missing = append(missing, v)
		}
		for _, i := range places {
			if done[i] {
				continue
			}
			m.value(out[i:i+len(v)], 0)
			for j := i; j < i+len(v); j++ {
				done[j] = true
			}
		}
	}
	return out, missing
}

// shortest is how long a value must be to be known among other letters and digits.
const shortest = 4

// places are where a value stands alone or, if it does so nowhere, where it stands.
func places(raw []byte, v string) (at []int) {
	var among []int
	for i := 0; i+len(v) <= len(raw); i++ {
		switch {
		case !bytes.HasPrefix(raw[i:], []byte(v)):
		case alone(raw, i, len(v)):
			at = append(at, i)
		default:
			among = append(among, i)
		}
	}
	if len(at) == 0 && len(v) >= shortest {
		return among
	}
	return at
}

// alone reports whether no letter or digit stands beside the value.
func alone(raw []byte, at, n int) bool {
	wordy := func(i int) bool {
		return i >= 0 && i < len(raw) && (isLetter(raw[i]) || raw[i] >= '0' && raw[i] <= '9' || raw[i] == '.')
	}
	return !wordy(at-1) && !wordy(at+n)
}
