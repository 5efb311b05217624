package fhir

import "github.com/labcourier/labcourier/drivers"

const systemPurpose = "urn:labcourier:purpose"

// controlTag marks what is about a control or calibrator.
func controlTag() coding {
	return coding{System: systemPurpose, Code: "qc", Display: "Quality control or calibration: not a patient's result"}
}

// category is the category of a patient's result. That of a control is another
// one: a list of a patient's laboratory results must not find it by its
// category, whatever else goes wrong.
func category(r *drivers.Report, patients coding) []codeableConcept {
	if isControl(r) {
		return []codeableConcept{{Coding: []coding{controlTag()}, Text: "Quality control"}}
	}
	return []codeableConcept{{Coding: []coding{patients}}}
}

// subject is the analyzer for a control, and nobody for a patient's result: whose
// it is, the analyzer cannot say.
func (msg *message) subject(r *drivers.Report) *reference {
	if !isControl(r) {
		return nil
	}
	return &reference{Reference: msg.dev}
}

// tags are the labels of a result or report.
func tags(r *drivers.Report, at effective) []coding {
	list := at.tags()
	if isControl(r) {
		list = append(list, controlTag())
	}
	return list
}
