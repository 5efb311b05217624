package poct

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
)

// maxElements is how many elements a document may have.
const maxElements = 50_000

// element is one element of a message.
type element struct {
	name     string
	attrs    []xml.Attr
	children []*element
	data     strings.Builder
}

// child returns the first child of that name; nil if there is none. It may be
// called on nil.
func (e *element) child(name string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all returns the children of that name.
func (e *element) all(name string) (out []*element) {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// attr returns an attribute without surrounding blanks. It may be called on nil.
func (e *element) attr(name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

// value returns V of the first child of that name: POCT1-A2 holds values there.
func (e *element) value(name string) string { return e.child(name).attr("V") }

// text returns V, or else the element's own text.
func (e *element) text() string {
	if v := e.attr("V"); v != "" || e == nil {
		return v
	}
	return strings.TrimSpace(e.data.String())
}

// find returns the first element of that name anywhere in e.
func (e *element) find(name string) *element {
	if e == nil || e.name == name {
		return e
	}
	for _, c := range e.children {
		if f := c.find(name); f != nil {
			return f
		}
	}
	return nil
}

var (
	errMalformed = errors.New("the document is not well-formed XML")
	errDTD       = errors.New(string(FaultDTD))
)

// readDocument reads a message into a tree. There are no entities but the five of
// XML itself. Errors quote nothing of it.
func readDocument(raw []byte, charset encoding.Encoding) (*element, error) {
	text, err := decode(raw, charset)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	var root *element
	var open []*element
	count := 0
	for {
		t, err := d.RawToken()
		switch {
		case errors.Is(err, io.EOF) && root != nil && len(open) == 0:
			return root, nil
		case err != nil:
			return nil, errMalformed
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errDTD
		case xml.StartElement:
			if count++; count > maxElements {
				return nil, fmt.Errorf("the document has more than %d elements", maxElements)
			}
			e := &element{name: t.Name.Local, attrs: t.Attr}
			switch {
			case len(open) >= maxDepth:
				return nil, errors.New(string(FaultTooDeep))
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root != nil:
				return nil, errMalformed
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1].name != t.Name.Local {
				return nil, errMalformed
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].data.Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errMalformed
			}
		}
	}
}

// decode turns a document into UTF-8. Its own declaration goes first; where it
// says UTF-8, or nothing, and the bytes are not, the device's character set does,
// or ISO 8859-1, in which every byte has a meaning.
func decode(raw []byte, charset encoding.Encoding) (string, error) {
	label := strings.ToLower(declared(raw))
	switch label {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		if utf8.Valid(raw) {
			return string(bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))), nil
		}
		if charset == nil {
			charset = charmap.ISO8859_1
		}
	default:
		e, err := ianaindex.IANA.Encoding(label)
		if err != nil || e == nil {
			return "", errors.New("the document's encoding is not one that can be read: set the device to UTF-8")
		}
		charset = e
	}
	text, err := charset.NewDecoder().Bytes(raw)
	if err != nil {
		return "", errMalformed
	}
	return string(text), nil
}

// declared is the encoding that an XML declaration names.
func declared(raw []byte) string {
	if !bytes.HasPrefix(raw, []byte("<?xml")) {
		return ""
	}
	before, _, ok := bytes.Cut(raw, []byte("?>"))
	if !ok {
		return ""
	}
	_, after, found := bytes.Cut(before, []byte("encoding"))
	if !found {
		return ""
	}
	after = bytes.TrimLeft(after, " \t\r\n=")
	if len(after) < 2 || after[0] != '"' && after[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(after[1:], after[:1])
	return string(name)
}

// rootName is the name of a document's root, also of one that is not well-formed.
func rootName(raw []byte) string {
	for {
		i := bytes.IndexByte(raw, '<')
		if i < 0 || i+1 >= len(raw) {
			return ""
		}
		raw = raw[i:]
		if c := raw[1]; c != '?' && c != '!' {
			return string(tagName(raw))
		}
		raw = raw[1:]
	}
}

// controlID is HDR.control_id of a document, also of one that is not well-formed.
func controlID(raw []byte) string {
	m := regexp.MustCompile(`<HDR\.control_id\s[^>]*?V\s*=\s*["']([^"'<>&]{1,64})["']`).FindSubmatch(raw)
	if m == nil {
		return ""
	}
	return string(m[1])
}
