package astm

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/labcourier/labcourier/drivers"
)

func message(records ...string) []byte { return []byte(strings.Join(records, "\r") + "\r") }

func parse(t *testing.T, o drivers.ParseOptions, records ...string) []drivers.Report {
	t.Helper()
	reports, err := Parse(message(records...), o)
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

type options Options

func (o options) Decode(dst any) error { *dst.(*Options) = Options(o); return nil }

// A whole message, each field read against LIS02-A2 sections 6 to 9.
func TestReport(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, drivers.ParseOptions{Location: zurich},
		`H|\^&|4711|pw|SIM-1^2.1^A77|addr||phone|c|host|RSUPL^REAL|P|1|20261122081500`,
		`P|1|PRAC|LAB|NID|Doe^Jane||19700102|F`,
		`C|1|L|fasting|G`,
		`O|1| S-100 ^1^2|17^0^1|718-7^HGB^^HB1^1:10\^^^WBC|S|20261122070000|20261122063000||||N|||20261122071000|BLD^arm|||||||20261122081000|||F`,
		`C|1|I|E12^short sample|I`,
		`R|1|718-7^HGB^^HB1^1:10|<0.50|g/dL|11.5^16.0\12.0^17.0|L\LL|N|F||anna^bob|20261122080000|20261122080130|MOD1`,
		`C|1|I|^recheck^^|I`,
		`R|2|^^^WBC| |10*3/uL||||X`,
		`L|1|N`)
	at := func(text string, h, m, s int) drivers.Time {
		return drivers.Time{Text: text, Value: time.Date(2026, 11, 22, h, m, s, 0, zurich), Precision: drivers.Second}
	}
	note := func(source, code, text string) drivers.Note {
		return drivers.Note{Source: source, Code: code, Text: text}
	}
	hgb := drivers.Code{Code: "HB1", Text: "HGB", Alt: []drivers.Code{{System: "http://loinc.org", Code: "718-7"}}}
	want := []drivers.Report{{
		Purpose:   drivers.ForPatient,
		ControlID: "4711",
		Sent:      at("20261122081500", 8, 15, 0),
		Sender:    drivers.Sender{Name: "SIM-1"},
		Patient: drivers.Patient{PracticeID: "PRAC", LaboratoryID: "LAB", OtherID: "NID", Name: "Doe^Jane", Sex: "F",
			Birth: drivers.Time{Text: "19700102", Value: time.Date(1970, 1, 2, 0, 0, 0, 0, zurich), Precision: drivers.Day}},
		Specimen: drivers.Specimen{ID: "S-100", InstrumentID: "17^0^1", Type: "BLD", Source: "arm",
			Collected: at("20261122063000", 6, 30, 0), Received: at("20261122071000", 7, 10, 0)},
		Order: drivers.Order{Tests: []drivers.Code{hgb, {Code: "WBC"}}, Priority: "S", Action: "N", Status: drivers.StatusFinal, StatusRaw: "F",
			Requested: at("20261122070000", 7, 0, 0), Reported: at("20261122081000", 8, 10, 0)},
		Notes: []drivers.Note{note("L", "", "fasting"), note("I", "E12", "short sample")},
		Results: []drivers.Result{
			{Index: 0, Test: hgb, Value: drivers.Value{Text: "<0.50", Comparator: "<", Number: "0.50"}, Unit: "g/dL",
				Range: []string{"11.5^16.0", "12.0^17.0"}, Flags: []string{"L", "LL"}, Status: drivers.StatusFinal, StatusRaw: "F",
				Operator: "anna", Verifier: "bob", Instrument: "MOD1",
				Started: at("20261122080000", 8, 0, 0), Completed: at("20261122080130", 8, 1, 30),
				Notes: []drivers.Note{note("I", "", "recheck")}},
			{Index: 1, Test: drivers.Code{Code: "WBC"}, Value: drivers.Value{Absent: "not-performed"}, Unit: "10*3/uL",
				Status: drivers.StatusCancelled, StatusRaw: "X"},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

// The marks that keep a report from a patient's chart.
func TestPurpose(t *testing.T) {
	for name, c := range map[string]struct {
		records []string
		want    drivers.Purpose
	}{
		"patient":              {[]string{`H|\^&|||X|||||||P`, `O|1|S1||^^^A`, `R|1|^^^A|1`}, drivers.ForPatient},
		"H.12 empty":           {[]string{`H|\^&`, `O|1|S1||^^^A`, `R|1|^^^A|1`}, drivers.ForPatient},
		"H.12 QC":              {[]string{`H|\^&|||X|||||||Q`, `O|1|S1||^^^A`, `R|1|^^^A|1`}, drivers.ForQC},
		"H.12 training":        {[]string{`H|\^&|||X|||||||T`, `O|1|S1||^^^A`, `R|1|^^^A|1`}, drivers.ForTraining},
		"H.12 debugging":       {[]string{`H|\^&|||X|||||||D`, `O|1|S1||^^^A`, `R|1|^^^A|1`}, drivers.ForDebugging},
		"O.12 Q":               {[]string{`H|\^&`, `O|1|S1||^^^A|||||||Q`, `R|1|^^^A|1`}, drivers.ForQC},
		`O.12 X\Q, as e411`:    {[]string{`H|\^&`, `O|1|S1||^^^A|||||||X\Q`, `R|1|^^^A|1`}, drivers.ForQC},
		"id of a control":      {[]string{`H|\^&`, `O|1|QC-8215||^^^A`, `R|1|^^^A|1`}, drivers.ForQC},
		"in O.4, as Sysmex":    {[]string{`H|\^&`, `O|1||1^1^   QC-8215^B|^^^A`, `R|1|^^^A|1`}, drivers.ForQC},
		"a question":           {[]string{`H|\^&`, `Q|1|^S1||ALL||||||||O`}, drivers.ForQuery},
		"nothing":              {[]string{`H|\^&`}, drivers.ForNothing},
		"manufacturer records": {[]string{`H|\^&`, `M|1|QC^LEVEL2|4.21`, `S|1|CALIB`}, drivers.ForNothing},
	} {
		reports := parse(t, drivers.ParseOptions{}, append(c.records, "L|1|N")...)
		if len(reports) != 1 || reports[0].Purpose != c.want {
			t.Errorf("%s: %+v", name, reports)
		}
		if c.want != drivers.ForPatient && reports[0].PurposeReason == "" {
			t.Errorf("%s: no reason", name)
		}
	}
}

// What a person has to look at first.
func TestHold(t *testing.T) {
	order := func(id string) []string {
		return []string{`H|\^&`, `P|1||LAB-9`, `O|1|` + id + `|1^2^  O4-77^M|^^^A`, `R|1|^^^A|1`}
	}
	for name, c := range map[string]struct {
		records []string
		opts    options
		id      string
		held    bool
	}{
		"an id":                      {order("S1"), options{}, "S1", false},
		"padded":                     {order("   S1  "), options{}, "S1", false},
		"none":                       {order(""), options{}, "", true},
		"explicit null":              {order(`""`), options{}, "", true},
		"unread barcode":             {order("@192"), options{}, "@192", true},
		"a typed name":               {order("John Smith"), options{}, "John Smith", true},
		"two of them":                {order(`S1\S2`), options{}, "S1", true},
		"the same twice":             {order(`S1\S1`), options{}, "S1", false},
		"too long":                   {order(strings.Repeat("1", 65)), options{}, strings.Repeat("1", 65), true},
		"in O.4.3":                   {order(""), options{SpecimenID: "O.4.3"}, "O4-77", false},
		"in P.4":                     {order("S1"), options{SpecimenID: "P.4"}, "LAB-9", false},
		"own pattern":                {order("S1"), options{SpecimenPattern: `^[0-9]+$`}, "S1", true},
		"own pattern takes a blank":  {order("A 1"), options{SpecimenPattern: `^[A-Z] [0-9]$`}, "A 1", false},
		"a result without an order":  {[]string{`H|\^&`, `P|1`, `R|1|^^^A|1`}, options{}, "", true},
		"a result without a code":    {[]string{`H|\^&`, `O|1|S1||^^^A`, `R|1||1`}, options{}, "S1", true},
		"ended by an error, L.3 = E": {append(order("S1"), "L|1|E"), options{}, "S1", true},
		"aborted, L.3 = T":           {append(order("S1"), "L|1|T"), options{}, "S1", true},
		"ended well, L.3 = F":        {append(order("S1"), "L|1|F"), options{}, "S1", false},
	} {
		reports := parse(t, drivers.ParseOptions{Section: c.opts}, c.records...)
		if r := reports[0]; r.Specimen.ID != c.id || (r.Hold != "") != c.held {
			t.Errorf("%s: id %q, hold %q", name, r.Specimen.ID, r.Hold)
		}
		if strings.Contains(reports[0].Hold, "S1") || strings.Contains(reports[0].Hold, "Smith") {
			t.Errorf("%s: the reason holds the id: %s", name, reports[0].Hold)
		}
	}
}

// R.9 has letters of its own meaning; see the table in LIS02-A2 9.9.
func TestStatus(t *testing.T) {
	for raw, want := range map[string]drivers.Result{
		"F": {Status: drivers.StatusFinal}, "V": {Status: drivers.StatusFinal}, "M": {Status: drivers.StatusFinal},
		"P": {Status: drivers.StatusPreliminary}, "S": {Status: drivers.StatusPreliminary},
		"C": {Status: drivers.StatusCorrected}, "I": {Status: drivers.StatusRegistered},
		"X": {Status: drivers.StatusCancelled, Value: drivers.Value{Absent: "not-performed"}},
		"R": {Status: drivers.StatusFinal, Previous: true},
		"W": {Status: drivers.StatusPreliminary, Doubtful: true},
		"":  {Status: drivers.StatusFinal}, "f": {Status: drivers.StatusFinal},
	} {
		got := parse(t, drivers.ParseOptions{DefaultStatus: drivers.StatusFinal}, `H|\^&`, `O|1|S1||^^^A`, `R|1|^^^A|5.40|||||`+raw)[0].Results[0]
		if got.Status != want.Status || got.Previous != want.Previous || got.Doubtful != want.Doubtful || got.Value.Absent != want.Value.Absent {
			t.Errorf("R.9 = %q: %+v", raw, got)
		}
	}
	if got := parse(t, drivers.ParseOptions{}, `H|\^&`, `O|1|S1||^^^A`, `R|1|^^^A|1`)[0].Results[0].Status; got != drivers.StatusPreliminary {
		t.Errorf("no status and no default: %s", got)
	}
	if got := parse(t, drivers.ParseOptions{}, `H|\^&`, `O|1|S1||^^^A`, `R|1|^^^A|1|||||?`)[0]; len(got.Problems) != 1 {
		t.Errorf("unknown status: %+v", got)
	}
}

// Delimiters are the message's own, and escapes follow them (LIS02-A2 5.4).
func TestDelimitersAndEscapes(t *testing.T) {
	for name, c := range map[string]struct{ header, result, want string }{
		"standard":          {`H|\^&`, `R|1|^^^A|1&F&2&S&3&R&4&E&5`, `1|2^3\4&5`},
		"Erba":              {"H|`^&", "R|1|^^^A|1&R&2", "1`2"},
		"GeneXpert":         {`H|@^\`, `R|1|^^^A|1\F\2\R\3`, `1|2@3`},
		"another field":     {`H!\^&`, `R!1!^^^A!1&F&2`, `1!2`},
		"doubled backslash": {`H|\\^&`, `R|1|^^^A|1&R&2`, `1\2`},
		"none given":        {`H|`, `R|1|^^^A|1&F&2`, `1|2`},
		"hexadecimal":       {`H|\^&`, `R|1|^^^A|&X41B5&`, "Aµ"},
		"highlight":         {`H|\^&`, `R|1|^^^A|&H&high&N&`, "high"},
		"unknown":           {`H|\^&`, `R|1|^^^A|a&Zx&b`, "a&Zx&b"},
		"not closed":        {`H|\^&`, `R|1|^^^A|R & D`, "R & D"},
		"odd hexadecimal":   {`H|\^&`, `R|1|^^^A|&X4&`, "&X4&"},
		"explicit null":     {`H|\^&`, `R|1|^^^A|""`, ""},
	} {
		fields := string(c.header[1])
		got := parse(t, drivers.ParseOptions{}, c.header, "O"+fields+"1"+fields+"S1", c.result)[0].Results[0]
		if got.Value.Text != c.want || got.Test.Code != "A" {
			t.Errorf("%s: value %q of %q, want %q", name, got.Value.Text, got.Test.Code, c.want)
		}
	}
}

func TestTestCodes(t *testing.T) {
	loinc := func(s string) []drivers.Code { return []drivers.Code{{System: "http://loinc.org", Code: s}} }
	for id, want := range map[string]drivers.Code{
		"^^^GLU":            {Code: "GLU"},
		"^^^GLU^1":          {Code: "GLU"},
		"^^^^WBC^1":         {Code: "WBC"}, // Sysmex
		"^^^1.0000+950+1.0": {Code: "1.0000+950+1.0"},
		"^^^8/1/not":        {Code: "8/1/not"},
		"ABO":               {Code: "ABO"},
		"718-7^Hemoglobin":  {Code: "Hemoglobin", Text: "Hemoglobin", Alt: loinc("718-7")},
		"718-7":             {Code: "718-7", Alt: loinc("718-7")},
		"718-6^Hb":          {Code: "718-6", Text: "Hb"}, // its check digit is wrong: no LOINC code
		"^Glucose":          {Code: "Glucose", Text: "Glucose"},
		"":                  {},
	} {
		got := parse(t, drivers.ParseOptions{}, `H|\^&`, `O|1|S1`, `R|1|`+id+`|1`)[0].Results[0].Test
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", id, diff)
		}
	}
}

func TestCharsets(t *testing.T) {
	chinese, err := simplifiedchinese.GB18030.NewEncoder().String("H|\\^&\rO|1|S1||^^^A\rR|1|^^^A|阳性|单位\rL|1|N\r")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw         string
		o           drivers.ParseOptions
		value, unit string
	}{
		"UTF-8 is seen":        {"H|\\^&\rO|1|S1||^^^A\rR|1|^^^A|1|µg/l\r", drivers.ParseOptions{}, "1", "µg/l"},
		"else ISO 8859-1":      {"H|\\^&\rO|1|S1||^^^A\rR|1|^^^A|1|\xb5g/l\r", drivers.ParseOptions{}, "1", "µg/l"},
		"as configured":        {"H|\\^&\rO|1|S1||^^^A\rR|1|^^^A|1|\xb5g/l\r", drivers.ParseOptions{Charset: charmap.KOI8R}, "1", "╣g/l"},
		"trail bytes like | ^": {chinese, drivers.ParseOptions{Charset: simplifiedchinese.GB18030}, "阳性", "单位"},
	} {
		reports, err := Parse([]byte(c.raw), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if r := reports[0].Results[0]; r.Value.Text != c.value || r.Unit != c.unit {
			t.Errorf("%s: %q %q", name, r.Value.Text, r.Unit)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ payload, want string }{
		"empty":                   {"", "no H record"},
		"no H":                    {"O|1|S1\rR|1|^^^A|1\rL|1|N\r", "no H record"},
		"a letter as delimiter":   {"HXY^&\rL|1\r", "field delimiter"},
		"delimiters beyond ASCII": {"H|\xb5^&\rL|1\r", "no ASCII"},
	} {
		reports, err := Parse([]byte(c.payload), drivers.ParseOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || reports != nil {
			t.Errorf("%s: %v, %v", name, reports, err)
		}
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	bad := options{End: "soon", Checksum: "maybe", FrameEnd: "lf", MaxFrame: 10, MaxMessage: -1, SpecimenID: "R.3", SpecimenPattern: "("}
	_, err := New("x", bad, drivers.Deps{})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"end is", "checksum is", "frame_end is", "max_frame is", "max_message is", "specimen_id is"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for _, place := range []string{"O", "O.", "O.1", "O.3.0", "O.3.1.2", "X.3", "O.x"} {
		if _, err := New("x", options{SpecimenID: place}, drivers.Deps{}); err == nil {
			t.Errorf("specimen_id %q taken", place)
		}
	}
	if _, err := New("x", options{SpecimenPattern: "("}, drivers.Deps{}); err == nil || !strings.Contains(err.Error(), "regular expression") {
		t.Errorf("pattern: %v", err)
	}
}

// A comma is a decimal point where an option says so; a range may carry a label.
func TestCommaAndRangeLabel(t *testing.T) {
	records := []string{`H|\^&`, `P|1`, `O|1|S-1||^^^PCT`, `R|1|^^^PCT|7,41|%|0.15 - 0.40^REFERENCE_RANGE\0.1^0.5`, `L|1|N`}
	res := parse(t, drivers.ParseOptions{}, records...)[0].Results[0]
	if res.Value.Number != "" || res.Value.Text != "7,41" {
		t.Errorf("without the option: %+v", res.Value)
	}
	if diff := cmp.Diff([]string{"0.15 - 0.40", "0.1^0.5"}, res.Range); diff != "" {
		t.Error(diff)
	}
	res = parse(t, drivers.ParseOptions{Section: options{Decimal: ","}}, records...)[0].Results[0]
	if res.Value.Number != "7.41" || res.Value.Text != "7,41" {
		t.Errorf("with the option: %+v", res.Value)
	}
}

// What bends the standard is told to the status; what says the same as the
// standard is not.
func TestOptionsInForce(t *testing.T) {
	if list := (Options{End: "L", Checksum: "required", FrameEnd: "crlf", MaxFrame: MaxFrameText, SpecimenID: "O.3", Decimal: "."}).inForce(); len(list) != 0 {
		t.Errorf("the standard is told as %q", list)
	}
	got := Options{End: "eot", Checksum: "none", FrameEnd: "any", MaxFrame: 1024, SpecimenID: "P.4", Decimal: ","}.inForce()
	want := []string{"end = eot", "checksum = none", "frame_end = any", "max_frame = 1024", "specimen_id = P.4", "decimal = ,"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Messages that are large or odd are read, refused or held; never a panic, and
// never a result of nobody's.
func TestBadInput(t *testing.T) {
	many := []string{`H|\^&`, `P|1`, `O|1|S-1||^^^A`}
	for range 10_000 {
		many = append(many, `R|1|^^^A|1`)
	}
	if rep := parse(t, drivers.ParseOptions{}, append(many, `L|1|N`)...)[0]; len(rep.Results) != 10_000 || rep.Results[9_999].Index != 9_999 {
		t.Errorf("%d results", len(rep.Results))
	}
	for name, records := range map[string][]string{
		"fields without end":       {`H|\^&`, `O|1|S-1`, "R|1|^^^A|1" + strings.Repeat("|", 1<<20), `L|1`},
		"components without end":   {`H|\^&`, `O|1|S-1`, "R|1|^^^A|1" + strings.Repeat("^", 1<<20), `L|1`},
		"repetitions without end":  {`H|\^&`, `O|1|S-1` + strings.Repeat(`\`, 1<<16), "R|1|^^^A|1", `L|1`},
		"escapes without end":      {`H|\^&`, `O|1|S-1`, "R|1|^^^A|" + strings.Repeat("&", 1<<16), `L|1`},
		"HL7 by mistake":           {`MSH|^~\&|A|B`, `PID|1`, `OBX|1|NM|A||5`},
		"a result before anything": {`H|\^&`, `R|1|^^^A|1`, `L|1`},
		"all delimiters alike":     {`H||||`, `O|1|S-1`, `R|1|^^^A|1`, `L|1`},
	} {
		reports, err := Parse(message(records...), drivers.ParseOptions{})
		if err == nil && len(reports) == 0 {
			t.Errorf("%s: neither reports nor an error", name)
		}
		for _, r := range reports {
			if r.Purpose == drivers.ForPatient && r.Hold == "" && r.Specimen.ID == "" {
				t.Errorf("%s: passed on without a specimen", name)
			}
		}
	}
}
