package hl7

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// unescape resolves the escape sequences of HL7 2.7 in a text that is cut at
// its delimiters already. They are case-sensitive. What is none of them stays as
// it is, and so do \C..\, \M..\ (other character sets) and \Z..\ (local ones).
func (d delimiters) unescape(s string, decode func([]byte) string) string {
	if d.escape == 0 || strings.IndexByte(s, d.escape) < 0 {
		return s
	}
	var b strings.Builder
	var raw []byte // bytes of \X..\ sequences that touch: together they may be one character
	flush := func() {
		if len(raw) > 0 {
			b.WriteString(decode(raw))
			raw = raw[:0]
		}
	}
	for s != "" {
		if s[0] != d.escape {
			n := strings.IndexByte(s, d.escape)
			if n < 0 {
				n = len(s)
			}
			flush()
			b.WriteString(s[:n])
			s = s[n:]
			continue
		}
		name, after, closed := strings.Cut(s[1:], string(rune(d.escape)))
		if data, ok := hexData(name); closed && ok {
			raw, s = append(raw, data...), after
			continue
		}
		flush()
		replacement, known := d.sequence(name)
		switch {
		case closed && known:
			b.WriteString(replacement)
			s = after
		case closed && sequenceLike(name): // its end is not the beginning of the next
			b.WriteString(s[:len(name)+2])
			s = after
		default: // a stray escape character
			b.WriteByte(d.escape)
			s = s[1:]
		}
	}
	flush()
	return b.String()
}

// sequenceLike tells a sequence that is not resolved here from text between two
// stray escape characters.
func sequenceLike(name string) bool {
	return name != "" && (isUpper(name[0]) || name[0] == '.') && strings.IndexByte(name, ' ') < 0
}

// hexData reads Xhh... .
func hexData(name string) ([]byte, bool) {
	digits, ok := strings.CutPrefix(name, "X")
	if !ok || digits == "" {
		return nil, false
	}
	data, err := hex.DecodeString(digits)
	return data, err == nil
}

// sequence is the meaning of one escape sequence.
func (d delimiters) sequence(name string) (string, bool) {
	switch name {
	case "F":
		return string(rune(d.field)), true
	case "S":
		return string(rune(d.component)), true
	case "T":
		return string(rune(d.sub)), d.sub != 0
	case "R":
		return string(rune(d.repeat)), true
	case "E":
		return string(rune(d.escape)), true
	case "H", "N": // highlighting on and off has no meaning in a value
		return "", true
	}
	if command, ok := strings.CutPrefix(name, "."); ok {
		return format(command)
	}
	return "", false
}

// maxSkip bounds \.sp<n>\ and \.sk<n>\.
const maxSkip = 100

// format is the meaning of a formatting command (HL7 2.7.6).
func format(command string) (string, bool) {
	if len(command) < 2 {
		return "", false
	}
	n := 1
	if number := command[2:]; number != "" {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n < -maxSkip || n > maxSkip {
			return "", false
		}
	}
	switch command[:2] {
	case "br", "ce": // a new line; a new line that is centred
		return "\n", command[2:] == ""
	case "sp":
		return strings.Repeat("\n", max(n, 0)), n >= 0
	case "sk":
		return strings.Repeat(" ", max(n, 0)), n >= 0
	case "fi", "nf": // word wrap on and off
		return "", command[2:] == ""
	case "in", "ti": // indents
		return "", true
	}
	return "", false
}

// escapeText makes ASCII text safe to stand in a field.
func (d delimiters) escapeText(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		name := strings.IndexByte(string([]byte{d.field, d.component, d.sub, d.repeat, d.escape}), c)
		switch {
		case c < ' ' || c >= 0x7F:
		case name < 0:
			b.WriteByte(c)
		case d.escape == 0:
			b.WriteByte(' ')
		default:
			b.Write([]byte{d.escape, "FSTRE"[name], d.escape})
		}
	}
	return b.String()
}
