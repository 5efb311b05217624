package simulator

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/poct"
	"github.com/labcourier/labcourier/drivers/text"
)

// Model is a kind of analyzer: what it measures, and how its messages look.
type Model struct {
	Name   string
	Driver string // the kind of driver that reads it: "astm", "hl7", "poct", "text"
	Tests  []Test

	Header string // ASTM: H.5 and what follows it, up to H.11; HL7: MSH-3
	// TestID writes a test's code into a universal test id.
	TestID func(code string) string
	// Order writes the fields O.3 to O.5 for a specimen and its tests.
	Order func(specimen, tests string) string
	// PerRecord sends every record in frames of its own.
	PerRecord bool
	// FrameText is how much text a frame carries.
	FrameText int

	// Text is, for "text", how the analyzer's messages look: the text table that
	// labcourier reads them with. No built-in model has one; see Described.
	Text *text.Options

	bare *Bare        // ASTM without frames; see Optioned
	astm astm.Options // see Optioned
	hl7  hl7.Options  // see Placed
}

// Test is one measurand with the range in which values are made up. Low and
// High also are its reference range.
type Test struct {
	Code, Unit string
	Low, High  float64
	Decimals   int
}

// Models are the built-in models, each imitating the dialect of a real one.
func Models() []Model {
	fourth := func(code string) string { return "^^^" + code }
	plain := func(specimen, tests string) string { return specimen + "||" + tests }
	return []Model{
		{
			Name: "haematology", Driver: "astm", Header: "SIM-H500^SIM0001^1.0", PerRecord: true, FrameText: 240,
			TestID: fourth, Order: plain,
			Tests: []Test{
				{"WBC", "10*3/uL", 4, 10, 2}, {"RBC", "10*6/uL", 4, 5.5, 2}, {"HGB", "g/dL", 12, 16, 1},
				{"HCT", "%", 37, 47, 1}, {"MCV", "fL", 80, 98, 1}, {"PLT", "10*3/uL", 150, 400, 0},
				{"NEU%", "%", 40, 74, 1}, {"LYM%", "%", 19, 48, 1},
			},
		},
		{
			Name: "immunology", Driver: "astm", Header: "sim-e411^1|||||host|RSUPL^BATCH", FrameText: 240, // one record runs into the next, as on a cobas e 411
			TestID: fourth, Order: func(specimen, tests string) string { return specimen + "|17^0^1^^S1^SC|" + tests },
			Tests: []Test{
				{"TSH", "uIU/ml", 0.4, 4.2, 3}, {"FT4", "ng/dl", 0.9, 1.7, 2}, {"FERR", "ng/ml", 30, 400, 1},
				{"B12", "pg/ml", 190, 660, 0}, {"TNT", "ng/L", 3, 14, 2},
			},
		},
		{
			Name: "chemistry", Driver: "astm", Header: "SIM-C311", FrameText: 64000, // the whole message in one frame, as on a Sysmex XN or GeneXpert
			TestID: fourth, Order: plain,
			Tests: []Test{
				{"GLU", "mg/dL", 70, 100, 0}, {"CREA", "mg/dL", 0.6, 1.2, 2}, {"NA", "mmol/L", 135, 145, 0},
				{"K", "mmol/L", 3.5, 5.1, 1}, {"CL", "mmol/L", 98, 107, 0}, {"ALT", "U/L", 7, 56, 0},
			},
		},
		{
			Name: "coagulation", Driver: "astm", Header: "SIM-START4", PerRecord: true, FrameText: 240,
			TestID: fourth, Order: plain,
			Tests: []Test{{"PT", "s", 11, 13.5, 1}, {"INR", "", 0.8, 1.2, 2}, {"APTT", "s", 25, 35, 1}, {"FIB", "g/L", 2, 4, 2}},
		},
		{
			Name: "blood-gas", Driver: "hl7", Header: "SIM-BGA",
			Tests: []Test{{"pH", "", 7.35, 7.45, 3}, {"pCO2", "mmHg", 35, 45, 1}, {"pO2", "mmHg", 80, 100, 0}, {"LAC", "mmol/L", 0.5, 2, 1}},
		},
		{
			Name: "glucose-meter", Driver: "poct", Header: "SIM-GLU",
			Tests: []Test{{"GLU", "mmol/L", 3.9, 7.8, 1}},
		},
		{
			Name: "urine", Driver: "text",
			Tests: []Test{{"SG", "", 1.005, 1.03, 3}, {"PH", "", 5, 7.5, 1}, {"GLU", "mmol/L", 0, 0.8, 1}, {"PRO", "g/L", 0, 0.15, 2}},
		},
	}
}

