package simulator

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/text"
)

// poct writes an OBS.R01 of POCT1-A2: one service with all results. The patient
// has no id, since none is made up.
func (g *Generator) poct(specimen string, now time.Time) []byte {
	const wall = "2006-01-02T15:04:05-07:00"
	var b bytes.Buffer
	v := func(name, value, unit string) {
		b.WriteString("<" + name + ` V="`)
		_ = xml.EscapeText(&b, []byte(value)) // a bytes.Buffer never fails
		if unit != "" {
			b.WriteString(`" U="`)
			_ = xml.EscapeText(&b, []byte(unit))
		}
		b.WriteString(`"/>`)
	}
	b.WriteString("<OBS.R01><HDR>")
	v("HDR.control_id", fmt.Sprintf("OBS%d", g.n), "")
	v("HDR.version_id", "POCT1", "")
	v("HDR.creation_dttm", now.Format(wall), "")
	b.WriteString("</HDR><SVC>")
	v("SVC.role_cd", "OBS", "")
	v("SVC.observation_dttm", now.Format(wall), "")
	b.WriteString("<PT>")
	for _, t := range g.model.Tests {
		value, flag := g.measure(t)
		b.WriteString("<OBS>")
		v("OBS.observation_id", t.Code, "")
		v("OBS.value", value, t.Unit)
		v("OBS.method_cd", "M", "")
		v("OBS.normal_lo-hi_limit", "["+t.format(t.Low)+";"+t.format(t.High)+"]", "")
		v("OBS.interpretation_cd", flag, "")
		b.WriteString("</OBS>")
	}
	b.WriteString("</PT><ORD>")
	v("ORD.order_id", specimen, "")
	b.WriteString("</ORD></SVC></OBS.R01>")
	return b.Bytes()
}

// text writes a message as the model's description says; nil if that cannot be
// done, which Renders tells beforehand.
func (g *Generator) text(specimen string, now time.Time) []byte {
	s, err := text.NewSender(g.model.text())
	if err != nil {
		return nil
	}
	report := drivers.Report{
		Specimen: drivers.Specimen{ID: specimen, InstrumentID: fmt.Sprint(g.n)},
		Sender:   drivers.Sender{Name: "SIM", Model: "SIM", Serial: "SIM0001"},
	}
	for _, t := range g.model.Tests {
		value, flag := g.measure(t)
		report.Results = append(report.Results, drivers.Result{
			Test: drivers.Code{Code: t.Code}, Value: drivers.Value{Text: value, Number: value}, Unit: t.Unit, Flags: []string{flag},
			Range: []string{t.format(t.Low) + "-" + t.format(t.High)}, Status: drivers.StatusFinal,
			Completed: drivers.Time{Value: now, Precision: drivers.Second},
		})
	}
	message, _, err := s.Render(report)
	if err != nil {
		return nil
	}
	return message
}

// Renders returns why no message can be made up for the model; nil if it can. It
// also returns how many results a message holds.
func (m Model) Renders() (results int, err error) {
	switch {
	case m.Driver != text.KindName:
		return len(m.Tests), nil
	case m.Text == nil:
		return 0, errors.New("how a text analyzer's messages look stands in a configuration: name it with --config and --analyzer")
	}
	s, err := text.NewSender(*m.Text)
	if err != nil {
		return 0, err
	}
	report := drivers.Report{Specimen: drivers.Specimen{ID: "SIM000001"}}
	for _, t := range m.Tests {
		low := t.format(t.Low)
		report.Results = append(report.Results, drivers.Result{
			Test: drivers.Code{Code: t.Code}, Value: drivers.Value{Text: low, Number: low},
			Completed: drivers.Time{Value: time.Now(), Precision: drivers.Second},
		})
	}
	_, results, err = s.Render(report)
	return results, err
}

// Described is the model of a text analyzer with another description. Where that
// has places for certain tests, those are measured.
func (m Model) Described(o text.Options) Model {
	m.Text = &o
	s, err := text.NewSender(o)
	if err != nil {
		return m
	}
	if codes := s.Tests(); len(codes) > 0 {
		m.Tests = nil
		for _, code := range codes {
			m.Tests = append(m.Tests, Test{Code: code, Low: 1, High: 9})
		}
	}
	return m
}

// text is the model's description; without one it is one that has faults.
func (m Model) text() text.Options {
	if m.Text != nil {
		return *m.Text
	}
	return text.Options{}
}

// broken is the sender of a model whose description has faults.
type broken struct{ err error }

func (b broken) Send(context.Context, drivers.Conn, []byte) error { return b.err }
