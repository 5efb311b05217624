package fhir

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// object is a resource by its members; what is inside of them stays text, so
// that numbers keep their digits.
type object map[string]json.RawMessage

// merge is the earlier resource with what e says of it now. Whatever others
// have added since stays: the subject, the order, somebody's conclusion. Its
// identifiers are both, so that an attempt whose answer was lost is recognised.
func (e Entry) merge(c *stored) (json.RawMessage, error) {
	var was, is object
	if json.Unmarshal(c.raw, &was) != nil || json.Unmarshal(e.Resource, &is) != nil || was == nil || is == nil {
		return nil, errors.New("merge a correction: a resource is not an object")
	}
	if a, b := text(was["subject"]), text(is["subject"]); was["subject"] != nil && is["subject"] != nil && a != b {
		return nil, errors.New("the earlier result is another patient's: a person must look")
	}
	status, _ := mergedStatus(e.Type, was, is) // before the lists of results are joined
	for name := range was {
		if strings.HasPrefix(name, "effective") && (is["effectiveDateTime"] != nil || is["effectivePeriod"] != nil) {
			delete(was, name) // there can be only one of effective[x]
		}
		if strings.HasPrefix(name, "value") || slices.Contains([]string{"dataAbsentReason", "interpretation", "referenceRange", "method"}, name) {
			delete(was, name) // of the value that was wrong
		}
	}
	for name, v := range is {
		switch name {
		case "identifier":
			was[name] = union(was[name], v, nil)
		case "extension":
			was[name] = union(was[name], v, func(x json.RawMessage) bool { return urlOf(x) == urlAnalyzed })
		case "note":
			was[name] = union(was[name], v, ownRemark)
		case "result":
			was[name] = union(was[name], v, nil)
		case "status":
			was[name] = status
		case "meta":
			was[name] = mergedMeta(was[name], v)
		case "category", "code", "specimen", "device", "subject", "basedOn", "resourceType", "id":
			if _, there := was[name]; !there {
				was[name] = v
			}
		default:
			was[name] = v
		}
	}
	var buf encodeBuffer
	return buf.encode(was)
}

// union is the elements of both lists, each once, without those of the first
// that drop names.
func union(was, is json.RawMessage, drop func(json.RawMessage) bool) json.RawMessage {
	var a, b, out []json.RawMessage
	if json.Unmarshal(was, &a) != nil {
		a = nil // not there
	}
	if json.Unmarshal(is, &b) != nil {
		return was
	}
	seen := map[string]bool{}
	for i, x := range append(a, b...) {
		key := text(x)
		if i < len(a) && drop != nil && drop(x) || seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, x)
	}
	list, err := json.Marshal(out)
	if err != nil {
		return was
	}
	return list
}

// text is an element in a form that can be compared: a reference by where it
// points, an identifier by system and value.
func text(x json.RawMessage) string {
	var e struct {
		Reference string `json:"reference"`
		System    string `json:"system"`
		Value     string `json:"value"`
	}
	err := json.Unmarshal(x, &e)
	switch {
	case err != nil: // no such element
	case e.Reference != "":
		return e.Reference
	case e.Value != "":
		return e.System + "|" + e.Value
	}
	v, err := json.Marshal(x) // compacts it
	if err != nil {
		return string(x)
	}
	return string(v)
}

func urlOf(x json.RawMessage) string {
	var e extension
	if json.Unmarshal(x, &e) != nil {
		return ""
	}
	return e.URL
}

// ownRemark reports whether a note is this package's, and so about the value
// that was.
func ownRemark(x json.RawMessage) bool {
	var a annotation
	return json.Unmarshal(x, &a) == nil && a.AuthorString == "labcourier"
}

// mergedStatus is the status after an update. A report of many results is not
// wrong because one of them was, and not complete because one is final now:
// others are then those of which nothing is known here.
func mergedStatus(typ string, was, is object) (status json.RawMessage, others []string) {
	if typ != "DiagnosticReport" {
		return is["status"], nil
	}
	var before, now []reference
	if json.Unmarshal(was["result"], &before) != nil || json.Unmarshal(is["result"], &now) != nil {
		return is["status"], nil
	}
	for _, r := range before {
		if !slices.ContainsFunc(now, func(n reference) bool { return n.Reference == r.Reference }) {
			others = append(others, r.Reference)
		}
	}
	var had string
	switch {
	case len(others) == 0:
		return is["status"], nil
	case json.Unmarshal(was["status"], &had) == nil && finality(had) < settled:
		return was["status"], others
	}
	return json.RawMessage(`"corrected"`), nil
}

// mergedMeta keeps the profiles, labels and tags that are there, without what
// is the server's own to set.
func mergedMeta(was, is json.RawMessage) json.RawMessage {
	var a, b object
	if json.Unmarshal(was, &a) != nil || a == nil || json.Unmarshal(is, &b) != nil {
		return is
	}
	for _, name := range []string{"versionId", "lastUpdated", "author", "project", "account", "accounts", "compartment"} {
		delete(a, name)
	}
	for name, v := range b {
		if name == "tag" {
			v = union(a[name], v, func(x json.RawMessage) bool {
				var c coding
				return json.Unmarshal(x, &c) == nil && (c.System == systemEffect || c.System == "urn:labcourier:version")
			})
		}
		a[name] = v
	}
	out, err := json.Marshal(a)
	if err != nil {
		return is
	}
	return out
}
