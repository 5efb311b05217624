package config

import (
	"fmt"
	"strings"
)

// maxKey is the longest key that is quoted or compared.
const maxKey = 64

// nearest returns the word of known that word most likely was meant to be, ""
// if none is close.
func nearest(word string, known []string) string {
	if len(word) > maxKey {
		return ""
	}
	word = plain(word)
	best, least := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if d := edits(word, plain(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// plain takes away what people write differently without meaning to.
func plain(word string) string {
	var b strings.Builder
	for i := range len(word) {
		switch c := word[i]; {
		case c == '-' || c == '_' || c == '.':
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c - 'A' + 'a')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// edits is how many letters must be put in, taken out, changed, or swapped with
// their neighbour to make b of a (optimal string alignment).
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// quoted lists words for a sentence: "a", "b" or "c".
func quoted(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", w)
	}
	return b.String()
}

// meant is the word of known that word was meant to be, "" if none is close,
// and a hint that says so, or else what there is.
func meant(word string, known []string) (near, hint string) {
	if near = nearest(word, known); near != "" {
		return near, fmt.Sprintf("did you mean %q?", near)
	}
	return "", "use " + quoted(known)
}
