package hl7

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/labcourier/labcourier/drivers"
)

// section sets options for Parse.
type section Options

func (s section) Decode(dst any) error { *dst.(*Options) = Options(s); return nil }

const header251 = "MSH|^~\\&|SIM||||20260722091501||ORU^R01|1|P|2.5.1\r"

func parse(t *testing.T, message string, o Options) []drivers.Report {
	t.Helper()
	reports, err := Parse([]byte(message), drivers.ParseOptions{Section: section(o)})
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		kind, value string
		want        []string // of each value: text, comparator and number, separator and second, code, absent
	}{
		{"NM", "5.40", []string{"5.40|5.40"}},
		{"NM", " 5.40 ", []string{"5.40|5.40"}},
		{"NM", "<5", []string{"<5|<5"}},
		{"NM", "---", []string{"---|!unknown"}},
		{"NM", "", []string{"|!unknown"}},
		{"NM", `""`, []string{"|!unknown"}},
		{"NM", "5,4", []string{"5,4|"}},
		{"NM", "1~2", []string{"1|1", "2|2"}},
		{"ST", "POS", []string{"POS|"}},
		{"ST", "NEG^", []string{"NEG|"}},
		{"ST", "^31.3", []string{"31.3|31.3"}},
		{"ST", "-1^0.282", []string{"-1^0.282|"}},
		{"ST", "< 20", []string{"< 20|<20"}},
		{"ST", `a\F\b\S\c\T\d\R\e\E\f`, []string{`a|b^c&d~e\f|`}},
		{"", "7", []string{"7|7"}},
		{"TX", "one~two", []string{"one\ntwo|"}},
		{"FT", `one\.br\two\H\bold\N\`, []string{"one\ntwobold|"}},
		{"SN", "^5.4", []string{"5.4|5.4"}},
		{"SN", "=^5.4", []string{"=5.4|5.4"}},
		{"SN", "<^0.01", []string{"<0.01|<0.01"}},
		{"SN", ">=^100", []string{">=100|>=100"}},
		{"SN", "<>^7", []string{"<>7|"}},
		{"SN", "^1^:^128", []string{"1:128|1:128"}},
		{"SN", "^1^/^2", []string{"1/2|1/2"}},
		{"SN", "^2^-^5", []string{"2-5|2-5"}},
		{"SN", "^2^+", []string{"2+|"}},
		{"SN", ">^1^:^128", []string{">1:128|"}},
		{"SN", "<0.05", []string{"<0.05|<0.05"}},
		{"SN", "^x", []string{"x|"}},
		{"SN", "", []string{"|!unknown"}},
		{"NR", "1^5", []string{"1-5|1-5"}},
		{"NR", "1^", []string{"1-|"}},
		{"NR", "", []string{"|!unknown"}},
		{"CE", "POS^Positive^L", []string{"Positive|{POS Positive}"}},
		{"CWE", "10828004^Positive^SCT^P^Pos^L", []string{"Positive|{http://snomed.info/sct 10828004 Positive} {P Pos}"}},
		{"CE", "1", []string{"1|{1}"}},
		{"CE", "^Detected", []string{"Detected|"}},
		{"CE", "^^^A^Alpha^L", []string{"Alpha|{A Alpha}"}},
		{"CE", "A^a~B^b", []string{"a|{A a}", "b|{B b}"}},
		{"CE", "", []string{"|!unknown"}},
		{"IS", "T", []string{"T|{T}"}},
		{"ED", "^image^png^Base64^12345", []string{"data in the stored message (ED)|!unsupported"}},
		{"RP", "http://x^y", []string{"data in the stored message (RP)|!unsupported"}},
		{"NA", "1^2^3", []string{"data in the stored message (NA)|!unsupported"}},
		{"ED", "", []string{"|!unknown"}},
		{"DT", "20260722", []string{"20260722|@2026-07-22T00:00:00+02:00/3"}},
		{"DT", "202607", []string{"202607|@2026-07-01T00:00:00+02:00/2"}},
		{"TM", "0915", []string{"0915|@09:15:00"}},
		{"TM", "091501.25", []string{"091501.25|@09:15:01.25"}},
		{"TS", "20260722091501", []string{"20260722091501|@2026-07-22T09:15:01+02:00/5"}},
		{"DTM", "20260122091501.5-0500", []string{"20260122091501.5-0500|@2026-01-22T09:15:01.5-05:00/6"}},
		{"DTM", "202601220915", []string{"202601220915|@2026-01-22T09:15:00+01:00/4"}},
		{"DTM", "2026", []string{"2026|@2026-01-01T00:00:00+01:00/1"}},
		{"DTM", "2026~20260102", []string{"2026|@2026-01-01T00:00:00+01:00/1", "20260102|@2026-01-02T00:00:00+01:00/3"}},
		{"DR", "202601^202602", []string{"202601^202602|@2026-01-01T00:00:00+01:00/2@2026-02-01T00:00:00+01:00/2"}},
		{"DTM", "", []string{"|!unknown"}},
		{"nm", "5", []string{"5|5"}},
		{"QQ", "12", []string{"12|"}},
		// What is not of its type stays text, with a word on that.
		{"DT", "20260722091501", []string{"20260722091501|"}},
		{"DT", "20260732", []string{"20260732|"}},
		{"DT", "22.07.2026", []string{"22.07.2026|"}},
		{"DTM", "2026072209", []string{"2026072209|"}},
		{"TS", "20260722000000^D", []string{"20260722000000^D|"}},
		{"TM", "09", []string{"09|"}},
		{"TM", "2460", []string{"2460|"}},
		{"TM", "0915+0100", []string{"0915+0100|"}},
		{"TM", "0915.5", []string{"0915.5|"}},
		{"TM", "09:15", []string{"09:15|"}},
		{"DR", "202601^", []string{"202601^|"}},
		{"DR", "202601^^202602", []string{"202601^^202602|"}},
	} {
		reports, err := Parse([]byte(header251+"OBR|1||S1|X\rOBX|1|"+c.kind+"|X||"+c.value+"||||||F\r"), drivers.ParseOptions{Location: zurich(t)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range reports[0].Results {
			v := r.Value
			s := v.Text + "|" + v.Comparator + v.Number + v.Separator + v.Second
			if v.Absent != "" {
				s += "!" + v.Absent
			}
			if v.Code != nil {
				s += showCode(*v.Code)
			}
			for _, at := range []drivers.Time{v.Time, v.Until} {
				if at.Known() {
					s += fmt.Sprintf("@%s/%d", at.Value.Format(time.RFC3339Nano), at.Precision)
				}
			}
			if v.Clock != "" {
				s += "@" + v.Clock
			}
			got = append(got, s)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %q, want %q", c.kind, c.value, got, c.want)
		}
		temporal := slices.Contains([]string{"DT", "TM", "TS", "DTM", "DR"}, c.kind)
		problem := c.kind == "QQ" || temporal && c.value != "" && !strings.Contains(got[0], "@")
		if (len(reports[0].Problems) > 0) != problem {
			t.Errorf("%s %q: problems %q", c.kind, c.value, reports[0].Problems)
		}
	}
}

func zurich(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func showCode(c drivers.Code) string {
	s := "{" + strings.Join(strings.Fields(c.System+" "+c.Code+" "+c.Text), " ") + "}"
	for _, a := range c.Alt {
		s += " " + showCode(a)
	}
	return s
}

// The letters mean what HL7 table 0085 says, not what LIS02 does.
func TestStatus(t *testing.T) {
	for letter, want := range map[string]drivers.ResultStatus{
		"F": "final", "f": "final", "U": "final", "V": "final", "P": "preliminary", "R": "preliminary", "S": "preliminary",
		"C": "corrected", "A": "amended", "B": "amended", "D": "entered-in-error", "W": "entered-in-error",
		"I": "registered", "N": "registered", "O": "registered", "X": "cancelled", "": "preliminary", "?": "preliminary",
	} {
		rep := parse(t, header251+"OBR|1||S1|X\rOBX|1|NM|X||5||||||"+letter+"\r", Options{})[0]
		r := rep.Results[0]
		if r.Status != want || r.Previous || (len(rep.Problems) > 0) != (letter == "?") {
			t.Errorf("%q: %s, previous %v, problems %q", letter, r.Status, r.Previous, rep.Problems)
		}
		absent := map[string]string{"X": "not-performed", "N": "not-asked"}[letter]
		if r.Value.Absent != absent || (r.Value.Number == "") != (absent != "") {
			t.Errorf("%q: value %+v", letter, r.Value)
		}
	}
	reports, err := Parse([]byte(header251+"OBX|1|NM|X||5\r"), drivers.ParseOptions{DefaultStatus: drivers.StatusFinal})
	if err != nil || reports[0].Results[0].Status != drivers.StatusFinal {
		t.Errorf("default status: %+v, %v", reports, err)
	}
}

func TestUnits(t *testing.T) {
	for field, want := range map[string]string{
		"mg/dL^mg/dL^X": "mg/dL", "^Copies/mL": "Copies/mL", "mg/L^^99ROC": "mg/L", "10*9/L": "10*9/L",
		"10^9/L": "10^9/L", "10^3/uL": "10^3/uL", `""`: "", "": "", "10^x": "10", `10\S\9/L`: "10^9/L",
	} {
		rep := parse(t, header251+"OBX|1|NM|X||5|"+field+"\r", Options{})[0]
		if got := rep.Results[0].Unit; got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

// TestSpecimen: which id, for which order, and when a person must look.
func TestSpecimen(t *testing.T) {
	const obx = "OBX|1|NM|X||5||||||F\r"
	for _, c := range []struct {
		name, segments string
		opts           Options
		want           []string // of each report: purpose, id, hold in a word
	}{
		{"OBR-3", "OBR|1|P1|S1|X\r" + obx, Options{}, []string{"patient S1"}},
		{"OBR-3 with authority", "OBR|1|P1|S1&BARCODE^x|X\r" + obx, Options{}, []string{"patient S1"}},
		{"OBR-2", "OBR|1|P1^x||X\r" + obx, Options{}, []string{"patient P1"}},
		{"null is no id", "OBR|1|\"\"||X\r" + obx, Options{}, []string{"patient  no specimen"}},
		{"SPM-2 placer", "SPM|1|S1&A^F1&B\rOBR|1|P1|O1|X\r" + obx, Options{}, []string{"patient S1"}},
		{"SPM-2 filler", "SPM|1|^F1&B\rOBR|1|P1|O1|X\r" + obx, Options{}, []string{"patient F1"}},
		{"SAC-3", "SAC|||C1^x\rOBR|1|||X\r" + obx, Options{}, []string{"patient C1"}},
		{"SAC-3 and OBR differ", "SAC|||C1\rOBR|1||O1|X\r" + obx, Options{}, []string{"patient O1 OBR and"}},
		{"SAC-3 chosen", "SAC|||C1\rOBR|1||O1|X\r" + obx, Options{SpecimenID: "SAC-3"}, []string{"patient C1"}},
		{"chosen", "PID|1|T1\rOBR|1|P1|O1|X\r" + obx, Options{SpecimenID: "PID-2"}, []string{"patient T1"}},
		{"chosen component", "OBR|1||a^b&c|X\r" + obx, Options{SpecimenID: "OBR-3.2.2"}, []string{"patient c"}},
		{"chosen and not there", "OBR|1|P1|O1|X\r" + obx, Options{SpecimenID: "ORC-2"}, []string{"patient  no specimen"}},
		{"ORC before", "ORC|RE|N1\rOBR|1||O1|X\r" + obx + "ORC|RE|N2\rOBR|1||O2|X\r" + obx, Options{SpecimenID: "ORC-2"}, []string{"patient N1", "patient N2"}},
		{"a typed name", "OBR|1||John Doe|X\r" + obx, Options{}, []string{"patient John Doe what stands"}},
		{"unread barcode", "OBR|1||@192|X\r" + obx, Options{}, []string{"patient @192 what stands"}},
		{"pattern", "OBR|1||S1|X\r" + obx, Options{SpecimenPattern: "^[0-9]+$"}, []string{"patient S1 what stands"}},
		{"no order", obx, Options{}, []string{"patient  no specimen"}},
		{"SPM after each order", "OBR|1||O1|X\r" + obx + "SPM|1|S1\rOBR|2||O2|X\r" + obx + "SPM|1|S2\r", Options{}, []string{"patient S1", "patient S2"}},
		{"SPM after the last order only", "OBR|1||O1|X\r" + obx + "OBR|2||O2|X\r" + obx + "SPM|1|S2\r", Options{}, []string{"patient O1 this order", "patient S2"}},
		{"SPM before several orders", "SPM|1|S1\rOBR|1||O1|X\r" + obx + "OBR|2||O2|X\r" + obx + "SPM|2|S2\rOBR|3||O3|X\r" + obx, Options{}, []string{"patient S1", "patient S1", "patient S2"}},
		{"SPM between order and results", "OBR|1||O1|X\rSPM|1|S1\rSAC|||C1\r" + obx, Options{}, []string{"patient S1"}},
		{"SPM twice for an order", "OBR|1||O1|X\r" + obx + "SPM|1|S1\rSPM|2|S2\r", Options{}, []string{"patient S1 the order"}},
		{"SPM said to come before", "OBR|1||O1|X\r" + obx + "SPM|1|S2\rOBR|2||O2|X\r" + obx, Options{SPM: "before"}, []string{"patient O1 this order", "patient S2"}},
		{"result of the specimen itself", "SPM|1|S1\rOBX|1|NM|HEM||1\rOBR|1||O1|X\r" + obx, Options{}, []string{"patient S1", "patient S1"}},
		{"new patient, no specimen of the last", "PID|1\rSPM|1|S1\rOBR|1|||X\r" + obx + "PID|2\rOBR|1|||X\r" + obx, Options{}, []string{"patient S1", "patient  no specimen"}},
		{"control", "SPM|1|S1||SER|||||||Q\rOBR|1|||X\r" + obx, Options{}, []string{"qc S1"}},
		{"control, SPM after", "OBR|1|||X\r" + obx + "SPM|1|S1||SER|||||||Q\r", Options{}, []string{"qc S1"}},
		{"calibrator", "SPM|1|S1||SER|||||||C\rOBR|1|||X\r" + obx, Options{}, []string{"calibration S1"}},
		{"pooled", "SPM|1|S1||SER|||||||L\rOBR|1|||X\r" + obx, Options{}, []string{"patient S1 SPM-11 is"}},
		{"OBR-11", "OBR|1||S1|X|||||||Q\r" + obx, Options{}, []string{"qc S1"}},
		{"control's prefix", "OBR|1||QC-1|X\r" + obx, Options{}, []string{"qc QC-1"}},
		{"another prefix", "OBR|1||K7|X\r" + obx, Options{QCPrefixes: []string{"K"}}, []string{"qc K7"}},
		{"no prefix", "OBR|1||QC-1|X\r" + obx, Options{QCPrefixes: []string{}}, []string{"patient QC-1"}},
		{"cut off", "OBR|1||S1|X\r" + obx + "OBX|2|NM|Y||271.7|m", Options{}, []string{"patient S1 the message"}},
		{"no test code", "OBR|1||S1|X\rOBX|1|NM|||5\r", Options{}, []string{"patient S1 result 1"}},
	} {
		var got []string
		for _, r := range parse(t, header251+c.segments, c.opts) {
			words := strings.Fields(r.Hold)
			got = append(got, strings.TrimRight(fmt.Sprintf("%s %s %s", r.Purpose, r.Specimen.ID, strings.Join(words[:min(2, len(words))], " ")), " "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPurpose(t *testing.T) {
	for _, c := range []struct{ message, want string }{
		{"MSH|^~\\&|S||||||ORU^R01|1|T|2.5\rOBX|1|NM|X||5\r", "training, MSH-11 = T"},
		{"MSH|^~\\&|S||||||ORU^R01|1|D|2.5\rOBX|1|NM|X||5\r", "debugging, MSH-11 = D"},
		{"MSH|^~\\&|S||||||ORU^R01|1|Q|2.3.1\rOBX|1|NM|X||5\r", "qc, MSH-11 = Q"},
		{"MSH|^~\\&|S||||||ORU^R01|1|P|2.3.1||||1\rOBX|1|NM|X||5\r", "calibration, MSH-16 = 1"},
		{"MSH|^~\\&|S||||||ORU^R01|1|P|2.3.1||||0\rOBX|1|NM|X||5\r", "patient, "},
		{"MSH|^~\\&|S||||||QBP^Q11^QBP_Q11|1|P|2.5\rQPD|WOS|t|S1\rRCP|I\r", "query, QPD segment"},
		{"MSH|^~\\&|S||||||QRY^Q02|1|P|2.3.1\rQRD|1\rQRF|1\r", "query, QRD segment"},
		{"MSH|^~\\&|S||||||ACK^R22^ACK|1|P|2.5\rMSA|AA|1\r", "empty, an acknowledgement, or the answer to a query"},
		{"MSH|^~\\&|S||||||RSP^K11^RSP_K11|1|P|2.5\rMSA|AA|1\rQAK|t|OK\rQPD|WOS|t|S1\r", "empty, an acknowledgement, or the answer to a query"},
		{"MSH|^~\\&|S||||||ADT^A01|1|P|2.5\rPID|1\r", "empty, no OBR, OBX or query segment"},
	} {
		rep := parse(t, c.message, Options{})[0]
		if got := fmt.Sprintf("%s, %s", rep.Purpose, rep.PurposeReason); got != c.want {
			t.Errorf("%s: want %s", got, c.want)
		}
	}
}

// Several messages in one payload count on.
func TestBatchParse(t *testing.T) {
	one := header251 + "OBR|1||S1|X\rOBX|1|NM|X||5\r"
	reports := parse(t, "FHS|^~\\&\rBHS|^~\\&\r"+one+strings.ReplaceAll(one, "S1", "S2")+"BTS|2\rFTS|1\r", Options{})
	if len(reports) != 2 || reports[1].Index != 1 || reports[1].Specimen.ID != "S2" {
		t.Errorf("%+v", reports)
	}
	for _, bad := range []string{"", "\r\n", "PID|1\r", "MSH", "MSH|", "MSH|^^~|\r", "MSHxyz\r", "FHS|^~\\&\rFTS|0\r"} {
		if _, err := Parse([]byte(bad), drivers.ParseOptions{}); (err == nil) != (bad == "MSH|") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSubIDs(t *testing.T) {
	message := header251 + "OBR|1||S1|X\rOBX|1|ST|CTNG|CT1&Ct|NEG\rOBX|2|ST|CTNG|1|POS\r"
	rep := parse(t, message, Options{})[0]
	if rep.Results[0].SubID != "CT1&Ct" || rep.Results[1].SubID != "1" {
		t.Errorf("sub-ids %q and %q", rep.Results[0].SubID, rep.Results[1].SubID)
	}
	if n := rep.Results[0].Notes; len(n) != 1 || n[0].Text != "CT1&Ct" || rep.Results[1].Notes != nil {
		t.Errorf("%+v", rep.Results)
	}
	rep = parse(t, message, Options{TestCode: "OBX-3/OBX-4"})[0]
	if rep.Results[0].Test.Code != "CTNG/CT1&Ct" || rep.Results[0].Notes != nil {
		t.Errorf("%+v", rep.Results)
	}
}

// An order's number is no specimen id, and the other way round. ORC goes before OBR.
func TestOrderNumbers(t *testing.T) {
	for _, c := range []struct{ segments, placer, filler, specimen string }{
		{"OBR|1|PL-1|FI-1|X\rSPM|1|S1\r", "PL-1", "FI-1", "S1"},
		{"ORC|RE|PL-2^LIS|FI-2\rOBR|1|PL-1|FI-1|X\rSPM|1|S1\r", "PL-2", "FI-2", "S1"},
		{"OBR|1|PL-1|S1|X\r", "PL-1", "", "S1"},
		{"OBR|1|\"\"|S1|X\r", "", "", "S1"},
		{"OBR|1|S1||X\r", "", "", "S1"},
	} {
		rep := parse(t, header251+c.segments+"OBX|1|NM|X||5\r", Options{})[0]
		if o := rep.Order; o.Placer != c.placer || o.Filler != c.filler || rep.Specimen.ID != c.specimen {
			t.Errorf("%q: placer %q, filler %q, specimen %q", c.segments, o.Placer, o.Filler, rep.Specimen.ID)
		}
	}
}

func TestUnescape(t *testing.T) {
	decode := func(raw []byte) string { return decodeAll(charmap.ISO8859_1, raw) }
	for text, want := range map[string]string{
		`plain`: "plain", `\F\\S\\T\\R\\E\`: `|^&~\`, `a\E`: `a\E`, `\`: `\`, `\\`: `\\`, `\f\`: `\f\`, `\Q\`: `\Q\`,
		`\X41\`: "A", `\X4142\c`: "ABc", `\XE9\`: "é", `\X4\`: `\X4\`, `\x41\`: `\x41\`, `\X\`: `\X\`,
		`a\.br\b`: "a\nb", `a\.BR\b`: `a\.BR\b`, `a\.sp\b`: "a\nb", `a\.sp2\b`: "a\n\nb", `a\.sp+2\b`: "a\n\nb", `a\.sk3\b`: "a   b",
		`a\.ce\b`: "a\nb", `\.fi\a\.nf\`: "a", `\.in+4\a\.ti-2\`: "a", `\.sp999999999\`: `\.sp999999999\`, `\.\`: `\.\`, `\.brx\`: `\.brx\`,
		`\Ha\N\`: `\Ha\N\`, `\H\a\N\`: "a", `\C2842\`: `\C2842\`, `\M244A\`: `\M244A\`, `\Zx\`: `\Zx\`, `\Zx\F\S\`: `\Zx\F^`, `C:\dir\F\`: `C:\dir|`, `1\F`: `1\F`,
	} {
		if got := standard.unescape(text, decode); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	gb := func(raw []byte) string { return decodeAll(simplifiedchinese.GB18030, raw) }
	if got := standard.unescape(`\XB0\\XD7\x`, gb); got != "白x" {
		t.Errorf("a character in two sequences: %q", got)
	}
}

func TestCharsets(t *testing.T) {
	encode := func(enc encoding.Encoding, s string) string {
		raw, err := enc.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		name    string // MSH-18
		site    encoding.Encoding
		opts    Options
		raw     string // OBX-5
		want    string
		problem string
	}{
		{"", nil, Options{}, "Grün", "Grün", ""},
		{"", nil, Options{}, "Gr\xfcn", "Grün", ""},
		{"", charmap.Windows1251, Options{}, encode(charmap.Windows1251, "Кровь"), "Кровь", ""},
		{"ASCII", charmap.Windows1251, Options{}, encode(charmap.Windows1251, "Кровь"), "Кровь", ""},
		{"UNICODE UTF-8", charmap.Windows1251, Options{}, "Кровь", "Кровь", ""},
		{"UNICODE?UTF-8", charmap.Windows1251, Options{}, "Кровь", "Кровь", ""},
		{"utf8", charmap.Windows1251, Options{}, "Кровь", "Кровь", ""},
		{"UNICODE", nil, Options{}, "Кровь", "Кровь", ""},
		{"UNICODE UTF-8", nil, Options{}, "Gr\xfcn", "Grün", "the text is not UTF-8"},
		{"8859/1", nil, Options{}, "Gr\xfcn", "Grün", ""},
		{"ISO 8859-5", nil, Options{}, encode(charmap.ISO8859_5, "Кровь"), "Кровь", ""},
		{"8859/15", nil, Options{}, "\xa4", "€", ""},
		{"8859/99", nil, Options{}, "x", "x", "MSH-18 names"},
		{"KLINGON", nil, Options{}, "x", "x", "MSH-18 names"},
		{"GB 18030-2000", nil, Options{}, encode(simplifiedchinese.GB18030, "白细胞"), "白细胞", ""},
		{"gb2312", nil, Options{}, encode(simplifiedchinese.GB18030, "白细胞"), "白细胞", ""},
		{"Shift_JIS", nil, Options{}, encode(japanese.ShiftJIS, "ソ表"), "ソ表", ""}, // second bytes are backslashes
		{"ISO IR87", nil, Options{}, encode(japanese.ISO2022JP, "血液"), "血液", ""},
		{"KOI8-R", nil, Options{}, encode(charmap.KOI8R, "Кровь"), "Кровь", ""},
		{"WINDOWS-1252", nil, Options{}, "\x80", "€", ""},
		{"8859/1", charmap.Windows1251, Options{CharsetFrom: "site"}, encode(charmap.Windows1251, "Кровь"), "Кровь", ""},
	} {
		message := "MSH|^~\\&|S||||||ORU^R01|1|P|2.5||||||" + c.name + "\rOBR|1||S1|X\rOBX|1|ST|X||" + c.raw + "|u||||F\r"
		reports, err := Parse([]byte(message), drivers.ParseOptions{Charset: c.site, Section: section(c.opts)})
		if err != nil {
			t.Fatal(err)
		}
		rep := reports[0]
		if got := rep.Results[0].Value.Text; got != c.want || rep.Results[0].Unit != "u" {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
		if got := strings.Join(rep.Problems, "; "); (got == "") != (c.problem == "") || !strings.HasPrefix(got, c.problem) {
			t.Errorf("%q: problems %q", c.name, got)
		}
	}
	// A maker's name in GBK, with a delimiter among its bytes, and nothing said of it.
	reports := parse(t, "MSH|^~\\&|S|\x81|\x81^|||||ORU^R01|1|P|2.3.1\rOBR|1||S1|X\rOBX|1|ST|X||"+encode(simplifiedchinese.GB18030, "阴性")+"\r", Options{})
	if got := reports[0].Results[0].Value.Text; got != "阴性" {
		t.Errorf("%q", got)
	}
}

// Ten thousand results take no more than their share of time.
func TestManySegments(t *testing.T) {
	var b strings.Builder
	b.WriteString(header251 + "OBR|1||S1|X\r")
	for i := range 10_000 {
		fmt.Fprintf(&b, "OBX|%d|NM|T%d^Test^99X||%d.5|mg/dL|1-2|N|||F\rNTE|1|I|note\r", i, i, i)
	}
	rep := parse(t, b.String(), Options{})[0]
	if len(rep.Results) != 10_000 || len(rep.Results[9_999].Notes) != 1 || rep.Results[9_999].Index != 9_999 {
		t.Errorf("%d results", len(rep.Results))
	}
}

func TestSplitSegments(t *testing.T) {
	for text, want := range map[string][]string{
		"MSH|a\rPID|b\r":                 {"MSH|a", "PID|b"},
		"MSH|a\nPID|b\n":                 {"MSH|a", "PID|b"},
		"MSH|a\r\nPID|b\r\n":             {"MSH|a", "PID|b"},
		"MSH|a\r\rPID|b\n\nOBX|c\rZZ1":   {"MSH|a", "PID|b", "OBX|c", "ZZ1"},
		"NTE|one\ntwo\nOBX|x\r":          {"NTE|one\ntwo", "OBX|x"},
		"NTE|ABC\nABCD|\nAB|\nabc|\rPID": {"NTE|ABC\nABCD|\nAB|\nabc|", "PID"},
		"MSH|a\n":                        {"MSH|a"},
	} {
		if got := splitSegments(text, '|'); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestDelimiters(t *testing.T) {
	for seg, want := range map[string]string{
		`MSH|^~\&|x`: `|^~\&`, `MSH|^~\\&|x`: `|^~\&`, `MSH|^~\&#|x`: `|^~\&`, `MSH#*%!@#x`: `#*%!@`,
		`MSH|^~`: `|^~\&`, `MSH|`: `|^~\&`, `MSH^`: "^\x00~\\&", `MSH|^~\` + "\r": `|^~\&`,
		`MSH`: "", `MSHa^~\&`: "", `MSH|^^\&|x`: "", `MSH|^~\|x`: `|^~\&`, `MSH|a~\&|x`: "", `MSH|^~\&#!|x`: "", "MSH\x07^~\\&": "",
	} {
		d, err := readDelimiters(seg)
		got := string([]byte{d.field, d.component, d.repeat, d.escape, d.sub})
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", seg, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	m := header251 + "OBR|1||S1|X\rOBX|1|NM|X||5\r"
	for _, c := range []struct {
		name, raw string
		want      []string // stage and length
		faults    int
	}{
		{"blocks", "\x0b" + m + "\x1c\r\x0b" + m + "\x1c\r", []string{"complete 76", "complete 76"}, 0},
		{"cut off", "\x0b" + m + "\x1c\r\x0b" + m, []string{"complete 76", "broken 76"}, 0},
		{"noise", "x\x0b" + m + "\x1c\r", []string{"complete 76"}, 1},
		{"VT lost", m + "\x1c\r" + m + "\x1c\r", []string{"complete 76", "complete 76"}, 0},
		{"bare", m + m, []string{"complete 76", "complete 76"}, 0},
		{"a query", "MSH|^~\\&|S||||||QBP^Q11|1|P|2.5\rQPD|1\r", []string{"complete 38"}, 0},
		{"dump", `"\vMSH|^~\\&|S\r"`, nil, 1},
		{"nothing", "hello", nil, 1},
		{"garbage in a block", "\x0bhello\x1c\r", []string{"broken 5"}, 1},
	} {
		messages, faults := Split([]byte(c.raw), drivers.NoSection{})
		var got []string
		for _, m := range messages {
			got = append(got, fmt.Sprintf("%s %d", m.Stage, len(m.Payload)))
		}
		if !slices.Equal(got, c.want) || len(faults) != c.faults {
			t.Errorf("%s: %q, faults %q", c.name, got, faults)
		}
	}
}

func valid(t *testing.T, texts ...string) {
	for _, s := range texts {
		if !utf8.ValidString(s) || s != strings.TrimSpace(s) {
			t.Errorf("text %q", s)
		}
	}
}