// ModelNamed returns the built-in model of that name.
func ModelNamed(name string) (Model, bool) {
	for _, m := range Models() {
		if m.Name == name {
			return m, true
		}
	}
	return Model{}, false
}

// Sender sends as the model does.
func (m Model) Sender() Sender {
	switch m.Driver {
	case hl7.KindName:
		return &hl7.Sender{}
	case poct.KindName:
		return poct.Sender{Model: m.Header}
	case text.KindName:
		s, err := text.NewSender(m.text())
		if err != nil {
			return broken{err}
		}
		return s
	}
	if m.bare != nil {
		return *m.bare
	}
	return ASTM{FrameText: m.FrameText, PerRecord: m.PerRecord, NoChecksum: m.astm.Checksum == "none"}
}

// Optioned is the model of an ASTM analyzer that labcourier reads with these
// options: with or without frames and checksums, the specimen id and the decimal
// point where and as they are looked for, no frame longer than is taken.
func (m Model) Optioned(o astm.Options) Model {
	m.bare, m.astm = nil, o
	if o.MaxFrame > 0 {
		m.FrameText = min(m.FrameText, o.MaxFrame)
	}
	if o.Framing == "none" {
		m.bare = &Bare{Answered: o.Answer == "ack"}
	}
	return m
}

// Placed is the model of an HL7 analyzer that labcourier reads with these options:
// the specimen id where it is looked for.
func (m Model) Placed(o hl7.Options) Model {
	m.hl7 = o
	return m
}

// Answered reports whether the analyzer waits for an acknowledgement. One that does
// not takes for received what it has written.
func (m Model) Answered() bool {
	if m.Driver == text.KindName && m.Text != nil {
		return len(m.Text.Ack) > 0
	}
	return m.bare == nil || m.bare.Answered
}

// Generator makes up one analyzer's results. The same seed makes the same ones.
type Generator struct {
	model  Model
	prefix string
	rng    *rand.Rand
	n      int
}

// NewGenerator returns a generator whose specimen ids begin with prefix.
func NewGenerator(m Model, prefix string, seed uint64) *Generator {
	return &Generator{model: m, prefix: prefix, rng: rand.New(rand.NewPCG(seed, 17))}
}

// Next makes up the results of one specimen, measured at now. No two messages of
// a generator are the same.
func (g *Generator) Next(now time.Time) []byte {
	g.n++
	specimen := fmt.Sprintf("%s%06d", g.prefix, g.n)
	at := now.Format("20060102150405")
	switch g.model.Driver {
	case hl7.KindName:
		return g.hl7(specimen, at)
	case poct.KindName:
		return g.poct(specimen, now)
	case text.KindName:
		return g.text(specimen, now)
	}
	return g.astm(specimen, at)
}

