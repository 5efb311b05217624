package text_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/text"
)

// section is the text table of a stanza.
func section(t testing.TB, name string) drivers.Section {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	return table(t, raw)
}

// table is a decoder of the text table of the first analyzer in a file. Time
// spans are written as text there, which go-toml leaves to whoever reads them.
func table(t testing.TB, raw []byte) drivers.Section {
	t.Helper()
	var file struct {
		Analyzer []map[string]any `toml:"analyzer"`
	}
	if err := toml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	options := file.Analyzer[0]["text"]
	spans(t, options)
	again, err := toml.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	return drivertest.Section(func(dst any) error {
		d := toml.NewDecoder(bytes.NewReader(again))
		return d.DisallowUnknownFields().Decode(dst)
	})
}

func spans(t testing.TB, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if s, ok := e.(string); ok && (k == "idle" || k == "timeout") {
				d, err := time.ParseDuration(s)
				if err != nil {
					t.Fatal(err)
				}
				v[k] = int64(d)
			}
			spans(t, e)
		}
	case []any:
		for _, e := range v {
			spans(t, e)
		}
	}
}

func options(t testing.TB, name string) text.Options {
	t.Helper()
	var o text.Options
	if err := section(t, name).Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// messages are written for these tests, in the dialects of the stanzas.
var messages = map[string][]string{
	"mini-vidas": {
		"\x1emtrsl|\x1epi|\x1epnTEST A|\x1esi|\x1eciV-100|\x1ertTSH|\x1ernTSH 60|\x1ett08:15|\x1etd11/22/26|\x1eqlNormal|\x1eqn1.84|\x1ey3uUI/ml|",
		"\x1emtrsl|\x1epi77|\x1epn|\x1esi|\x1eciV-101|\x1ertFER|\x1ernFerritine|\x1ett08:20|\x1etd11/22/26|\x1eql|\x1eqn<1.5|\x1ey3ng/ml|\x1ertB12|\x1ernVitamine B12|\x1ett08:21|\x1etd11/22/26|\x1eql|\x1eqn---|\x1ey3pg/ml|",
		"\x1emtrsl|\x1epi|\x1epn|\x1esi|\x1eciQC-TSH1|\x1ertTSH|\x1ernTSH 60|\x1ett08:30|\x1etd11/22/26|\x1eql|\x1eqn0.42|\x1ey3uUI/ml|",
	},
	"tosoh-g8": {
		"112T-200             \x03211220001\x03300  5.9\x034   02 5 651\x035 1A1A  B  15 650  15  77  81    4.35  0.5\x035 2SA1C B  85 650  85  97  99   91.10  5.9\x036\x037  1   -9.350\x038000111  1.0000\x03",
		"112T-201             \x03211220002\x035 1F    B  15 650  15  77  81    4.35  1.2\x036\x038000111  1.0000\x03",
		"1120003 - 02          \x03211220003\x036\x038000111  1.0000\x03",
	},
	"rapidlab-348": {
		rapidlab("R-300", "  pH          7.412      \n\n  pCO2          33.9v   mmHg\n\n  K+            3.38v   mmol/L\n",
			"  pH          7.350 - 7.450\n\n  pCO2        35.0 -  45.0\n", "  BE(B)         -2.1    mmol/L\n\n  Ca++(7.4)\n"),
		rapidlab("R-301", "  pH          7.391      \n", "  pH          7.350 - 7.450\n", ""),
		rapidlab("", "  pH          7.391      \n", "", ""),
	},
	"kx-21": {
		"D1U2611220" + "       K-400" + "000000" + "S" + "0064 " + "0452 " + "0131 " + "0398 " + "0881-" + "0290 " + "0329 " + "0245+" + strings.Repeat("0000 ", 10),
		"D1U2611220" + "       K-401" + "000000" + "S" + "*000*" + "0007 " + "0000 " + "----*" + "0881 " + "0290 " + "0329 " + "0245 " + strings.Repeat("0000 ", 10),
		"D1C2611220" + "    1" + strings.Repeat("0064", 18),
	},
	"csv-printer": {
		`"C-500";P;22.11.2026 08:15:30;GLU;5,40;mmol/l;3,9;5,8;N;V;`,
		`"C-501";P;22.11.2026 08:16;CRP;"< 0,5";mg/l;;5;;U;"Hämolyse; wiederholt"`,
		`"CTRL-1";K;22.11.2026 08:17;GLU;n.g.;mmol/l;;;;;`,
	},
	"xml-export": {
		`<?xml version="1.0" encoding="UTF-8"?><Export><Instrument serial="S77"><Model>X1</Model></Instrument>` +
			`<Sample barcode="X-600"><Collected>2026-11-22</Collected><Patient id="P9"><Birth>1980-02-29</Birth></Patient>` +
			`<Result state="released"><Assay code="NA">Sodium</Assay><Value unit="mmol/L">141</Value><Flag>N</Flag><Measured>2026-11-22T03:15:00</Measured></Result>` +
			`<Result state="released"><Assay code="K">Potassium &amp; more</Assay><Value unit="mmol/L">&gt; 10</Value><Flag>H</Flag><Measured>2026-11-22T03:15:01</Measured></Result></Sample>` +
			`<Sample barcode="X-601"><Result state="odd"><Assay code="CL"/><Value/></Result></Sample></Export>`,
		`<Export><Sample barcode="X-602"><Result><Assay code="CL"/><Value unit="mmol/L">99</Value></Result></Sample></Export>`,
		`<Export><Sample><Result><Assay code="CL"/><Value unit="mmol/L">98</Value></Result></Sample></Export>`,
	},
}

func rapidlab(id, measured, ranges, calculated string) string {
	s := "--- Siemens Diagnostics  348 ---\n\nBlood Gas Report\n\n348-D001  08:15    22 Nov 2026\n\nSample No.   17       Syringe\n\n" +
		"Operator ID    7\n\nPatient  ID    " + id + "\n\nMeasured      37 'C\n\n" + measured + "\n^ ,v  = outside ref. range\n\nReference Ranges\n\n" +
		ranges + "\nCalculated Data\n\n" + calculated + "\n"
	return strings.ReplaceAll(s, "\n", "\r") + strings.Repeat("-", 40) + "\r"
}

// brief is a report in one short line for each result, written by hand below.
func brief(reports []drivers.Report) (out []string) {
	for _, r := range reports {
		line := []string{string(r.Purpose), r.Specimen.ID, r.Specimen.InstrumentID}
		if r.Hold != "" {
			line = append(line, "hold: "+r.Hold)
		}
		line = append(line, r.Problems...)
		out = append(out, strings.Join(line, " | "))
		for _, res := range r.Results {
			v := res.Value
			at := ""
			if res.Completed.Known() {
				at = res.Completed.Value.Format("2006-01-02T15:04:05Z07:00")
			}
			line := []string{res.Test.Code, res.Test.Text, v.Text, v.Comparator + v.Number, v.Absent, res.Unit,
				strings.Join(res.Range, ","), strings.Join(res.Flags, ","), string(res.Status), at}
			for _, n := range res.Notes {
				line = append(line, n.Text)
			}
			out = append(out, "  "+strings.Join(line, " | "))
		}
	}
	return out
}

// TestStanzas reads the messages with the stanzas. What is expected was written
// from the messages, by hand.
func TestStanzas(t *testing.T) {
	want := map[string][][]string{
		"mini-vidas": {
			{"patient | V-100 | ", "  TSH | TSH 60 | 1.84 | 1.84 |  | uUI/ml |  | Normal | preliminary | 2026-11-22T08:15:00+01:00"},
			{"patient | V-101 | ",
				"  FER | Ferritine | <1.5 | <1.5 |  | ng/ml |  |  | preliminary | 2026-11-22T08:20:00+01:00",
				"  B12 | Vitamine B12 | --- |  | unknown | pg/ml |  |  | preliminary | 2026-11-22T08:21:00+01:00"},
			{"qc | QC-TSH1 | ", "  TSH | TSH 60 | 0.42 | 0.42 |  | uUI/ml |  |  | preliminary | 2026-11-22T08:30:00+01:00"},
		},
		"tosoh-g8": {
			{"patient | T-200 | 11220001", "  A1A |  | 0.5 | 0.5 |  | % |  |  | preliminary | ", "  SA1C |  | 5.9 | 5.9 |  | % |  |  | preliminary | "},
			{"patient | T-201 | 11220002", "  F |  | 1.2 | 1.2 |  | % |  |  | preliminary | "},
			{"empty | 0003 - 02 | 11220003"},
		},
		"rapidlab-348": {
			{"patient | R-300 | 17",
				"  pH |  | 7.412 | 7.412 |  |  | 7.350 - 7.450 |  | preliminary | 2026-11-22T08:15:00+05:30",
				"  pCO2 |  | 33.9 | 33.9 |  | mmHg | 35.0 -  45.0 | v | preliminary | 2026-11-22T08:15:00+05:30",
				"  K+ |  | 3.38 | 3.38 |  | mmol/L |  | v | preliminary | 2026-11-22T08:15:00+05:30",
				"  BE(B) |  | -2.1 | -2.1 |  | mmol/L |  |  | preliminary | 2026-11-22T08:15:00+05:30"},
			{"patient | R-301 | 17", "  pH |  | 7.391 | 7.391 |  |  | 7.350 - 7.450 |  | preliminary | 2026-11-22T08:15:00+05:30"},
			{"patient |  | 17 | hold: no specimen id in the fields named specimen", "  pH |  | 7.391 | 7.391 |  |  |  |  | preliminary | 2026-11-22T08:15:00+05:30"},
		},
		"kx-21": {
			{"patient | K-400 | ",
				"  WBC |  | 0064 | 6.4 |  | 10*3/uL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  RBC |  | 0452 | 4.52 |  | 10*6/uL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  HGB |  | 0131 | 13.1 |  | g/dL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  HCT |  | 0398 | 39.8 |  | % |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  MCV |  | 0881 | 88.1 |  | fL |  | - | preliminary | 2026-11-22T00:00:00+03:00",
				"  MCH |  | 0290 | 29.0 |  | pg |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  MCHC |  | 0329 | 32.9 |  | g/dL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  PLT |  | 0245 | 245 |  | 10*3/uL |  | + | preliminary | 2026-11-22T00:00:00+03:00"},
			{"patient | K-401 | ",
				"  WBC |  | *000 |  |  | 10*3/uL |  | * | preliminary | 2026-11-22T00:00:00+03:00",
				"  RBC |  | 0007 | 0.07 |  | 10*6/uL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  HGB |  | 0000 | 0.0 |  | g/dL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  HCT |  | ---- |  | unknown | % |  | * | preliminary | 2026-11-22T00:00:00+03:00",
				"  MCV |  | 0881 | 88.1 |  | fL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  MCH |  | 0290 | 29.0 |  | pg |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  MCHC |  | 0329 | 32.9 |  | g/dL |  |  | preliminary | 2026-11-22T00:00:00+03:00",
				"  PLT |  | 0245 | 245 |  | 10*3/uL |  |  | preliminary | 2026-11-22T00:00:00+03:00"},
			{"qc |  | 1"},
		},
		"csv-printer": {
			{"patient | C-500 | ", "  GLU |  | 5,40 | 5.40 |  | mmol/l | 3,9 - 5,8 | N | final | 2026-11-22T08:15:30+01:00"},
			{"patient | C-501 | ", "  CRP |  | < 0,5 | <0.5 |  | mg/l | <=5 |  | preliminary | 2026-11-22T08:16:00+01:00 | Hämolyse; wiederholt"},
			{"qc | CTRL-1 | ", "  GLU |  | n.g. |  | unknown | mmol/l |  |  | preliminary | 2026-11-22T08:17:00+01:00"},
		},
		"xml-export": {
			{"patient | X-600 | ",
				"  NA | Sodium | 141 | 141 |  | mmol/L |  | N | final | 2026-11-22T03:15:00-05:00",
				"  K | Potassium & more | > 10 | >10 |  | mmol/L |  | H | final | 2026-11-22T03:15:01-05:00",
				"patient | X-601 |  | the status of result 1 is none of statuses", "  CL |  |  |  | unknown |  |  |  | preliminary | "},
			{"patient | X-602 | ", "  CL |  | 99 | 99 |  | mmol/L |  |  | preliminary | "},
			{"patient |  |  | hold: no specimen id in the fields named specimen", "  CL |  | 98 | 98 |  | mmol/L |  |  | preliminary | "},
		},
	}
	zones := map[string]string{"mini-vidas": "Europe/Paris", "tosoh-g8": "Asia/Kolkata", "rapidlab-348": "Asia/Kolkata",
		"kx-21": "Africa/Nairobi", "csv-printer": "Europe/Berlin", "xml-export": "America/New_York"}
	for name, texts := range messages {
		t.Run(name, func(t *testing.T) {
			for i, m := range texts {
				reports, err := text.Parse([]byte(m), drivers.ParseOptions{Section: section(t, name), Location: zone(t, zones[name])})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want[name][i], brief(reports)); diff != "" {
					t.Errorf("message %d (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

// What a stanza says of the instrument and the patient arrives.
func TestReportFields(t *testing.T) {
	parse := func(name string, i int) drivers.Report {
		reports, err := text.Parse([]byte(messages[name][i]), drivers.ParseOptions{Section: section(t, name)})
		if err != nil {
			t.Fatal(err)
		}
		return reports[0]
	}
	r := parse("xml-export", 0)
	if r.Sender != (drivers.Sender{Model: "X1", Serial: "S77"}) || r.Patient.LaboratoryID != "P9" ||
		r.Patient.Birth.Precision != drivers.Day || r.Patient.Birth.Text != "1980-02-29" || r.Specimen.Collected.Precision != drivers.Day {
		t.Errorf("%+v", r)
	}
	r = parse("rapidlab-348", 0)
	if r.Sender != (drivers.Sender{Manufacturer: "Siemens", Model: "RAPIDLab 348", Serial: "348-D001"}) ||
		r.Specimen.Type != "Syringe" || r.Results[0].Operator != "7" {
		t.Errorf("%+v", r)
	}
	r = parse("mini-vidas", 0)
	if r.Patient.Name != "TEST A" || r.Results[0].Completed.Text != "11/22/26 08:15" || r.Results[0].Completed.Precision != drivers.Minute {
		t.Errorf("%+v", r)
	}
}
