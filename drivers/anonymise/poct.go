package anonymise

import (
	"regexp"
	"slices"
	"strings"
)

var (
	poctTag   = regexp.MustCompile(`<(/?)([A-Za-z_][A-Za-z0-9_.:-]*)([^<>]*)>([^<]*)`)
	poctValue = regexp.MustCompile(`\bV\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// poct replaces in place: the values of elements that name somebody, and of all
// that stands in them.
func (m *Mask) poct(raw []byte) {
	depth := 0 // of elements inside of one that names somebody; 0: in none
	for _, at := range poctTag.FindAllSubmatchIndex(raw, -1) {
		closing, name := at[3] > at[2], string(raw[at[4]:at[5]])
		alone := strings.HasSuffix(string(raw[at[6]:at[7]]), "/")
		switch {
		case closing:
			depth = max(depth-1, 0)
			continue
		case depth == 0 && !namedPOCT(name):
			continue
		}
		if v := poctValue.FindSubmatchIndex(raw[at[6]:at[7]]); v != nil {
			for _, pair := range [][2]int{{v[2], v[3]}, {v[4], v[5]}} {
				if pair[0] >= 0 {
					m.value(raw[at[6]+pair[0]:at[6]+pair[1]], '&')
				}
			}
		}
		if !alone {
			m.value(raw[at[8]:at[9]], '&')
			depth++
		}
	}
}

// namedPOCT reports whether an element may name somebody.
func namedPOCT(name string) bool {
	kept := []string{"PT.gender_cd", "PT.weight", "PT.height"}
	switch {
	case slices.Contains(kept, name):
		return false
	case strings.HasPrefix(name, "PT."), strings.HasPrefix(name, "OPR."), strings.HasPrefix(name, "UPD."):
		return true
	}
	return slices.Contains([]string{
		"ORD.order_id", "ORD.ordering_provider_id", "ORD.ordering_provider", "NTE.text", "SPC.specimen_id",
	}, name)
}
