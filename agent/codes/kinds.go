package codes

import (
	"slices"
	"strings"
)

// propertiesOf lists the LOINC properties that a result in this UCUM unit can
// have, of those in [judgedProperties]; nil for a unit of which nothing is
// known. A fraction may be of numbers, mass, volume or substance: % cannot tell.
func propertiesOf(ucum string) []string {
	_, per, isRatio := strings.Cut(ucum, "/")
	per, _, _ = strings.Cut(per, "/")
	volume := slices.Contains([]string{"L", "dL", "mL", "uL", "mm3"}, per)
	amount, _, _ := strings.Cut(ucum, "/")
	switch {
	case ucum == "":
		return nil
	case isRatio && volume && slices.Contains([]string{"g", "mg", "ug", "ng", "pg"}, amount):
		return []string{"MCnc"}
	case isRatio && volume && (strings.HasSuffix(amount, "mol") || amount == "meq"):
		return []string{"SCnc"}
	case isRatio && volume && (strings.HasSuffix(amount, "U") || strings.HasSuffix(amount, "[IU]")):
		return []string{"CCnc", "ACnc"} // U is also written for arbitrary units
	case isRatio && volume && strings.HasSuffix(amount, "kat"):
		return []string{"CCnc"}
	case isRatio && volume && (amount == "" || strings.HasPrefix(amount, "10*") || amount == "{cells}" || amount == "{copies}"):
		return []string{"NCnc"}
	}
	switch ucum {
	case "%":
		return []string{"MFr", "NFr", "VFr", "SFr", "AFr", "CFr", "ACnc", "MRto", "SRto"}
	case "L/L":
		return []string{"VFr"}
	case "fL", "um3":
		return []string{"EntVol", "EntMeanVol"}
	case "pg":
		return []string{"EntMass", "EntMeanMass"}
	case "/[HPF]", "/[LPF]":
		return []string{"Naric"}
	case "s", "min":
		return []string{"Time"}
	case "mm/h":
		return []string{"Vel"}
	case "mm[Hg]", "kPa":
		return []string{"PPres"}
	case "Cel":
		return []string{"Temp"}
	case "mosm/kg", "mosm/L":
		return []string{"Osmol"}
	case "[pH]":
		return []string{"LsCnc"}
	case "mmol/mol":
		return []string{"SRto", "SFr"}
	case "mg/g", "ug/mg":
		return []string{"MRto", "MFr"}
	}
	return nil
}

// judgedProperties are those whose units are known well enough to exclude.
func judgedProperties() []string {
	return []string{
		"MCnc", "SCnc", "CCnc", "ACnc", "NCnc", "MFr", "NFr", "VFr", "SFr", "AFr", "CFr", "EntVol", "EntMeanVol",
		"EntMass", "EntMeanMass", "Naric", "Time", "Vel", "PPres", "Temp", "Osmol", "LsCnc", "MRto", "SRto",
		"MRat", "SRat", "CRat", "ARat", "Prid", "PrThr",
	}
}

// propertyFits reports whether a result in the unit may have the property. What
// is not known of either contradicts nothing.
func propertyFits(property, ucum string) bool {
	property = strings.TrimSpace(property)
	if property == "" || !slices.Contains(judgedProperties(), property) {
		return true
	}
	can := propertiesOf(ucum)
	return can == nil || slices.Contains(can, property)
}

// sameKind reports whether one UCUM unit may stand for what another measures.
func sameKind(a, b string) bool {
	if a == "" || b == "" || a == b {
		return true
	}
	x, y := propertiesOf(a), propertiesOf(b)
	return x == nil || y == nil || !apart(x, y)
}

// apart reports whether two lists have nothing in common. A list of what is not
// known has something in common with all.
func apart(a, b []string) bool {
	return a != nil && b != nil && !slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}

// materials are the words for specimens that everybody writes alike, each with
// the parts of LOINC systems that it may be. Single letters are not here: S is
// serum to one analyzer and stool to the next.
func materials() map[string][]string {
	return map[string][]string{
		"ser": {"Ser"}, "serum": {"Ser"},
		"plas": {"Plas", "PPP"}, "plasma": {"Plas", "PPP"}, "ppp": {"PPP"},
		"ur": {"Urine"}, "urine": {"Urine"},
		"csf": {"CSF"}, "cerebral spinal fluid": {"CSF"}, "cerebrospinal fluid": {"CSF"},
		"bld": {"Bld"}, "blood": {"Bld"}, "wb": {"Bld"}, "whole blood": {"Bld"}, "wholeblood": {"Bld"},
		"blda": {"Bld", "BldA"}, "arterial blood": {"Bld", "BldA"},
		"bldv": {"Bld", "BldV"}, "venous blood": {"Bld", "BldV"},
		"bldc": {"Bld", "BldC"}, "capillary blood": {"Bld", "BldC"},
	}
}

// materialsOf reads a description such as "Serum, Plasma" or "Ser/Plas"; nil if
// any part of it is not known. RBC is not in the table, and rightly judges no
// specimen of blood.
func (b *Book) materialsOf(text string) []string {
	if text == "" {
		return nil
	}
	var all []string
	text = strings.NewReplacer(" or ", "/", " and ", "/", ",", "/", ";", "/", "+", "/").Replace(strings.ToLower(text))
	for part := range strings.SplitSeq(text, "/") {
		m := b.materials[strings.TrimSpace(part)]
		if m == nil {
			return nil
		}
		all = append(all, m...)
	}
	return all
}
