package validate

import (
	"encoding/json"
	"strings"
)

// The parts of FHIR R4 that are read back. Numbers stay as they are written.

type resource struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Meta         struct {
		VersionID string   `json:"versionId"`
		Tag       []coding `json:"tag"`
	} `json:"meta"`
	Identifier []identifier `json:"identifier"`
	Subject    reference    `json:"subject"`
	Issued     string       `json:"issued"`
}

// name is where it was read.
func (r *resource) name() string {
	name := r.ResourceType + "/" + r.ID
	if r.Meta.VersionID != "" {
		name += "/_history/" + r.Meta.VersionID
	}
	return name
}

// has reports whether the resource carries an identifier.
func (r *resource) has(system, value string) bool {
	for _, id := range r.Identifier {
		if id.System == system && id.Value == value {
			return true
		}
	}
	return false
}

type observation struct {
	resource
	Status            string      `json:"status"`
	Code              concept     `json:"code"`
	EffectiveDateTime string      `json:"effectiveDateTime"`
	Extension         []extension `json:"extension"`
	ValueQuantity     *quantity   `json:"valueQuantity"`
	ValueConcept      *concept    `json:"valueCodeableConcept"`
	ValueString       *string     `json:"valueString"`
	ValueRange        *struct {
		Low, High quantity
	} `json:"valueRange"`
	ValueRatio *struct {
		Numerator, Denominator quantity
	} `json:"valueRatio"`
	DataAbsentReason *concept  `json:"dataAbsentReason"`
	Interpretation   []concept `json:"interpretation"`
	Note             []struct {
		Text string `json:"text"`
	} `json:"note"`
	Specimen       reference `json:"specimen"`
	ReferenceRange []struct {
		Text string `json:"text"`
	} `json:"referenceRange"`

	values int // members that begin with "value"
}

type diagnosticReport struct {
	resource
	Status   string      `json:"status"`
	Specimen []reference `json:"specimen"`
	Result   []reference `json:"result"`
}

type specimen struct {
	resource
	AccessionIdentifier identifier `json:"accessionIdentifier"`
	ReceivedTime        string     `json:"receivedTime"`
	Collection          struct {
		CollectedDateTime string `json:"collectedDateTime"`
	} `json:"collection"`
}

type identifier struct {
	Type   concept `json:"type"`
	System string  `json:"system"`
	Value  string  `json:"value"`
}

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

type concept struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text"`
}

// codes are the concept's codes, with LOINC ones named as such.
func (c *concept) codes() string {
	var list []string
	for _, x := range c.Coding {
		if x.System == "http://loinc.org" {
			list = append(list, "LOINC "+x.Code)
			continue
		}
		list = append(list, x.Code)
	}
	if len(list) == 0 {
		return c.Text
	}
	return strings.Join(list, ", ")
}

type reference struct {
	Reference string `json:"reference"`
	Display   string `json:"display"`
}

type extension struct {
	URL           string      `json:"url"`
	ValueDateTime string      `json:"valueDateTime"`
	ValueString   string      `json:"valueString"`
	Extension     []extension `json:"extension"`
}

type quantity struct {
	Value      json.RawMessage `json:"value"` // as written
	Comparator string          `json:"comparator"`
	Unit       string          `json:"unit"`
	System     string          `json:"system"`
	Code       string          `json:"code"`
}

func (q *quantity) number() string { return string(q.Value) }

// unit is the unit as sent, and its UCUM code where it has one.
func (q *quantity) unit() string {
	switch {
	case q.Code == "":
		return q.Unit
	case q.System == "http://unitsofmeasure.org":
		return join(q.Unit, "(UCUM "+q.Code+")")
	}
	return join(q.Unit, "("+q.Code+")")
}

// readObservation reads an Observation and counts its values: R4 allows one. It
// returns nil for what is not as R4 has it.
func readObservation(raw json.RawMessage) *observation {
	var o observation
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil || json.Unmarshal(raw, &members) != nil {
		return nil
	}
	for name := range members {
		if strings.HasPrefix(name, "value") {
			o.values++
		}
	}
	return &o
}

// readReport reads a DiagnosticReport, nil for what is not as R4 has it.
func readReport(raw json.RawMessage) *diagnosticReport {
	var d diagnosticReport
	if json.Unmarshal(raw, &d) != nil {
		return nil
	}
	return &d
}

// join puts what is not empty behind each other.
func join(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
