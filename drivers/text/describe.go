package text

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// describeReport sets the fields of a report.
func (p *parser) describeReport(rep *drivers.Report, own fields) {
	for _, name := range slices.Sorted(maps.Keys(own)) {
		text := own[name]
		if text == "" {
			continue
		}
		if dst := reportText(rep, name); dst != nil {
			*dst = text
		}
		switch name {
		case fBirth:
			rep.Patient.Birth = p.time(rep, name, text)
		case fCollected:
			rep.Specimen.Collected = p.time(rep, name, text)
		case fReceived:
			rep.Specimen.Received = p.time(rep, name, text)
		case fSent:
			rep.Sent = p.time(rep, name, text)
		case fOrdered:
			rep.Order.Tests = append(rep.Order.Tests, drivers.Code{Code: text})
		case fNote:
			rep.Notes = append(rep.Notes, drivers.Note{Source: "I", Text: text})
		case fKind:
			if slices.Contains(p.QCKinds, text) {
				rep.Purpose, rep.PurposeReason = drivers.ForQC, "kind is one of qc_kinds"
			}
		}
	}
}

// reportText is where a field of a report that is plain text goes to, nil for
// any other.
func reportText(rep *drivers.Report, name string) *string {
	return map[string]*string{
		fSpecimen: &rep.Specimen.ID, fSequence: &rep.Specimen.InstrumentID,
		fSpecimenType: &rep.Specimen.Type, fSource: &rep.Specimen.Source,
		fPatient: &rep.Patient.LaboratoryID, fPatientName: &rep.Patient.Name, fSex: &rep.Patient.Sex,
		fControlID: &rep.ControlID, fPriority: &rep.Order.Priority,
		fSender: &rep.Sender.Name, fManufacturer: &rep.Sender.Manufacturer, fModel: &rep.Sender.Model,
		fVersion: &rep.Sender.Version, fSerial: &rep.Sender.Serial,
	}[name]
}

// attach sets what may also come in a record of its own.
func attach(res *drivers.Result, get func(string) string) {
	res.Unit = or(get(fUnit), res.Unit)
	if text := get(fRange); text != "" {
		res.Range = append(res.Range, text)
	}
	if low, high := get(fLow), get(fHigh); low != "" && high != "" {
		res.Range = append(res.Range, low+" - "+high)
	} else if low != "" {
		res.Range = append(res.Range, ">="+low)
	} else if high != "" {
		res.Range = append(res.Range, "<="+high)
	}
	if text := get(fFlag); text != "" {
		res.Flags = append(res.Flags, text)
	}
	if text := get(fComment); text != "" {
		res.Notes = append(res.Notes, drivers.Note{Source: "I", Text: text})
	}
}

// amend adds to the result of the same test.
func (p *parser) amend(n int, m fields) {
	rep := p.current()
	for i := len(rep.Results) - 1; i >= 0; i-- {
		if rep.Results[i].Test.Code == m[fTest] {
			attach(&rep.Results[i], func(name string) string { return m[name] })
			return
		}
	}
	rep.Problems = append(rep.Problems, fmt.Sprintf("record %d adds to a result that is not there", n))
}

// status sets a result's status from the analyzer's word for it.
func (p *parser) status(rep *drivers.Report, res *drivers.Result) {
	res.Status = p.opts.DefaultStatus
	if res.Status == "" {
		res.Status = drivers.StatusPreliminary
	}
	if res.StatusRaw == "" {
		return
	}
	meant, known := p.Statuses[res.StatusRaw]
	if !known {
		rep.Problems = append(rep.Problems, fmt.Sprintf("the status of result %d is none of statuses", res.Index+1))
		return
	}
	res.Status = drivers.ResultStatus(meant)
	if res.Status == drivers.StatusCancelled {
		res.Value = drivers.Value{Text: res.Value.Text, Absent: "not-performed"}
	}
}

func statusNames() []string {
	return []string{"registered", "partial", "preliminary", "final", "corrected", "amended", "cancelled", "entered-in-error", "unknown"}
}

// time reads a time of a report; what is none becomes a problem.
func (p *parser) time(rep *drivers.Report, name, text string) drivers.Time {
	t, ok := p.when(text, p.location())
	if !ok {
		rep.Problems = append(rep.Problems, name+" is not a time in any of time_formats")
	}
	return t
}

func (p *parser) location() *time.Location {
	if p.opts.Location == nil {
		return time.UTC
	}
	return p.opts.Location
}
