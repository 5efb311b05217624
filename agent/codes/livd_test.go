package codes

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// mappingSheet is a LIVD mapping sheet of the second version.
func mappingSheet() [][]string {
	head := "Publication Version ID|LOINC Version ID|Manufacturer|Model|Equipment UID|Equipment UID Type|Vendor Analyte Code|Vendor Analyte Name|" +
		"Vendor Specimen Description|Vendor Result Description|Vendor Reference ID|Testkit Name ID|Testkit Name ID Type|Vendor Comment|LOINC Code|" +
		"LOINC Long Name|Component|Property|Time|System|Scale|Method"
	rows := [][]string{strings.Split(head, "|")}
	for _, r := range []string{
		`2026-1|2.80|Acme|X-100|||GLU|Glucose|Serum, Plasma|mg/dL|||||2345-7|Glucose [Mass/volume] in Serum or Plasma|Glucose|MCnc|Pt|Ser/Plas|Qn|`,
		`2026-1|2.80|Acme|X-100|||GLU|Glucose|Urine|mg/dL|||||2350-7|Glucose [Mass/volume] in Urine|Glucose|MCnc|Pt|Urine|Qn|`,
		`2026-1|2.80|Acme|X-100|||NEW|No code yet|||||||||||||||`,
		`2026-1|2.80|Acme|X-100|||BAD|Mistyped|Serum|||||"a, comment"|2345-8||||||||`,
	} {
		rows = append(rows, strings.Split(r, "|"))
	}
	return rows
}

func wantSheet(file string, first int) *Catalogue {
	row := func(n int, loinc, display, system, specimen string) Row {
		return Row{Manufacturer: "Acme", Model: "X-100", Code: "GLU", Name: "Glucose", Result: "mg/dL", LOINC: loinc,
			Display: display, Property: "MCnc", System: system, Scale: "Qn", At: fmt.Sprintf("%s row %d", file, n)}
	}
	return &Catalogue{
		File: file, Version: "2026-1", LOINC: "2.80",
		Rows: []Row{
			row(first, "2345-7", "Glucose [Mass/volume] in Serum or Plasma", "Ser/Plas", ""),
			row(first+1, "2350-7", "Glucose [Mass/volume] in Urine", "Urine", ""),
		},
		Faults: []string{fmt.Sprintf("%s row %d: its LOINC code has a wrong check digit: a digit was mistyped", file, first+3)},
	}
}

func csvText(sep string, rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				b.WriteString(sep)
			}
			b.WriteString(`"` + strings.Trim(cell, `"`) + `"`)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

