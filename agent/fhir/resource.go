package fhir

import "encoding/json"

// The parts of FHIR R4 that are used, members in the order of the
// specification. A member that is empty is left out: FHIR knows no empty
// strings, lists or objects.

type device struct {
	ResourceType string           `json:"resourceType"`
	Meta         *meta            `json:"meta,omitempty"`
	Identifier   []identifier     `json:"identifier"`
	Manufacturer string           `json:"manufacturer,omitempty"`
	SerialNumber string           `json:"serialNumber,omitempty"`
	DeviceName   []deviceName     `json:"deviceName,omitempty"`
	ModelNumber  string           `json:"modelNumber,omitempty"`
	Type         *codeableConcept `json:"type,omitempty"`
	Version      []deviceVersion  `json:"version,omitempty"`
	Location     *reference       `json:"location,omitempty"`
}

type deviceName struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

type deviceVersion struct {
	Value string `json:"value"`
}

type specimen struct {
	ResourceType        string           `json:"resourceType"`
	Meta                *meta            `json:"meta,omitempty"`
	Identifier          []identifier     `json:"identifier"`
	AccessionIdentifier *identifier      `json:"accessionIdentifier,omitempty"`
	Type                *codeableConcept `json:"type,omitempty"`
	Subject             *reference       `json:"subject,omitempty"`
	ReceivedTime        string           `json:"receivedTime,omitempty"`
	Collection          *collection      `json:"collection,omitempty"`
	Note                []annotation     `json:"note,omitempty"`
}

type collection struct {
	CollectedDateTime string           `json:"collectedDateTime,omitempty"`
	BodySite          *codeableConcept `json:"bodySite,omitempty"`
}

type observation struct {
	ResourceType         string            `json:"resourceType"`
	Meta                 *meta             `json:"meta,omitempty"`
	Extension            []extension       `json:"extension,omitempty"`
	Identifier           []identifier      `json:"identifier"`
	Status               string            `json:"status"`
	Category             []codeableConcept `json:"category"`
	Code                 codeableConcept   `json:"code"`
	Subject              *reference        `json:"subject,omitempty"`
	EffectiveDateTime    string            `json:"effectiveDateTime,omitempty"`
	Issued               string            `json:"issued"`
	Performer            []reference       `json:"performer,omitempty"`
	ValueQuantity        *quantity         `json:"valueQuantity,omitempty"`
	ValueCodeableConcept *codeableConcept  `json:"valueCodeableConcept,omitempty"`
	ValueString          string            `json:"valueString,omitempty"`
	ValueRange           *valueRange       `json:"valueRange,omitempty"`
	ValueRatio           *ratio            `json:"valueRatio,omitempty"`
	ValueTime            string            `json:"valueTime,omitempty"`
	ValueDateTime        string            `json:"valueDateTime,omitempty"`
	ValuePeriod          *period           `json:"valuePeriod,omitempty"`
	DataAbsentReason     *codeableConcept  `json:"dataAbsentReason,omitempty"`
	Interpretation       []codeableConcept `json:"interpretation,omitempty"`
	Note                 []annotation      `json:"note,omitempty"`
	Method               *codeableConcept  `json:"method,omitempty"`
	Specimen             *reference        `json:"specimen"`
	Device               *reference        `json:"device"`
	ReferenceRange       []referenceRange  `json:"referenceRange,omitempty"`
}

type diagnosticReport struct {
	ResourceType      string            `json:"resourceType"`
	Meta              *meta             `json:"meta,omitempty"`
	Extension         []extension       `json:"extension,omitempty"`
	Identifier        []identifier      `json:"identifier"`
	Status            string            `json:"status"`
	Category          []codeableConcept `json:"category"`
	Code              codeableConcept   `json:"code"`
	Subject           *reference        `json:"subject,omitempty"`
	EffectiveDateTime string            `json:"effectiveDateTime,omitempty"`
	EffectivePeriod   *period           `json:"effectivePeriod,omitempty"`
	Issued            string            `json:"issued"`
	Specimen          []reference       `json:"specimen"`
	Result            []reference       `json:"result"`
}

