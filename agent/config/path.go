package config

import (
	"fmt"
	"strings"
)

// path names a value twice: for programs, and in the words of the messages.
type path struct {
	key   string // analyzer[1].serial.baud
	label string // analyzer "xn-550": serial.baud
}

// sub is the path of a key of the table at p.
func (p path) sub(name string) path {
	name = shown(name)
	if p.key == "" {
		return path{name, name}
	}
	sep := "."
	if strings.HasSuffix(p.label, ":") {
		sep = " "
	}
	return path{p.key + "." + name, p.label + sep + name}
}

// element is the path of element i of the list at p.
func (p path) element(i int) path {
	return path{fmt.Sprintf("%s[%d]", p.key, i), fmt.Sprintf("%s, entry %d:", p.what(), i+1)}
}

// what is p as the subject of a sentence.
func (p path) what() string { return strings.TrimSuffix(p.label, ":") }

// shown is a key as it may be quoted: what does not look like one may be a
// secret that went astray.
func shown(key string) string {
	const hidden = `"..."`
	if key == "" || len(key) > maxKey {
		return hidden
	}
	for i := range len(key) {
		if !isBare(key[i]) {
			return hidden
		}
	}
	return key
}
