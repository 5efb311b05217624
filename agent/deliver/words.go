package deliver

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labcourier/labcourier/agent/fhir"
)

const (
	longestWords = 300 // bytes of the server's words that are kept
	mostIssues   = 3
	gap          = "…" // stands for what was left out
)

// quoted is what a server sets apart when it repeats a value. An apostrophe
// inside a word is none of these, and a quote that does not close takes the
// rest of the text with it.
var (
	quoted = regexp.MustCompile("(?s)\"[^\"]*(\"|$)|`[^`]*(`|$)|\\B'[^']*('|$)|“[^”]*(”|$)|‘[^’]*(’|$)|«[^»]*(»|$)")

	// path is an expression without a value in it: no quotes, no predicates.
	path = regexp.MustCompile(`^[A-Za-z]+(\.[A-Za-z]+|\[[0-9]{1,3}\]){0,12}$`)

	issueCode = regexp.MustCompile(`^[a-z]{1,12}(-[a-z]{1,12}){0,4}$`)
)

// words returns what an OperationOutcome says, without anything that may be of
// the entries that it is about. See the package's documentation for the rules.
func words(said *operationOutcome, sent []fhir.Entry) string {
	if said == nil {
		return ""
	}
	secret := valuesOf(sent)
	var parts []string
	for _, i := range said.Issue[:min(len(said.Issue), mostIssues)] {
		var p []string
		if issueCode.MatchString(i.Code) {
			p = append(p, i.Code)
		}
		for _, x := range i.Expression[:min(len(i.Expression), 2)] {
			if path.MatchString(x) && !secret.in(x) {
				p = append(p, x)
			}
		}
		for _, text := range []string{i.Details.Text, i.Diagnostics} {
			if text = secret.remove(text); text != "" && !slices.Contains(p, text) {
				p = append(p, text)
			}
		}
		if len(p) > 0 {
			parts = append(parts, strings.Join(p, ": "))
		}
	}
	return cut(strings.Join(parts, "; "), longestWords)
}

// values are the words of the values that were sent, in lower case.
type values map[string]bool

// ours are members whose values are of the mapping, not of the analyzer: without
// them every "Observation" in the server's words would be left out.
var ours = map[string]bool{"resourceType": true, "system": true, "url": true, "reference": true, "status": true}

func valuesOf(entries []fhir.Entry) values {
	v := values{}
	for _, e := range entries {
		v.add(e.Value)
		dec := json.NewDecoder(bytes.NewReader(e.Resource))
		dec.UseNumber()
		var resource any
		if dec.Decode(&resource) == nil {
			v.collect(resource)
		} else {
			v.add(string(e.Resource))
		}
	}
	return v
}

func (v values) collect(x any) {
	switch x := x.(type) {
	case map[string]any:
		for name, member := range x {
			if _, text := member.(string); !text || !ours[name] {
				v.collect(member)
			}
		}
	case []any:
		for _, element := range x {
			v.collect(element)
		}
	case string:
		v.add(x)
	}
}

func (v values) add(text string) {
	for _, w := range strings.FieldsFunc(text, notLetter) {
		v[strings.ToLower(w)] = true
	}
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }

// in reports whether any word of text is a word that was sent, holds one, or
// is the beginning of one that was cut off. Words of up to three letters count
// only as a whole: they are in everything.
func (v values) in(text string) bool {
	for _, w := range strings.FieldsFunc(text, notLetter) {
		w = strings.ToLower(w)
		if v[w] {
			return true
		}
		for sent := range v {
			if len(sent) > 3 && strings.Contains(w, sent) || len(w) > 3 && strings.HasPrefix(sent, w) {
				return true
			}
		}
	}
	return false
}

// odd reports whether a word is not plain English prose: a number, an encoded
// or foreign spelling in which a value could hide.
func odd(w string) bool {
	for _, r := range w {
		if r > unicode.MaxASCII || unicode.IsNumber(r) || strings.ContainsRune(`%&\@`, r) {
			return true
		}
	}
	return strings.IndexFunc(w, unicode.IsLetter) < 0 && !strings.Contains("-:|()", w)
}

// remove puts gaps where text may be of a value.
func (v values) remove(text string) string {
	text = quoted.ReplaceAllString(cut(strings.ToValidUTF8(text, gap), 8<<10), gap)
	var kept []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		if odd(w) || v.in(w) {
			w = gap
		}
		if w == gap && len(kept) > 0 && kept[len(kept)-1] == gap {
			continue
		}
		kept = append(kept, w)
	}
	if len(kept) == 1 && kept[0] == gap {
		return ""
	}
	return strings.Join(kept, " ")
}

// cut shortens s to n bytes, at a whole character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + gap
}

// oneLine makes a foreign error text fit for a log.
func oneLine(s string) string {
	return cut(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " "), 200)
}
