package fhir

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns s as a FHIR string can hold it: valid UTF-8, without control
// characters other than tab, CR and LF (R4 datatypes, string), and without
// blanks at its ends. What cannot be held becomes U+FFFD and is not left out,
// so that two halves are never joined to something that was not sent. Rare
// kinds of blank become the plain one.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r' || r == '\n':
			return r
		case r == '\v' || r == '\f' || r == '\ufeff' || unicode.IsSpace(r):
			return ' '
		case r < 0x20:
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
	return strings.TrimSpace(s)
}

// isPlain reports whether s is printable ASCII without blanks at its ends, as
// nearly all of it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// hasControl reports whether s holds bytes that are no text.
func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) >= 0
}

// codeText returns s as a FHIR code: no blanks at its ends, single ones inside.
func codeText(s string) string {
	s = clean(s)
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// isURI reports whether s is an absolute URI, as a coding's system must be.
func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" || clean(s) != s || strings.ContainsAny(s, " \t\r\n<>\"") {
		return false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return false
		}
	}
	return true
}

// searchable reports whether s is free of what separates the parts of a FHIR
// search value.
func searchable(s string) bool { return !strings.ContainsAny(s, `|,$\`) }

// isKey reports whether s can be part of an identifier as it is.
func isKey(s string) bool {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return false
		}
	}
	return s != ""
}

// unreserved reports whether c means only itself in every part of a URI (RFC
// 3986, 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// escapeName percent-encodes all of s but unreserved characters, so that names
// cannot run into each other and hold nothing that a search would cut at.
func escapeName(s string) string { return escape(s, "") }

// escape percent-encodes s but for unreserved characters and those in keep.
func escape(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unreserved(c) || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + digits[c>>4:c>>4+1] + digits[c&15:c&15+1])
		}
	}
	return b.String()
}

// slug is a name as part of a URN: lower-case letters and digits, other ASCII
// as single hyphens. Letters of other alphabets are percent-encoded, since
// names that lost them could not be told apart.
func slug(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(clean(s)) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteString(escape(string(r), ""))
	}
	return b.String()
}

// hasDigit reports whether s holds an ASCII digit.
func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// join puts the parts that are not empty behind each other.
func join(sep string, parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(p)
	}
	return b.String()
}
