package config

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// place is a position in the file; both count from 1, columns in characters.
type place struct{ line, column int }

// source is the text of a file with an index of its lines.
type source struct {
	text  []byte
	lines []int // where each line begins
}

func newSource(text []byte) source {
	s := source{text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// place is where the byte at offset stands.
func (s source) place(offset int) place {
	i, found := slices.BinarySearch(s.lines, offset)
	if !found {
		i--
	}
	return place{i + 1, 1 + utf8.RuneCount(s.text[s.lines[i]:offset])}
}

// line is the text of line n, counted from 1, without its end.
func (s source) line(n int) []byte {
	end := len(s.text)
	if n < len(s.lines) {
		end = s.lines[n]
	}
	return bytes.TrimRight(s.text[s.lines[n-1]:end], "\r\n")
}

// after is the text below line n.
func (s source) after(n int) string {
	if n >= len(s.lines) {
		return ""
	}
	return string(s.text[s.lines[n]:])
}

// statementAfter is the line where the first statement after offset begins:
// the rest of offset's line, blank lines and comments are passed over. Without
// an offset (0) it is the first of the file.
func (s source) statementAfter(offset int) int {
	n := 1
	if offset > 0 {
		n = s.place(offset).line + 1
	}
	for ; n < len(s.lines); n++ {
		l := bytes.TrimLeft(s.line(n), " \t")
		if len(l) > 0 && l[0] != '#' {
			break
		}
	}
	return min(n, len(s.lines))
}
