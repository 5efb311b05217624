package hl7

import (
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// valueType is how OBX-5 is read, by OBX-2.
type valueType uint8

const (
	textual   valueType = iota // one text, its repetitions are its lines
	plain                      // a number or text, each repetition a value
	numeric                    // SN
	spread                     // NR
	coded                      // CE and its kin
	day                        // DT
	moment                     // TS and DTM
	period                     // DR
	clock                      // TM
	elsewhere                  // too large or of no use as a value
)

// valueTypes are the types of HL7 table 0125 that analyzers send.
var valueTypes = map[string]valueType{
	"": plain, "ST": plain, "NM": plain, "SI": plain, "ID": coded, "IS": coded,
	"TX": textual, "FT": textual,
	"SN": numeric, "NR": spread,
	"CE": coded, "CWE": coded, "CNE": coded, "CF": coded,
	"DT": day, "TM": clock, "TS": moment, "DTM": moment, "DR": period,
	"ED": elsewhere, "RP": elsewhere, "NA": elsewhere, "MA": elsewhere, "CD": elsewhere,
}

// readValues reads OBX-5, times in the zone loc. There is always one value.
// Problem is what a reader should know of its type, with a verb before it.
func readValues(obx segment, loc *time.Location) (values []drivers.Value, problem string) {
	kind := strings.ToUpper(obx.component(2, 1))
	t, known := valueTypes[kind]
	if !known {
		return []drivers.Value{textValue(obx.text(5))}, "OBX-2 of result %d is of no known type"
	}
	reps := obx.repeats(5)
	switch t {
	case elsewhere:
		if obx.text(5) == "" {
			return []drivers.Value{textValue("")}, ""
		}
		return []drivers.Value{{Text: "data in the stored message (" + kind + ")", Absent: "unsupported"}}, ""
	case textual:
		return []drivers.Value{drivers.ParseValue(joinLines(obx, reps))}, ""
	}
	for _, rep := range reps {
		if len(reps) > 1 && obx.clean(rep) == "" {
			continue
		}
		v, ok := readTimes(obx, t, rep, loc)
		if t < day || t > clock {
			v, ok = readValue(obx, t, rep), true
		}
		if !ok {
			problem = "OBX-5 of result %d is not of its type " + kind + ", and is text"
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		values = append(values, textValue(""))
	}
	return values, problem
}

func readValue(obx segment, t valueType, rep string) drivers.Value {
	parts := obx.components(rep)
	switch t {
	case numeric:
		return structured(parts)
	case spread:
		return rangeOf(parts)
	case coded:
		return codedValue(parts, obx.clean(rep))
	}
	return drivers.ParseValue(single(parts, obx.clean(rep)))
}

// single is the only component that is not empty: GeneXpert sends "NEG^" for a
// text and "^31.3" for a number. Where there are more, which of them is the value
// is the model's own affair, and all of it is text.
func single(parts []string, all string) string {
	found := ""
	for _, p := range parts {
		switch {
		case p == "":
		case found != "":
			return all
		default:
			found = p
		}
	}
	return found
}

// joinLines joins repetitions: those of TX and FT are lines (HL7 2.A.78).
func joinLines(s segment, reps []string) string {
	lines := make([]string, len(reps))
	for i, r := range reps {
		lines[i] = s.clean(r)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// textValue is a value that does not read as anything.
func textValue(text string) drivers.Value {
	if text == "" {
		return drivers.Value{Absent: "unknown"}
	}
	return drivers.Value{Text: text}
}

func isNumber(s string) bool {
	v := drivers.ParseValue(s)
	return v.Number != "" && v.Comparator == ""
}

// structured reads SN: comparator ^ number ^ separator ^ number. What has no
// exact reading ("<>", "2+", a comparator before a ratio) is text.
func structured(parts []string) drivers.Value {
	comparator, first, separator, second := part(parts, 1), part(parts, 2), part(parts, 3), part(parts, 4)
	v := textValue(comparator + first + separator + second)
	switch {
	case first == "" && separator == "" && second == "":
		return drivers.ParseValue(comparator) // all in one component, as in ST
	case !isNumber(first):
	case separator == "" && second == "":
		switch comparator {
		case "=", "":
			v.Number = first
		case "<", "<=", ">", ">=":
			v.Comparator, v.Number = comparator, first
		}
	case (comparator == "" || comparator == "=") && isNumber(second):
		switch separator {
		case ":", "/", "-":
			v.Number, v.Separator, v.Second = first, separator, second
		}
	}
	return v
}

// rangeOf reads NR: low ^ high.
func rangeOf(parts []string) drivers.Value {
	low, high := part(parts, 1), part(parts, 2)
	switch {
	case isNumber(low) && isNumber(high):
		return drivers.Value{Text: low + "-" + high, Number: low, Separator: "-", Second: high}
	case low == "" && high == "":
		return textValue("")
	}
	return textValue(low + "-" + high)
}

// codedValue reads CE and its kin. A code is never read as a number.
func codedValue(parts []string, all string) drivers.Value {
	c := readCode(parts)
	if c.Code == "" {
		return textValue(or(c.Text, all))
	}
	return drivers.Value{Text: or(c.Text, c.Code), Code: &c}
}

// readCode reads code ^ text ^ system, and the same again in another system. Some
// send the second alone (Mindray's ^^^WBC^WHITE BLOOD CELL).
func readCode(parts []string) drivers.Code {
	c := codeAt(parts, 0)
	other := codeAt(parts, 3)
	switch {
	case c.Code == "" && other.Code != "":
		other.Text = or(other.Text, c.Text)
		return other
	case other.Code != "":
		c.Alt = []drivers.Code{other}
	case c.Text == "":
		c.Text = other.Text
	}
	return c
}

func codeAt(parts []string, n int) drivers.Code {
	return drivers.Code{Code: part(parts, n+1), Text: part(parts, n+2), System: systemURI(part(parts, n+3))}
}

// systemURI is the URI of a coding system of HL7 table 0396. Every other is the
// analyzer's own here, whatever it is called.
func systemURI(name string) string {
	switch strings.ToUpper(name) {
	case "LN", "LOINC":
		return "http://loinc.org"
	case "SCT", "SCT2":
		return "http://snomed.info/sct"
	}
	return ""
}