// astm writes LIS02 records.
func (g *Generator) astm(specimen, at string) []byte {
	m := g.model
	var tests, b bytes.Buffer
	for i, t := range m.Tests {
		if i > 0 {
			tests.WriteByte('\\')
		}
		tests.WriteString(m.TestID(t.Code))
	}
	header := m.Header
	for range 6 - min(6, bytes.Count([]byte(header), []byte{'|'})) {
		header += "|"
	}
	fmt.Fprintf(&b, "H|\\^&|||%s|P|1|%s\r", header, at)
	named := specimen
	if m.astm.SpecimenID != "" {
		named = "" // it stands elsewhere alone
	}
	b.WriteString(g.placed("P|1", specimen))
	b.WriteString(g.placed(fmt.Sprintf("O|1|%s|R||%s||||N||||SER||||||||||F", m.Order(named, tests.String()), at), specimen))
	for i, t := range m.Tests {
		value, flag := g.measure(t)
		fmt.Fprintf(&b, "R|%d|%s|%s|%s|%s^%s|%s||F||sim||%s|SIM\r", i+1, m.TestID(t.Code), m.pointed(value), t.Unit,
			m.pointed(t.format(t.Low)), m.pointed(t.format(t.High)), flag, at)
	}
	b.WriteString("L|1|N\r")
	return b.Bytes()
}

// placed is a P or O record with the specimen id where the analyzer has it.
func (g *Generator) placed(record, specimen string) string {
	fields := strings.Split(record, "|")
	if g.model.astm.SpecimenID != "" {
		// A place that is none was refused with the configuration.
		fields, _ = g.model.astm.PlaceSpecimen(fields, specimen)
	}
	return strings.Join(fields, "|") + "\r"
}

// pointed is a number with the analyzer's decimal point.
func (m Model) pointed(number string) string {
	if m.astm.Decimal == "," {
		return strings.ReplaceAll(number, ".", ",")
	}
	return number
}

// hl7 writes an ORU^R01.
func (g *Generator) hl7(specimen, at string) []byte {
	m := g.model
	var b bytes.Buffer
	fmt.Fprintf(&b, "MSH|^~\\&|%s|SIM|||%s||ORU^R01^ORU_R01|%d|P|2.5.1||||||UNICODE UTF-8\r", m.Header, at, g.n)
	placed := func(segment string) {
		fields := strings.Split(segment, "|")
		if m.hl7.SpecimenID != "" {
			// A place that is none was refused with the configuration.
			fields, _ = m.hl7.PlaceSpecimen(fields, specimen)
		}
		b.WriteString(strings.Join(fields, "|") + "\r")
	}
	named, elsewhere, _ := strings.Cut(m.hl7.SpecimenID, "-")
	filler := specimen
	if elsewhere != "" {
		filler = fmt.Sprint(g.n) // the id stands elsewhere alone
	}
	placed("PID|1")
	if named == "ORC" {
		placed("ORC|RE")
	}
	placed(fmt.Sprintf("OBR|1||%s|%s^panel|||%s|||||||||||||||||||F", filler, m.Name, at))
	for i, t := range m.Tests {
		value, flag := g.measure(t)
		fmt.Fprintf(&b, "OBX|%d|NM|%s^%s||%s|%s|%s-%s|%s|||F|||%s||sim|||%s\r", i+1, t.Code, t.Code, value, t.Unit,
			t.format(t.Low), t.format(t.High), flag, at, at)
	}
	switch named {
	case "SPM":
		placed("SPM|1")
	case "SAC":
		b.WriteString("SPM|1\r")
		placed("SAC|")
	}
	return b.Bytes()
}

// measure draws a value that is in the reference range four times out of five.
func (g *Generator) measure(t Test) (value, flag string) {
	span := t.High - t.Low
	v := t.Low + span*(g.rng.NormFloat64()/2.6+0.5)
	v = max(v, t.Low/4)
	value = t.format(v)
	switch shown, _ := strconv.ParseFloat(value, 64); {
	case shown < t.Low:
		return value, "L"
	case shown > t.High:
		return value, "H"
	}
	return value, "N"
}

func (t Test) format(v float64) string { return strconv.FormatFloat(v, 'f', t.Decimals, 64) }
