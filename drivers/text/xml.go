package text

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/encoding/ianaindex"
)

// Limits of an XML document. An analyzer's has a few hundred elements.
const (
	maxDepth    = 64
	maxElements = 100_000
)

// element is one element of a document.
type element struct {
	name     string
	attrs    []xml.Attr
	parent   *element
	children []*element
	data     strings.Builder
}

var errDTD = errors.New("the document has a DTD, which is refused: entities of its own could make it read files or grow without limit")

// readXML reads a document into a tree. There are no entities but the five of
// XML itself.
func readXML(raw []byte, charset func([]byte) string) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if e, err := ianaindex.IANA.Encoding(label); err == nil && e != nil {
			return e.NewDecoder().Reader(in), nil
		}
		return nil, fmt.Errorf("the document's encoding is not one that can be read")
	}
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<?xml")) {
		d = xml.NewDecoder(strings.NewReader(charset(raw)))
	}
	var root, at *element
	depth, count := 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && root != nil && at == nil {
			return root, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it holds no XML document")
		}
		if err != nil {
			return nil, errors.New("it is not well-formed XML") // the error's own words could quote the document
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errDTD
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("its elements are nested more than %d deep", maxDepth)
			}
			if count++; count > maxElements {
				return nil, fmt.Errorf("it has more than %d elements", maxElements)
			}
			if at == nil && root != nil {
				return nil, errors.New("it holds more than one XML document")
			}
			e := &element{name: t.Name.Local, attrs: t.Attr, parent: at}
			if at != nil {
				at.children = append(at.children, e)
			} else {
				root = e
			}
			at = e
		case xml.EndElement:
			depth--
			at = at.parent
		case xml.CharData:
			if at != nil {
				at.data.Write(t)
			}
		}
	}
}

// tree reads XML documents.
type tree struct {
	rule *rule
	path []string
	own  map[string]string
	// result are the fields that belong to each element of path.
	result map[string]string
}

func (f *faults) xml(where string, r *rule) layout {
	l := &tree{rule: r, own: map[string]string{}, result: map[string]string{}}
	if l.path = steps(r.Path); r.Path == "" || len(l.path) == 0 {
		f.add("%s: path is missing: give the element that holds one result, such as \"results/result\"", where)
	}
	for name, text := range r.Fields {
		if text == "" || strings.Contains(strings.TrimPrefix(text, "@"), "@") && !strings.Contains(text, "/@") {
			f.add("%s: %s: %q is not a place: give an element or attribute: \"value\", \"value/@unit\", \"@unit\"", where, name, text)
		}
		l.result[name] = text
	}
	if r.yields(fValue) && !r.yields(fTest) {
		f.add("%s: test is missing: say where the test's code stands, or what it is with set = { test = … }", where)
	}
	return l
}

func steps(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// read makes a reading of each result, since each may have a specimen of its own
// around it.
func (l *tree) read(rec record) (out []reading, ok bool) {
	root, err := readXML(rec.raw, rec.decode)
	if err != nil {
		return nil, false
	}
	l.walk(root, func(e *element) {
		r, res := reading{own: fields{}}, fields{}
		for name, at := range l.result {
			text, there := e.look(at)
			if !there {
				continue
			}
			if slices.Contains(reportFields(), name) {
				r.own[name] = l.rule.clean(text)
			} else {
				res[name] = l.rule.clean(text)
			}
		}
		if len(l.rule.Results) == 0 {
			r.results = append(r.results, measured{res, l.rule.Decimals})
		} else {
			maps.Copy(r.own, res)
		}
		for _, col := range l.rule.Results {
			value, there := e.find(steps(col.At))
			if !there {
				continue
			}
			res := fields{fTest: col.Test, fName: col.Name, fUnit: col.Unit, fValue: l.rule.clean(value)}
			for name, at := range map[string]string{fUnit: col.UnitAt, fFlag: col.FlagAt, fRange: col.RangeAt, fStatus: col.StatusAt} {
				if text, there := e.find(steps(at)); there && at != "" {
					res[name] = l.rule.clean(text)
				}
			}
			r.results = append(r.results, measured{res, orDecimals(col.Decimals, l.rule.Decimals)})
		}
		out = append(out, r)
	})
	return out, len(out) > 0
}

// walk visits the elements at the end of path, in the document's order.
func (l *tree) walk(e *element, visit func(*element)) {
	if e.at(l.path) {
		visit(e)
	}
	for _, c := range e.children {
		l.walk(c, visit)
	}
}

// at reports whether e and what is around it have the names of path.
func (e *element) at(path []string) bool {
	for _, p := range slices.Backward(path) {
		if e == nil || e.name != p {
			return false
		}
		e = e.parent
	}
	return true
}

// look finds a place in e, or else in the nearest element around it.
func (e *element) look(place string) (string, bool) {
	path := steps(place)
	for ; e != nil; e = e.parent {
		if s, ok := e.find(path); ok {
			return s, true
		}
	}
	return "", false
}

// find finds a place in e. The path "." is e's own text.
func (e *element) find(path []string) (string, bool) {
	if len(path) == 0 {
		return "", false
	}
	if name, ok := strings.CutPrefix(path[0], "@"); ok {
		for _, a := range e.attrs {
			if a.Name.Local == name {
				return a.Value, true
			}
		}
		return "", false
	}
	if path[0] == "." {
		return e.data.String(), true
	}
	for _, c := range e.children {
		if c.name != path[0] {
			continue
		}
		if len(path) == 1 {
			return c.data.String(), true
		}
		if s, ok := c.find(path[1:]); ok {
			return s, true
		}
	}
	return "", false
}
