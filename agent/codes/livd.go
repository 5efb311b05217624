package codes

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// MaxCatalogue is the largest LIVD file that is read, in bytes.
const MaxCatalogue = 64 << 20

// maxRows is how many rows a catalogue may have. LIVD files of a maker's whole
// range have some ten thousand.
const maxRows = 200_000

// Catalogue is a LIVD file that was read.
type Catalogue struct {
	File      string
	Publisher string
	Version   string // of the publication
	LOINC     string // version of LOINC
	Rows      []Row

	// Faults are rows that were left out, and why: "row 17: ...".
	Faults []string
}

// ReadLIVD reads a LIVD publication: CSV, XLSX, or FHIR JSON (a Bundle of the
// LIVD guide, or a ConceptMap). The form is found from the content. The name
// stands in faults and rows.
func ReadLIVD(name string, raw []byte) (*Catalogue, error) {
	c := &Catalogue{File: name}
	var err error
	text := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	switch start := bytes.TrimSpace(text[:min(len(text), 64)]); {
	case len(raw) > MaxCatalogue:
		err = fmt.Errorf("it is larger than %d MiB", MaxCatalogue>>20)
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")):
		err = c.readXLSX(raw)
	case bytes.HasPrefix(start, []byte("{")):
		err = c.readFHIR(text)
	case bytes.HasPrefix(raw, []byte("\xd0\xcf\x11\xe0")):
		err = errors.New("it is a workbook of the old kind or protected by a password: save it as .xlsx without one, or as CSV")
	default:
		err = c.readCSV(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read LIVD file %s: %w", name, err)
	}
	if len(c.Rows) == 0 {
		return nil, fmt.Errorf("read LIVD file %s: no row of it has both an analyte code and a LOINC code", name)
	}
	return c, nil
}

// at names a row of the file.
func (c *Catalogue) at(row int) string { return fmt.Sprintf("%s row %d", filepath.Base(c.File), row) }

// column is a column of LIVD's mapping sheet that is used.
type column int

const (
	colNone column = iota
	colVersion
	colLOINCVersion
	colManufacturer
	colModel
	colCode
	colName
	colSpecimen
	colResult
	colLOINC
	colDisplay
	colProperty
	colSystem
	colScale
	columns // how many there are
)

// headers are the columns' names, by letters and digits: those of LIVD's second
// version, of the first, and of the catalogue that the CDC published in 2020.
func headers() map[string]column {
	return map[string]column{
		"publicationversionid":       colVersion,
		"loincversionid":             colLOINCVersion,
		"loincversion":               colLOINCVersion,
		"manufacturer":               colManufacturer,
		"model":                      colModel,
		"vendoranalytecode":          colCode,
		"vendortransmissioncode":     colCode,
		"vendoranalytename":          colName,
		"vendorspecimendescription":  colSpecimen,
		"vendorresultdescription":    colResult,
		"loinccode":                  colLOINC,
		"loinc":                      colLOINC,
		"testperformedloinccode":     colLOINC,
		"loinclongname":              colDisplay,
		"testperformedloinclongname": colDisplay,
		"property":                   colProperty,
		"system":                     colSystem,
		"scale":                      colScale,
	}
}

// headerRows is how far down the header is looked for: above it are titles.
const headerRows = 30

// tableReader takes a sheet row by row. It is not a mapping sheet until its
// header came.
type tableReader struct {
	c      *Catalogue
	known  map[string]column
	place  []column // of each cell; nil until the header came
	number int
}

func (c *Catalogue) newTable() *tableReader { return &tableReader{c: c, known: headers()} }

// row takes the next row, or the row of that number if number is not 0.
func (t *tableReader) row(number int, cells []string) error {
	if t.number++; number > 0 {
		t.number = number
	}
	if t.place == nil {
		if t.number <= headerRows {
			t.header(cells)
		}
		return nil
	}
	if len(t.c.Rows) >= maxRows {
		return fmt.Errorf("it has more than %d rows", maxRows)
	}
	var v [columns]string
	for i, cell := range cells {
		if i < len(t.place) && t.place[i] != colNone {
			v[t.place[i]] = strings.Join(strings.Fields(cell), " ")
		}
	}
	t.take(v)
	return nil
}

// header finds the columns, if cells are a header.
func (t *tableReader) header(cells []string) {
	place := make([]column, len(cells))
	var have [columns]bool
	for i, cell := range cells {
		if col := t.known[squash(cell)]; col != colNone && !have[col] {
			place[i], have[col] = col, true
		}
	}
	if have[colLOINC] && have[colModel] && (have[colCode] || have[colName]) {
		t.place = place
	}
}

func (t *tableReader) take(v [columns]string) {
	r := Row{
		Manufacturer: v[colManufacturer], Model: v[colModel], Code: v[colCode], Name: v[colName],
		Result: v[colResult], LOINC: v[colLOINC], Display: v[colDisplay],
		Property: v[colProperty], System: v[colSystem], Scale: v[colScale], At: t.c.at(t.number),
	}
	if r.System == "" {
		r.System = v[colSpecimen]
	}
	if t.c.Version == "" {
		t.c.Version, t.c.LOINC = v[colVersion], v[colLOINCVersion]
	}
	t.c.add(r)
}

// maxFaults is how many left-out rows are told.
const maxFaults = 100

// add takes a row over, unless it is none. A row without a LOINC code says that
// its maker knows none.
func (c *Catalogue) add(r Row) {
	if r.Code == "" { // catalogues of tests that are read by eye have names only
		r.Code = r.Name
	}
	if r.LOINC == "" || r.Code == "" {
		return
	}
	if wrong := CheckLOINC(r.LOINC); wrong != "" {
		c.fault(r.At, "its LOINC code "+wrong)
		return
	}
	c.Rows = append(c.Rows, r)
}

func (c *Catalogue) fault(at, what string) {
	if len(c.Faults) < maxFaults {
		c.Faults = append(c.Faults, at+": "+what)
	}
}