type documentReference struct {
	ResourceType string            `json:"resourceType"`
	Meta         *meta             `json:"meta,omitempty"`
	Identifier   []identifier      `json:"identifier"`
	Status       string            `json:"status"`
	Type         *codeableConcept  `json:"type,omitempty"`
	Date         string            `json:"date"`
	Author       []reference       `json:"author"`
	Description  string            `json:"description"`
	Content      []documentContent `json:"content"`
	Context      *documentContext  `json:"context,omitempty"`
}

type documentContent struct {
	Attachment attachment `json:"attachment"`
}

type documentContext struct {
	Related []reference `json:"related"`
}

// attachment has its data, size and hash from one place: see document.
type attachment struct {
	ContentType string `json:"contentType,omitempty"`
	Data        []byte `json:"data,omitempty"`
	Size        int    `json:"size"`
	Hash        []byte `json:"hash"` // SHA-1: R4 knows no other
	Title       string `json:"title,omitempty"`
	Creation    string `json:"creation,omitempty"`
}

type provenance struct {
	ResourceType string             `json:"resourceType"`
	Meta         *meta              `json:"meta"`
	Target       []reference        `json:"target"`
	Recorded     string             `json:"recorded"`
	Activity     *codeableConcept   `json:"activity,omitempty"`
	Agent        []provenanceAgent  `json:"agent"`
	Entity       []provenanceEntity `json:"entity"`
}

type provenanceAgent struct {
	Type codeableConcept `json:"type"`
	Who  reference       `json:"who"`
}

type provenanceEntity struct {
	Role string    `json:"role"`
	What reference `json:"what"`
}

type meta struct {
	Source string   `json:"source,omitempty"`
	Tag    []coding `json:"tag,omitempty"`
}

type extension struct {
	URL             string      `json:"url"`
	Extension       []extension `json:"extension,omitempty"`
	ValueDateTime   string      `json:"valueDateTime,omitempty"`
	ValueString     string      `json:"valueString,omitempty"`
	ValueAnnotation *annotation `json:"valueAnnotation,omitempty"`
}

type identifier struct {
	Type   *codeableConcept `json:"type,omitempty"`
	System string           `json:"system,omitempty"`
	Value  string           `json:"value"`
}

type coding struct {
	System  string `json:"system,omitempty"`
	Code    string `json:"code,omitempty"`
	Display string `json:"display,omitempty"`
}

type codeableConcept struct {
	Coding []coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

type reference struct {
	Reference  string      `json:"reference,omitempty"`
	Identifier *identifier `json:"identifier,omitempty"`
	Display    string      `json:"display,omitempty"`
}

// quantity holds its value as text, so that 5.40 stays 5.40. Only numbers that
// isDecimal accepts may be put there: "" would be written as nothing.
type quantity struct {
	Value      json.Number `json:"value,omitempty"`
	Comparator string      `json:"comparator,omitempty"`
	Unit       string      `json:"unit,omitempty"`
	System     string      `json:"system,omitempty"`
	Code       string      `json:"code,omitempty"`
}

type ratio struct {
	Numerator   *quantity `json:"numerator"`
	Denominator *quantity `json:"denominator"`
}

type valueRange struct {
	Low  *quantity `json:"low"`
	High *quantity `json:"high"`
}

type period struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

type referenceRange struct {
	Low  *quantity `json:"low,omitempty"`
	High *quantity `json:"high,omitempty"`
	Text string    `json:"text"`
}

type annotation struct {
	AuthorString string `json:"authorString,omitempty"`
	Text         string `json:"text"`
}

// textConcept is a concept of which only words are known; nil for no words.
func textConcept(s string) *codeableConcept {
	if s = clean(s); s == "" {
		return nil
	}
	return &codeableConcept{Text: s}
}
