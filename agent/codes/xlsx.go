package codes

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// What a workbook may unpack to. The text of the largest catalogue in use is a
// tenth of it; a file that claims more is made to fill the memory.
const (
	maxPart     = 64 << 20 // bytes of one part
	maxStrings  = 1 << 20  // shared strings
	maxColumns  = 256
	maxCellText = 32 << 10 // Excel's own limit is 32767 characters
)

// readXLSX reads the first sheet of a workbook that has LIVD's columns. Of
// ECMA-376 only what holds text is read: shared strings, inline strings, plain
// values. No formula is run: what it came to is in the file.
//
// A library for workbooks (excelize) does the same and adds a fifth to the
// program's size for what it can besides.
func (c *Catalogue) readXLSX(raw []byte) error {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return fmt.Errorf("it begins like a workbook and is none: %w", err)
	}
	w := workbook{zip: z}
	sheets, err := w.sheets()
	if err != nil {
		return err
	}
	if err := w.sharedStrings(); err != nil {
		return err
	}
	for _, s := range sheets {
		t := c.newTable()
		if err := w.sheet(s, t); err != nil {
			return fmt.Errorf("sheet %s: %w", path.Base(s), err)
		}
		if t.place != nil {
			return nil
		}
	}
	return errNoHeader
}

type workbook struct {
	zip     *zip.Reader
	strings []string
}

// open opens a part; nil if there is none of that name.
func (w *workbook) open(name string) (io.ReadCloser, error) {
	for _, f := range w.zip.File {
		if strings.EqualFold(f.Name, name) {
			if f.UncompressedSize64 > maxPart {
				return nil, fmt.Errorf("its part %s is larger than %d MiB", name, maxPart>>20)
			}
			return f.Open()
		}
	}
	return nil, nil
}

// each calls element for every start of an element of a part. The size in the
// directory may lie: what is read is bounded as well.
func (w *workbook) each(part string, element func(*xml.Decoder, xml.StartElement) error) (found bool, err error) {
	r, err := w.open(part)
	if err != nil || r == nil {
		return false, err
	}
	defer r.Close()
	limited := &io.LimitedReader{R: r, N: maxPart}
	d := xml.NewDecoder(limited)
	for {
		token, err := d.Token()
		if limited.N <= 0 {
			return true, fmt.Errorf("its part %s is larger than %d MiB", part, maxPart>>20)
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, fmt.Errorf("part %s: %w", part, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if err := element(d, start); err != nil {
				return true, fmt.Errorf("part %s: %w", part, err)
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// sheets are the parts of the worksheets, in the workbook's order.
func (w *workbook) sheets() ([]string, error) {
	targets := map[string]string{}
	_, err := w.each("xl/_rels/workbook.xml.rels", func(_ *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local == "Relationship" {
			target := attribute(e, "Target")
			if !strings.HasPrefix(target, "/") {
				target = path.Join("xl", target)
			}
			targets[attribute(e, "Id")] = strings.TrimPrefix(target, "/")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []string
	found, err := w.each("xl/workbook.xml", func(_ *xml.Decoder, e xml.StartElement) error {
		if target := targets[attribute(e, "id")]; e.Name.Local == "sheet" && target != "" {
			list = append(list, target)
		}
		return nil
	})
	if err == nil && (!found || len(list) == 0) {
		err = errors.New("it is a ZIP file without worksheets: is it a workbook (.xlsx)?")
	}
	return list, err
}

// sharedStrings reads the texts that cells refer to by number.
func (w *workbook) sharedStrings() error {
	_, err := w.each("xl/sharedStrings.xml", func(d *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		if len(w.strings) >= maxStrings {
			return errors.New("too many strings")
		}
		text, err := cellText(d)
		w.strings = append(w.strings, text)
		return err
	})
	return err
}

// cellText gathers the text of <t> and <v> elements up to the end of the
// element that d is in. Phonetic hints (rPh) are not the text.
func cellText(d *xml.Decoder) (string, error) {
	var b strings.Builder
	depth, in, hint := 1, 0, 0
	for depth > 0 {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			switch e.Name.Local {
			case "t", "v":
				in = depth
			case "rPh":
				hint = depth
			}
		case xml.EndElement:
			if depth == in {
				in = 0
			}
			if depth == hint {
				hint = 0
			}
			depth--
		case xml.CharData:
			if in > 0 && hint == 0 && b.Len() < maxCellText {
				b.Write(e)
			}
		}
	}
	return b.String(), nil
}

// sheet hands a worksheet's rows to t.
func (w *workbook) sheet(part string, t *tableReader) error {
	var cells []string
	number := 0
	flush := func() error {
		if number == 0 {
			return nil
		}
		return t.row(number, cells)
	}
	found, err := w.each(part, func(d *xml.Decoder, e xml.StartElement) error {
		switch e.Name.Local {
		case "row":
			if err := flush(); err != nil {
				return err
			}
			next := 0
			if _, err := fmt.Sscanf(attribute(e, "r"), "%d", &next); err != nil || next <= number {
				next = number + 1
			}
			number, cells = next, cells[:0]
		case "c":
			if number == 0 {
				return errors.New("a cell stands outside of a row")
			}
			text, err := w.cell(d, e)
			if err != nil {
				return err
			}
			at := columnOf(attribute(e, "r"))
			if at < 0 {
				at = len(cells)
			}
			if at < maxColumns {
				for len(cells) <= at {
					cells = append(cells, "")
				}
				cells[at] = text
			}
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("it is not in the file")
	}
	if err != nil {
		return err
	}
	return flush()
}

// cell reads the text of a cell.
func (w *workbook) cell(d *xml.Decoder, e xml.StartElement) (string, error) {
	text, err := cellText(d)
	if err != nil || attribute(e, "t") != "s" {
		return text, err
	}
	n := -1
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || n < 0 || n >= len(w.strings) {
		return "", errors.New("a cell refers to a text that is not there")
	}
	return w.strings[n], nil
}

// columnOf is the column of a reference such as "AB17", counted from 0; -1 if
// it has none.
func columnOf(ref string) int {
	n := 0
	for i := range len(ref) {
		c := ref[i] | 0x20
		if c < 'a' || c > 'z' || n > maxColumns {
			break
		}
		n = n*26 + int(c-'a') + 1
	}
	return n - 1
}
