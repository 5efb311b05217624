package sandbox

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Resources are kept as compact JSON text and cut at the borders of their
// members, never decoded and encoded again: so every number keeps its digits.
// All functions below expect valid, compact JSON.

// member is one member of an object: its name, its value, and both as written.
type member struct {
	name  string
	value []byte
	whole []byte
}

// members yields the members of an object in order. What is not an object has
// none.
func members(obj []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		if len(obj) < 2 || obj[0] != '{' {
			return
		}
		for i := 1; i < len(obj)-1; i++ { // i steps over the comma
			colon := i + valueLen(obj[i:])
			end := colon + 1 + valueLen(obj[colon+1:])
			m := member{text(obj[i:colon]), obj[colon+1 : end], obj[i:end]}
			if !yield(m) {
				return
			}
			i = end
		}
	}
}

// valueLen is the length of the value that b begins with.
func valueLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringLen(b[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what holds a number, true, false or null
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// stringLen is the length of the string that b begins with, quotes included.
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// text is the content of a JSON string, and "" for anything else.
func text(b []byte) string {
	if len(b) < 2 || b[0] != '"' {
		return ""
	}
	if bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
		return string(b[1 : len(b)-1])
	}
	var s string
	_ = json.Unmarshal(b, &s) // b is valid
	return s
}

// find returns the value of a member; the last counts where a name comes twice.
func find(obj []byte, name string) []byte {
	var v []byte
	for m := range members(obj) {
		if m.name == name {
			v = m.value
		}
	}
	return v
}

// holdsEmpty reports whether somewhere in the value is an empty string, object
// or array, or a null as a member: FHIR's JSON has none of these.
func holdsEmpty(b []byte) bool {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringLen(b[i:])
			if n == 2 {
				return true
			}
			i += n - 1
		case '{':
			if b[i+1] == '}' {
				return true
			}
		case '[':
			if b[i+1] == ']' {
				return true
			}
		case ':':
			if b[i+1] == 'n' {
				return true
			}
		}
	}
	return false
}

const urnPrefix = "urn:uuid:"

// rewrite replaces every urn:uuid that the bundle resolved by its reference.
func rewrite(raw []byte, resolved map[string]string) []byte {
	if len(resolved) == 0 || !bytes.Contains(raw, []byte(urnPrefix)) {
		return raw
	}
	const length = len(urnPrefix) + 36
	var out []byte
	for {
		i := bytes.Index(raw, []byte(urnPrefix))
		if i < 0 {
			return append(out, raw...)
		}
		n := min(i+length, len(raw))
		if ref, ok := resolved[string(raw[i:n])]; ok {
			out = append(append(out, raw[:i]...), ref...)
		} else {
			n = i + len(urnPrefix)
			out = append(out, raw[:n]...)
		}
		raw = raw[n:]
	}
}

// references yields the text of every "reference" member, at any depth. The
// pattern cannot match inside of a string: its quotes would be escaped there.
func references(raw []byte) iter.Seq[string] {
	pattern := []byte(`"reference":"`)
	return func(yield func(string) bool) {
		for {
			i := bytes.Index(raw, pattern)
			if i < 0 {
				return
			}
			raw = raw[i+len(pattern)-1:]
			if !yield(text(raw[:stringLen(raw)])) {
				return
			}
		}
	}
}
