package fhir

const systemInterpretation = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"

// tables are exact translations, made once for each Mapper.
type tables struct {
	interpretation map[string]string // code -> display
	absent         map[string]string // code -> display
}

func newTables() tables { return tables{interpretation: interpretationTable(), absent: absentTable()} }

// interpretation maps abnormal flags: codes of the table one to one, all
// others as text. "<" and ">" are off-scale results, not comparators.
func (msg *message) interpretation(flags []string) []codeableConcept {
	var list []codeableConcept
	for i, f := range flags {
		if f = clean(f); f == "" || repeated(flags[:i], f) {
			continue
		}
		if display, ok := msg.tables.interpretation[f]; ok {
			list = append(list, codeableConcept{Coding: []coding{{System: systemInterpretation, Code: f, Display: display}}})
			continue
		}
		list = append(list, codeableConcept{Text: f})
	}
	return list
}

func repeated(earlier []string, f string) bool {
	for _, e := range earlier {
		if clean(e) == f {
			return true
		}
	}
	return false
}

// interpretationTable is the part of HL7 table 0078, and so of LIS02 R.7, that
// has the same letter in v3-ObservationInterpretation. AC, HM, OBX, QCF, TOX,
// MS and VS are not in it: they are no longer active there.
func interpretationTable() map[string]string {
	return map[string]string{
		"<":     "Off scale low",
		">":     "Off scale high",
		"A":     "Abnormal",
		"AA":    "Critical abnormal",
		"B":     "Better",
		"CAR":   "Carrier",
		"D":     "Significant change down",
		"DET":   "Detected",
		"E":     "Equivocal",
		"EX":    "outside threshold",
		"EXP":   "Expected",
		"H":     "High",
		"HH":    "Critical high",
		"HU":    "Significantly high",
		"I":     "Intermediate",
		"IE":    "Insufficient evidence",
		"IND":   "Indeterminate",
		"L":     "Low",
		"LL":    "Critical low",
		"LU":    "Significantly low",
		"N":     "Normal",
		"NCL":   "No CLSI defined breakpoint",
		"ND":    "Not detected",
		"NEG":   "Negative",
		"NR":    "Non-reactive",
		"NS":    "Non-susceptible",
		"POS":   "Positive",
		"R":     "Resistant",
		"RR":    "Reactive",
		"S":     "Susceptible",
		"SDD":   "Susceptible-dose dependent",
		"SYN-R": "Synergy - resistant",
		"SYN-S": "Synergy - susceptible",
		"U":     "Significant change up",
		"UNE":   "Unexpected",
		"W":     "Worse",
		"WR":    "Weakly reactive",
	}
}

// absentTable is the code system data-absent-reason.
func absentTable() map[string]string {
	return map[string]string{
		"unknown":           "Unknown",
		"asked-unknown":     "Asked But Unknown",
		"temp-unknown":      "Temporarily Unknown",
		"not-asked":         "Not Asked",
		"asked-declined":    "Asked But Declined",
		"masked":            "Masked",
		"not-applicable":    "Not Applicable",
		"unsupported":       "Unsupported",
		"as-text":           "As Text",
		"error":             "Error",
		"not-a-number":      "Not a Number (NaN)",
		"negative-infinity": "Negative Infinity (NINF)",
		"positive-infinity": "Positive Infinity (PINF)",
		"not-performed":     "Not Performed",
		"not-permitted":     "Not Permitted",
	}
}