func TestCSV(t *testing.T) {
	sheet := mappingSheet()
	wide := utf16.Encode([]rune(csvText("\t", sheet)))
	utf16le := []byte{0xff, 0xfe}
	for _, u := range wide {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	for name, tt := range map[string]struct {
		text  string
		first int
	}{
		"commas":                {csvText(",", sheet), 2},
		"semicolons and a mark": {"\ufeff" + csvText(";", sheet), 2},
		"titles above":          {"LOINC Mapping of Acme\r\n\r\n" + csvText(",", sheet), 4},
		"UTF-16 with tabs":      {string(utf16le), 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadLIVD("f.csv", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(wantSheet("f.csv", tt.first), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// workbookOf makes a workbook whose first sheet is a title and whose second is
// rows, with shared strings, rich text, inline strings and gaps.
func workbookOf(rows [][]string) []byte {
	var shared, sheet strings.Builder
	n := 0
	for i, r := range rows {
		fmt.Fprintf(&sheet, `<row r="%d">`, i+3)
		for j, cell := range r {
			ref := fmt.Sprintf("%c%d", 'A'+j, i+3)
			switch {
			case cell == "":
			case j == 1:
				fmt.Fprintf(&sheet, `<c r="%s" t="inlineStr"><is><t>%s</t></is></c>`, ref, cell)
			default:
				half := len(cell) / 2
				fmt.Fprintf(&shared, `<si><r><t>%s</t></r><r><t>%s</t></r><rPh><t>hint</t></rPh></si>`, cell[:half], cell[half:])
				fmt.Fprintf(&sheet, `<c r="%s" t="s"><v>%d</v></c>`, ref, n)
				n++
			}
		}
		sheet.WriteString(`</row>`)
	}
	return zipOf(map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="x"><sheets><sheet name="A" r:id="r1"/><sheet name="B" r:id="r2"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Target="/xl/worksheets/sheet2.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   `<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>`,
		"xl/worksheets/sheet2.xml":   `<worksheet><sheetData>` + sheet.String() + `</sheetData></worksheet>`,
		"xl/sharedStrings.xml":       `<sst>` + shared.String() + `</sst>`,
	})
}

func zipOf(parts map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			return nil
		}
	}
	if z.Close() != nil {
		return nil
	}
	return b.Bytes()
}

func TestXLSX(t *testing.T) {
	got, err := ReadLIVD("f.xlsx", workbookOf(mappingSheet()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantSheet("f.xlsx", 4), got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// A part that unpacks to more than it may is refused before the memory is full.
func TestZipBomb(t *testing.T) {
	parts := map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="x"><sheets><sheet name="A" r:id="r1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/sharedStrings.xml":       "<sst>" + strings.Repeat(" ", maxPart) + "</sst>",
	}
	raw := zipOf(parts)
	if len(raw) > 1<<20 {
		t.Fatalf("the bomb is %d bytes", len(raw))
	}
	if _, err := ReadLIVD("f.xlsx", raw); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func TestFHIR(t *testing.T) {
	raw, err := os.ReadFile("testdata/livd.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadLIVD("livd.json", raw)
	if err != nil {
		t.Fatal(err)
	}
	row := func(n int, model, code, loinc, display, property, system, result string) Row {
		return Row{Manufacturer: "Acme", Model: model, Code: code, Name: map[string]string{"GLU": "Glucose", "PEN": "Penicillin"}[code], LOINC: loinc,
			Display: display, Property: property, System: system, Result: result, At: fmt.Sprintf("livd.json row %d", n)}
	}
	want := &Catalogue{
		File: "livd.json", Publisher: "Acme Diagnostics", Version: "1.0", LOINC: "2.80",
		Rows: []Row{
			row(1, "X-100", "GLU", "2345-7", "Glucose [Mass/volume] in Serum or Plasma", "MCnc", "Ser/Plas", "mg/dL"),
			row(1, "X-200", "GLU", "2345-7", "Glucose [Mass/volume] in Serum or Plasma", "MCnc", "Ser/Plas", "mg/dL"),
			row(2, "X-100", "GLU", "14749-6", "Glucose [Moles/volume] in Serum or Plasma", "", "Serum", "mmol/L"),
			row(2, "X-200", "GLU", "14749-6", "Glucose [Moles/volume] in Serum or Plasma", "", "Serum", "mmol/L"),
		},
		Faults: []string{
			"livd.json row 3: it is mapped as narrower, not as equivalent",
			"livd.json row 4: it points at no ObservationDefinition of the file",
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestNotLIVD(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "no row with the column names",
		"a,b,c\n1,2,3\n":                 "no row with the column names",
		"{":                              "not JSON",
		`{"resourceType":"Patient"}`:     "neither a FHIR Bundle nor a ConceptMap",
		`{"resourceType":"Bundle"}`:      "no ConceptMap",
		"PK\x03\x04 and nothing":         "begins like a workbook",
		string(zipOf(nil)):               "neither text",
		"\xd0\xcf\x11\xe0":               "old kind",
		"MZ\x00\x01":                     "neither text",
		csvText(",", mappingSheet()[:1]): "no row of it has both",
		string(zipOf(map[string]string{"a": ""})): "without worksheets",
	} {
		if _, err := ReadLIVD("f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func FuzzLIVDText(f *testing.F) {
	f.Add([]byte(csvText(",", mappingSheet())))
	f.Add([]byte("Model;LOINC Code;Vendor Analyte Name\nX;2345-7;GLU\n"))
	f.Add([]byte("\xff\xfeM\x00o\x00"))
	f.Fuzz(fuzzLIVD)
}

func FuzzLIVDWorkbook(f *testing.F) {
	f.Add(workbookOf(mappingSheet()))
	// Most inputs are no ZIP file: a second form puts the bytes where they count.
	f.Add([]byte(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fuzzLIVD(t, raw)
		fuzzLIVD(t, zipOf(map[string]string{
			"xl/workbook.xml":            `<workbook xmlns:r="x"><sheets><sheet name="A" r:id="r1"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>`,
			"xl/worksheets/sheet1.xml":   `<worksheet><sheetData>` + string(raw) + `</sheetData></worksheet>`,
			"xl/sharedStrings.xml":       `<sst><si><t>Model</t></si><si><t>LOINC</t></si>` + string(raw) + `</sst>`,
		}))
	})
}

func FuzzLIVDFHIR(f *testing.F) {
	raw, err := os.ReadFile("testdata/livd.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"resourceType":"ConceptMap","group":[{"element":[{"code":"A","target":[{"code":"2345-7"}]}]}]}`))
	f.Fuzz(fuzzLIVD)
}

// fuzzLIVD: whatever is read is good, and can be asked about and written.
func fuzzLIVD(t *testing.T, raw []byte) {
	c, err := ReadLIVD("f", raw)
	if err != nil {
		return
	}
	b := NewBook(nil, nil, c.Rows)
	for _, r := range c.Rows[:min(len(c.Rows), 100)] {
		if CheckLOINC(r.LOINC) != "" || r.Code == "" {
			t.Fatalf("row %+v", r)
		}
		a := b.Test(Question{Manufacturer: r.Manufacturer, Model: r.Model, Code: r.Code})
		if a.LOINC == "" && a.Why == "" {
			t.Fatalf("neither an answer nor a reason for %+v", r)
		}
	}
	MergeInto(File{}, "a", c, c.Rows[:min(len(c.Rows), 100)])
}
