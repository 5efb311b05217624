package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// slip notes a mistake of syntax in the statement that begins on that line. It
// reports whether reading can go on: when the statement is `key = value` and
// its mistake is on the same line, the value is put aside.
func (d *document) slip(err *unstable.ParserError, begins int) bool {
	var p unstable.Parser
	p.Reset(d.text)
	at := d.place(int(p.Range(err.Highlight).Offset))
	problem, hint := syntaxWords(err.Message, d.line(at.line))
	if at.line != begins {
		if strings.Contains(err.Message, "terminated") || strings.Contains(err.Message, "incomplete") {
			// The place is the end of the file, which says nothing.
			at, problem, hint = place{begins, 1}, "what begins here is not closed before the end of the file", "close it with the quotes or the bracket that it began with"
		} else {
			problem = fmt.Sprintf("%s; this is inside of what begins on line %d", problem, begins)
		}
		d.slips = append(d.slips, flaw{at, problem, hint})
		return false
	}
	d.slips = append(d.slips, flaw{at, problem, hint})
	return d.putAside(begins)
}

// putAside writes a 0 in place of what follows the key on that line.
func (d *document) putAside(n int) bool {
	line := d.line(n)
	sign := assignment(line)
	if sign < 0 || d.aside[n] {
		return false
	}
	d.aside[n] = true
	line[sign] = '='
	if sign+1 == len(line) {
		d.source = newSource(slices.Insert(d.text, d.lines[n-1]+sign+1, '0'))
		return true
	}
	for i := range line[sign+1:] {
		line[sign+1+i] = ' '
	}
	line[sign+1] = '0'
	return true
}

// assignment is where the "=" stands on a line of the form `key = value`, or
// the ":" of one that was meant to be, -1 on any other. Quoted keys are not
// looked for: this file has none.
func assignment(line []byte) int {
	i := 0
	blanks := func() {
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
	}
	for {
		blanks()
		start := i
		for i < len(line) && isBare(line[i]) {
			i++
		}
		if i == start {
			return -1
		}
		blanks()
		if i >= len(line) {
			return -1
		}
		switch line[i] {
		case '=', ':':
			return i
		case '.':
			i++
		default:
			return -1
		}
	}
}

// isBare reports whether c may stand in a key without quotes.
func isBare(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// syntaxWords says what a message of the parser means for a person, without
// what it quotes: that may be a piece of a secret.
func syntaxWords(message string, line []byte) (problem, hint string) {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(message, w) {
				return true
			}
		}
		return false
	}
	path := has("escape") || has("unterminated basic", "new lines") && bytes.Contains(line, []byte(`\"`))
	switch {
	case path:
		return "a backslash in double quotes begins an escape, and this one is none", slashHint
	case has("unterminated", "new lines"):
		return "a quote is opened and not closed on its line", "put the missing quote at the end of the value"
	case has("U+000A", "U+000D", "U+0023", "end of input") && !has("expected newline"):
		return "the line ends where a key or value was expected", "complete the line, or remove it"
	case has("at start of value", "strings must be quoted", "expected keyword"):
		return "this is not a value", `put text in quotes; numbers, true and false stand without`
	case has("expected '='"):
		return "a key must be followed by = and its value", `write key = "value"`
	case has("close table name", "close array table name"):
		return "the brackets of this table's name are not closed as they were opened", "write [server] or [[analyzer]]"
	case has("expected newline"):
		return "something follows the value on its line", "give each key a line of its own; a comment begins with #"
	case has("start of key"):
		return "this is not a key", `write key = "value", a table's name in brackets, or a comment with # before it`
	case has("leading zeroes"):
		return "a number must not begin with 0", "remove the zeroes, or put the value in quotes if it is text"
	case has("after array value", "after inline table"):
		return "a comma or the closing bracket is missing", "put commas between the elements, and close the list with ] and the table with }"
	}
	message, _, _ = strings.Cut(message, " U+")
	return "this is not valid TOML: " + strings.TrimRight(message, ": "), "compare the line with the example file; see https://toml.io for the rules"
}
