package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is a search of one type.
type query struct {
	typ         string
	ids         []string
	identifiers []token
	tags        []token
	filters     []filter
	offset      int
	limit       int // < 0: no limit
	newestFirst bool
	total       bool // tell how many match
	countOnly   bool // and nothing else
}

// token is a token parameter's value: system|value, |value, system| or value.
type token struct {
	system, value string
	anySystem     bool
}

func parseToken(s string) token {
	system, value, ok := strings.Cut(s, "|")
	if !ok {
		return token{value: s, anySystem: true}
	}
	return token{system: system, value: value}
}

func (t token) matches(id Identifier) bool {
	return (t.anySystem || t.system == id.System) && (t.value == "" || t.value == id.Value)
}

// filter wants a member to hold one of some values.
type filter struct {
	member    string
	reference bool
	values    []string
}

// referenceMember is the member that a reference parameter searches, or "".
func referenceMember(param string) string {
	switch param {
	case "subject", "specimen", "device", "result":
		return param
	case "patient":
		return "subject"
	case "based-on":
		return "basedOn"
	}
	return ""
}

const defaultCount, maxCount = 20, 1000

// parseQuery reads a search's parameters. One that it does not know is
// refused: to overlook it would find too much.
func parseQuery(typ, raw string) (query, *outcome) {
	q := query{typ: typ, limit: defaultCount}
	values, err := parseParams(raw)
	if err != nil {
		return q, badRequest("Invalid search parameters")
	}
	for name, all := range values {
		for _, v := range all {
			if o := q.set(name, v); o != nil {
				return q, o
			}
		}
	}
	return q, nil
}

// parseParams splits a query string. A semicolon is a character like others,
// as it is to a browser's URLSearchParams.
func parseParams(raw string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(strings.TrimPrefix(raw, "?"), ";", "%3B"))
}

func (q *query) set(name, v string) *outcome {
	bad := badRequest("Invalid value for search parameter: " + name)
	switch name {
	case "_id":
		q.ids = append(q.ids, strings.Split(v, ",")...)
	case "identifier":
		if q.identifiers != nil {
			return badRequest("Repeated search parameter: identifier")
		}
		for one := range strings.SplitSeq(v, ",") {
			t := parseToken(one)
			if t.system == "" && t.value == "" {
				return bad // it would match everything
			}
			q.identifiers = append(q.identifiers, t)
		}
	case "_tag":
		for one := range strings.SplitSeq(v, ",") {
			t := parseToken(one)
			if t.system == "" && t.value == "" {
				return bad
			}
			q.tags = append(q.tags, t)
		}
	case "status":
		q.filters = append(q.filters, filter{"status", false, strings.Split(v, ",")})
	case "_count", "_offset":
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || name == "_count" && n > maxCount {
			return bad
		}
		if name == "_count" {
			q.limit = n
		} else {
			q.offset = n
		}
	case "_sort":
		if v != "_lastUpdated" && v != "-_lastUpdated" {
			return bad
		}
		q.newestFirst = v[0] == '-'
	case "_total":
		q.total = v == "accurate"
	case "_summary":
		if v != "count" {
			return bad
		}
		q.total, q.countOnly, q.limit = true, true, 0
	case "_format":
	default:
		m := referenceMember(name)
		if m == "" {
			return badRequest("Unknown search parameter: " + name)
		}
		q.filters = append(q.filters, filter{m, true, strings.Split(v, ",")})
	}
	return nil
}

// candidates are the only rows that can match, in order, if an index tells.
func (q *query) candidates(t *table) (rows []int, indexed bool) {
	if q.ids != nil {
		for _, id := range q.ids {
			if row, ok := t.byID[id]; ok {
				rows = append(rows, row)
			}
		}
	} else {
		if q.identifiers == nil {
			return nil, false
		}
		for _, tok := range q.identifiers {
			if tok.value == "" {
				return nil, false
			}
			rows = append(rows, t.byValue[tok.value]...)
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows), true
}

func (q *query) matches(r *resource) bool {
	if q.ids != nil && !slices.Contains(q.ids, r.id) {
		return false
	}
	if q.identifiers != nil && !slices.ContainsFunc(q.identifiers, func(t token) bool {
		return slices.ContainsFunc(r.identifiers, t.matches)
	}) {
		return false
	}
	if q.tags != nil && !slices.ContainsFunc(q.tags, func(t token) bool { return slices.ContainsFunc(tagsOf(r.raw), t.matches) }) {
		return false
	}
	for _, f := range q.filters {
		if !f.matches(r.raw) {
			return false
		}
	}
	return true
}

func (f filter) matches(raw []byte) bool {
	v := find(raw, f.member)
	if !f.reference {
		return slices.Contains(f.values, text(v))
	}
	for ref := range references(v) {
		_, id, _ := strings.Cut(ref, "/")
		if slices.Contains(f.values, ref) || slices.Contains(f.values, id) {
			return true
		}
	}
	return false
}

// tagsOf are a resource's meta.tag, in the form of identifiers.
func tagsOf(raw []byte) []Identifier {
	var tags []struct{ System, Code string }
	if json.Unmarshal(find(find(raw, "meta"), "tag"), &tags) != nil {
		return nil
	}
	list := make([]Identifier, 0, len(tags))
	for _, t := range tags {
		list = append(list, Identifier{System: t.System, Value: t.Code})
	}
	return list
}

// search runs a search of type typ; base is the server's own URL, for links.
func (s *Server) search(base, typ, params string) result {
	if o := s.may(typ, Search); o != nil {
		return failed(o)
	}
	q, o := parseQuery(typ, params)
	if o != nil {
		return failed(o)
	}
	if o := s.charge(searchUnits); o != nil {
		return failed(o)
	}
	found, total := s.store.search(q)
	return result{status: http.StatusOK, body: q.searchset(base, params, found, total)}
}

func (q *query) searchset(base, params string, found []*resource, total int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Bundle","type":"searchset"`)
	if q.total {
		b.WriteString(`,"total":` + strconv.Itoa(total))
	}
	if next := q.offset + len(found); !q.countOnly && q.limit > 0 && next < total {
		link, _ := json.Marshal(base + "/" + q.typ + "?" + nextPage(params, next))
		b.WriteString(`,"link":[{"relation":"next","url":` + string(link) + `}]`)
	}
	quoted, _ := json.Marshal(base)
	prefix := `{"fullUrl":` + string(quoted[:len(quoted)-1]) + "/"
	for i, r := range found {
		sep := ","
		if i == 0 {
			sep = `,"entry":[`
		}
		b.WriteString(sep + prefix + r.ref() + `","search":{"mode":"match"},"resource":`)
		b.Write(r.raw)
		b.WriteByte('}')
	}
	if len(found) > 0 {
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return b.Bytes()
}

func nextPage(params string, offset int) string {
	v, _ := parseParams(params) // it was parsed before
	v.Set("_offset", strconv.Itoa(offset))
	return v.Encode()
}
