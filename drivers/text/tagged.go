package text

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// tags reads records whose fields name themselves.
type tags struct {
	rule      *rule
	delimiter string
	targets   map[string][]string // tag to fields
}

func (f *faults) tagged(where string, r *rule) layout {
	if len(r.Delimiter) == 0 {
		f.add("%s: delimiter is missing: give what stands before each tag, such as \"<RS>\"", where)
	}
	if (r.TagWidth > 0) == (r.TagEnd != "") || r.TagWidth < 0 {
		f.add("%s: give either tag_width (how long a tag is) or tag_end (what follows it)", where)
	}
	l := &tags{rule: r, delimiter: charsOf(r.Delimiter), targets: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		tag := r.Fields[name]
		if tag == "" || r.TagWidth > 0 && len(tag) != r.TagWidth {
			f.add("%s: %s: %q is not a tag of %d characters", where, name, tag, r.TagWidth)
		}
		l.targets[tag] = append(l.targets[tag], name)
	}
	if len(r.Fields[fValue]) > 0 && !r.yields(fTest) {
		f.add("%s: test is missing: say which tag holds the test's code, or what it is with set = { test = … }", where)
	}
	return l
}

// read gives each result what stands between the tag of its test and that of the
// next. Without a tag for the test, the value begins a result.
func (l *tags) read(rec record) ([]reading, bool) {
	r := reading{own: fields{}}
	begins := fTest
	if l.rule.Fields[fTest] == "" {
		begins = fValue
	}
	found := false
	columns := fields{}
	for part := range strings.SplitSeq(rec.text, l.delimiter) {
		tag, text, ok := l.tag(part)
		if !ok {
			continue
		}
		text = l.rule.clean(text)
		columns[tag] = text
		names := l.targets[tag]
		found = found || len(names) > 0
		if slices.Contains(names, begins) {
			r.results = append(r.results, measured{fields{}, l.rule.Decimals})
		}
		for _, name := range names {
			switch {
			case len(r.results) > 0 && slices.Contains(resultFields(), name):
				r.results[len(r.results)-1].fields[name] = text
			case r.own[name] == "":
				r.own[name] = text
			}
		}
	}
	for _, col := range l.rule.Results {
		value, there := columns[col.At]
		if !there {
			continue
		}
		found = true
		res := fields{fTest: col.Test, fName: col.Name, fUnit: or(columns[col.UnitAt], col.Unit), fValue: value}
		for name, at := range map[string]string{fFlag: col.FlagAt, fRange: col.RangeAt, fStatus: col.StatusAt} {
			res[name] = columns[at]
		}
		r.results = append(r.results, measured{res, orDecimals(col.Decimals, l.rule.Decimals)})
	}
	return []reading{r}, found
}

func (l *tags) tag(part string) (tag, text string, ok bool) {
	if l.rule.TagEnd != "" {
		tag, text, ok = strings.Cut(part, l.rule.TagEnd)
		return strings.TrimSpace(tag), text, ok
	}
	if len(part) < l.rule.TagWidth || l.rule.TagWidth == 0 {
		return "", "", false
	}
	return part[:l.rule.TagWidth], part[l.rule.TagWidth:], true
}

// groups reads records by a regular expression.
type groups struct {
	rule  *rule
	re    *regexp.Regexp
	names []string
}

func (f *faults) grouped(where string, r *rule) layout {
	if r.Pattern == "" {
		f.add("%s: pattern is missing: give a regular expression with groups such as (?P<value>[0-9.]+)", where)
	}
	re := f.pattern(where+": pattern", r.Pattern)
	if re == nil {
		return nil
	}
	known, named := Targets(), false
	for _, name := range re.SubexpNames() {
		if named = named || name != ""; name != "" && !slices.Contains(known, name) {
			f.add("%s: pattern: the group %q is not a field: use one of %q", where, name, known)
		}
	}
	if !named {
		f.add("%s: pattern has no named groups: write (?P<value>…) around what is to be read", where)
	}
	if r.yields(fValue) && !r.yields(fTest) {
		f.add("%s: test is missing: add a group (?P<test>…), or set = { test = … }", where)
	}
	return &groups{rule: r, re: re, names: re.SubexpNames()}
}

func (l *groups) read(rec record) (out []reading, ok bool) {
	for _, m := range l.re.FindAllStringSubmatch(rec.text, -1) {
		r, res := reading{own: fields{}}, fields{}
		for i, name := range l.names {
			text := l.rule.clean(m[i])
			switch {
			case name == "":
			case slices.Contains(resultFields(), name) && (l.rule.yields(fTest) || l.rule.yields(fValue)):
				res[name] = or(text, res[name])
			default:
				r.own[name] = or(text, r.own[name])
			}
		}
		if len(res) > 0 {
			r.results = []measured{{res, l.rule.Decimals}}
		}
		out = append(out, r)
	}
	return out, len(out) > 0
}
