package poct

import (
	"bytes"
	"strings"
)

// Fault is why a document is not one, in words without content.
type Fault string

// Faults of documents.
const (
	FaultNone      Fault = ""
	FaultCut       Fault = "another document began before this one had ended"
	FaultMalformed Fault = "the document is not XML"
	FaultDTD       Fault = "the document has a type declaration, which is refused: entities of its own could make it grow without limit"
	FaultTooLong   Fault = "the document is longer than max_message"
	FaultWide      Fault = "the documents are UTF-16, which is not read here: set the device to UTF-8"
	FaultTooDeep   Fault = "the document's elements are nested too deep"
)

// Fatal reports whether nothing can be read after such a document.
func (f Fault) Fatal() bool {
	return f == FaultDTD || f == FaultTooLong || f == FaultTooDeep || f == FaultWide
}

// maxDepth is how deep elements may be nested. POCT1-A2 needs seven levels.
const maxDepth = 32

// Document is one XML document as it came, from its declaration to its last tag.
// With a Fault, Raw is what there is of it.
type Document struct {
	Raw   []byte // valid until the splitter is used again
	Fault Fault
}

// Splitter finds the ends of XML documents in a stream of bytes, however it is
// cut. It looks at tags only and works for every encoding in which the characters
// of ASCII are their own bytes and no part of others, such as UTF-8 and
// ISO 8859-1. The zero value is ready for use.
type Splitter struct {
	// Max is the longest document; 0 means 1 MiB.
	Max int

	state splitState
	buf   []byte
	depth int
	tag   int  // where the tag that is coming in begins in buf
	quote byte // the quote that an attribute's value is in
	noise uint64
	ended bool // buf was handed out
}

type splitState uint8

const (
	outside splitState = iota // between documents
	content                   // between tags
	tagOpen                   // behind <
	startTag
	endTag
	procInst // in <? ?>
	bang     // behind <!
	comment
	cdata
	wideOpen // behind < and NUL, as in UTF-16
)

// Inside reports whether a document has begun.
func (s *Splitter) Inside() bool { return s.state != outside && !s.ended }

// Noise returns how many bytes outside of documents were passed over since it was
// last asked, not counting blanks.
func (s *Splitter) Noise() uint64 {
	n := s.noise
	s.noise = 0
	return n
}

// Feed takes bytes until a document ends, or all. It returns how many it took.
func (s *Splitter) Feed(p []byte) (n int, d Document, done bool) {
	if s.ended {
		s.reset()
	}
	limit := s.Max
	if limit <= 0 {
		limit = defaultMaxMessage
	}
	for n < len(p) {
		if s.state == outside {
			i := bytes.IndexByte(p[n:], '<')
			if i < 0 {
				s.countNoise(p[n:])
				return len(p), Document{}, false
			}
			s.countNoise(p[n : n+i])
			s.state, s.tag, n = tagOpen, 0, n+i+1
			s.buf = append(s.buf[:0], '<')
			continue
		}
		if s.state == content {
			i := bytes.IndexByte(p[n:], '<')
			if i < 0 {
				i = len(p) - n
			}
			i = min(i, limit+1-len(s.buf))
			s.buf, n = append(s.buf, p[n:n+i]...), n+i
			if len(s.buf) > limit {
				return n, s.fail(FaultTooLong), true
			}
			if n == len(p) {
				break
			}
			s.state, s.tag = tagOpen, len(s.buf)
			s.buf, n = append(s.buf, '<'), n+1
			continue
		}
		c := p[n]
		if s.otherMessage(c) {
			d, done = s.anew()
			return n, d, done // c is looked at again, as part of the other
		}
		n++
		s.buf = append(s.buf, c)
		if len(s.buf) > limit {
			return n, s.fail(FaultTooLong), true
		}
		if d, done := s.inTag(c); done {
			return n, d, true
		}
	}
	return n, Document{}, false
}

// Rest returns what came of a document that will not go on, and forgets it.
func (s *Splitter) Rest() []byte {
	if s.state == outside || s.ended {
		s.reset()
		return nil
	}
	rest := s.buf
	s.reset()
	return rest
}

func (s *Splitter) reset() {
	s.state, s.depth, s.quote, s.ended, s.buf = outside, 0, 0, false, s.buf[:0]
	if cap(s.buf) > 1<<20 {
		s.buf = nil
	}
}

func (s *Splitter) countNoise(p []byte) {
	for _, c := range p {
		switch c {
		case 0, ' ', '\t', '\r', '\n', 0xEF, 0xBB, 0xBF: // blanks, and the byte order mark of UTF-8
		default:
			s.noise++
		}
	}
}

// fail ends a document that is none.
func (s *Splitter) fail(f Fault) Document {
	s.ended = true
	return Document{Raw: s.buf, Fault: f}
}

