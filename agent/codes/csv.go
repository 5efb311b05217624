package codes

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// readCSV reads the mapping sheet as text, with commas, semicolons or tabs
// between the cells, as spreadsheet programs of different countries write it.
func (c *Catalogue) readCSV(text []byte) error {
	text, err := decoded(text)
	if err != nil {
		return err
	}
	t := c.newTable()
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = separator(text)
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	r.ReuseRecord = true
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if err := t.row(line, cells); err != nil {
			return err
		}
	}
	if t.place == nil {
		return errNoHeader
	}
	return nil
}

var errNoHeader = errors.New("it has no row with the column names of LIVD: Manufacturer, Model, Vendor Analyte Code, ..., LOINC Code")

// decoded makes UTF-8 of the text. What is in no Unicode form is taken for
// ISO 8859-1: the codes are ASCII, only names could suffer.
func decoded(text []byte) ([]byte, error) {
	for i, mark := range [][]byte{{0xff, 0xfe}, {0xfe, 0xff}} {
		if !bytes.HasPrefix(text, mark) {
			continue
		}
		if len(text)%2 != 0 {
			return nil, errors.New("it is UTF-16 with half a character at its end")
		}
		units := make([]uint16, 0, len(text)/2-1)
		for j := 2; j < len(text); j += 2 {
			low, high := uint16(text[j+i]), uint16(text[j+1-i])
			units = append(units, high<<8|low)
		}
		return []byte(string(utf16.Decode(units))), nil
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("it is neither text, a workbook (.xlsx) nor FHIR JSON")
	}
	if utf8.Valid(text) {
		return text, nil
	}
	runes := make([]rune, len(text))
	for i, b := range text {
		runes[i] = rune(b)
	}
	return []byte(string(runes)), nil
}

// separator is what stands most often in the line of the column names, or in
// the first line.
func separator(text []byte) rune {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	rest := text
	for range headerRows {
		var one []byte
		one, rest, _ = bytes.Cut(rest, []byte("\n"))
		if bytes.Contains(bytes.ToLower(one), []byte("model")) && bytes.Contains(bytes.ToLower(one), []byte("loinc")) {
			line = one
			break
		}
	}
	best, most := ',', 0
	for _, sep := range []rune{',', ';', '\t'} {
		if n := bytes.Count(line, []byte(string(sep))); n > most {
			best, most = sep, n
		}
	}
	return best
}