// inTag takes a byte of a tag; it is the last in buf.
func (s *Splitter) inTag(c byte) (d Document, done bool) {
	tag := s.buf[s.tag:]
	switch s.state {
	case tagOpen:
		return s.open(c)
	case startTag:
		return s.start(tag, c)
	case wideOpen:
		return s.wide(tag, c)
	case endTag:
		if c == '>' {
			s.depth--
			return s.closed()
		}
	case procInst:
		if s.tag > 0 && len(tag) == len("<?xml ") && bytes.HasPrefix(tag, []byte("<?xml")) && strings.IndexByte(" \t\r\n?", c) >= 0 {
			return s.anew() // the declaration of another document
		}
		if c == '>' && len(tag) >= len("<??>") && tag[len(tag)-2] == '?' {
			s.state = content
		}
	case bang:
		return s.declaration(tag)
	case comment:
		if c == '>' && len(tag) >= len("<!---->") && bytes.HasSuffix(tag, []byte("-->")) {
			s.state = content
		}
	case cdata:
		if c == '>' && bytes.HasSuffix(tag, []byte("]]>")) {
			s.state = content
		}
	}
	return Document{}, false
}

// open tells by the byte behind < what a tag is.
func (s *Splitter) open(c byte) (d Document, done bool) {
	switch {
	case c == '?':
		s.state = procInst
	case c == '!':
		s.state = bang
	case c == '/' && s.depth > 0:
		s.state = endTag
	case c == 0 && s.depth == 0:
		s.state = wideOpen
	case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == ':' || c >= 0x80:
		s.state = startTag
	case s.depth > 0:
		return s.fail(FaultMalformed), true
	default:
		s.stray(c)
	}
	return Document{}, false
}

// stray is called when what began with < is noise.
func (s *Splitter) stray(c byte) {
	s.noise += uint64(len(s.buf))
	s.reset()
	if c == '<' {
		s.state, s.tag, s.noise = tagOpen, 0, s.noise-1
		s.buf = append(s.buf, '<')
	}
}

// wide tells whether a < with a NUL begins a document in UTF-16, of either order:
// one character and another NUL follow.
func (s *Splitter) wide(tag []byte, c byte) (d Document, done bool) {
	switch letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '?' || c == '!'; {
	case len(tag) == len("<\x00?") && letter:
		return Document{}, false
	case len(tag) == len("<\x00?\x00") && c == 0:
		return s.fail(FaultWide), true
	}
	s.stray(c)
	return Document{}, false
}

// start goes on with a start tag.
func (s *Splitter) start(tag []byte, c byte) (d Document, done bool) {
	switch {
	case s.quote != 0:
		if c == s.quote {
			s.quote = 0
		}
	case c == '"' || c == '\'':
		s.quote = c
	case c == '>':
		if tag[len(tag)-2] == '/' {
			return s.closed()
		}
		if s.depth++; s.depth > maxDepth {
			return s.fail(FaultTooDeep), true
		}
		s.state = content
	}
	return Document{}, false
}

// closed is called when an element has ended.
func (s *Splitter) closed() (d Document, done bool) {
	if s.depth == 0 {
		s.ended = true
		return Document{Raw: s.buf}, true
	}
	s.state = content
	return Document{}, false
}

// declaration tells what begins with <!. Only comments and CDATA may.
func (s *Splitter) declaration(tag []byte) (d Document, done bool) {
	const commentMark, cdataMark = "<!--", "<![CDATA["
	switch text := string(tag); {
	case text == commentMark:
		s.state = comment
	case text == cdataMark:
		s.state = cdata
	case len(text) <= len(commentMark) && commentMark[:len(text)] == text:
	case len(text) <= len(cdataMark) && cdataMark[:len(text)] == text:
	default:
		return s.fail(FaultDTD), true
	}
	return Document{}, false
}

// otherMessage reports whether c ends the name of an element that can only be
// another document's root.
func (s *Splitter) otherMessage(c byte) bool {
	return s.state == startTag && s.depth > 0 && len(s.buf)-s.tag == len("<OBS.R01") &&
		strings.IndexByte(" \t\r\n/>", c) >= 0 && isMessage(s.buf[s.tag+1:])
}

// anew is called when the tag that is coming in can only belong to another
// document. What came before is handed out as cut off, and the tag is kept.
func (s *Splitter) anew() (d Document, done bool) {
	before := bytes.Clone(s.buf[:s.tag])
	s.buf = append(s.buf[:0], s.buf[s.tag:]...)
	root := s.depth > 0
	s.tag, s.depth = 0, 0
	if !root { // a second declaration, of which nothing is lost
		return Document{}, false
	}
	return Document{Raw: before, Fault: FaultCut}, true
}

// tagName is the name in a start tag.
func tagName(tag []byte) []byte {
	name := tag[1:]
	if i := bytes.IndexAny(name, " \t\r\n/>"); i >= 0 {
		name = name[:i]
	}
	return name
}

// isMessage reports whether an element's name is that of a POCT1-A2 message, such
// as OBS.R01, which are never inside of one another.
func isMessage(name []byte) bool {
	if len(name) != len("OBS.R01") || string(name[3:5]) != ".R" {
		return false
	}
	for i, c := range name {
		letter := i < 3 && c >= 'A' && c <= 'Z'
		digit := i > 4 && c >= '0' && c <= '9'
		if !letter && !digit && i != 3 && i != 4 {
			return false
		}
	}
	return true
}
