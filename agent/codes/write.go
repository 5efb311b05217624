package codes

import (
	"fmt"
	"slices"
	"strings"
)

// Merge says what importing a catalogue would do.
type Merge struct {
	Text    string // to be put at the end of codes.toml; "" for nothing
	Added   int    // codes that are written
	Several int    // of them, those with several LOINC codes, told apart by unit or specimen
	Choices int    // codes that a person has to choose for: written as comments
	Kept    int    // codes that the file has rows for, which stay as they are
}

// MergeInto makes codes.toml rows for the analyzer of a catalogue's rows, for
// the codes that the file has no row for yet. What a person wrote is never
// changed.
func MergeInto(own File, analyzer string, c *Catalogue, rows []Row) Merge {
	var m Merge
	var b strings.Builder
	fmt.Fprintf(&b, "\n# %s from %s", comment(analyzer), comment(strings.TrimSpace(c.Publisher+" "+c.Version)))
	if c.LOINC != "" {
		fmt.Fprintf(&b, ", LOINC %s", comment(c.LOINC))
	}
	b.WriteString(".\n# LOINC is copyright Regenstrief Institute, Inc. and the LOINC Committee: https://loinc.org/license\n")
	for _, code := range codesOf(rows) {
		if slices.ContainsFunc(own.Rows, func(r Row) bool { return r.Code == code && (r.Analyzer == analyzer || r.Analyzer == "") }) {
			m.Kept++
			continue
		}
		m.code(&b, analyzer, rowsOf(rows, code))
	}
	if m.Added+m.Choices > 0 {
		m.Text = b.String()
	}
	return m
}

func codesOf(rows []Row) (list []string) {
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.Code] {
			list = append(list, r.Code)
		}
		seen[r.Code] = true
	}
	return list
}

// rowsOf are the different rows of a code.
func rowsOf(rows []Row, code string) (list []Row) {
	for _, r := range rows {
		if r.Code == code && !slices.ContainsFunc(list, func(o Row) bool { return o.LOINC == r.LOINC && o.condition() == r.condition() }) {
			list = append(list, r)
		}
	}
	return list
}

// condition is what tells rows of one code apart.
func (r Row) condition() string {
	return strings.Join([]string{r.Unit, strings.ToLower(r.Specimen), r.Result, r.Property, r.System, r.Scale}, "\x00")
}

// code writes the rows of one code. Those that nothing tells apart are written
// as comments: the agent could not choose either.
func (m *Merge) code(b *strings.Builder, analyzer string, rows []Row) {
	clash := func(r Row) bool {
		return slices.ContainsFunc(rows, func(o Row) bool { return o.LOINC != r.LOINC && o.condition() == r.condition() })
	}
	choices := 0
	for _, r := range rows {
		prefix := ""
		if clash(r) {
			if choices++; choices == 1 {
				b.WriteString("\n# Choose one of these, or tell them apart with unit = or specimen = as the analyzer sends them.\n")
			}
			prefix = "# "
		} else {
			b.WriteString("\n")
		}
		r.Analyzer = analyzer
		r.write(b, prefix)
	}
	switch {
	case choices > 0:
		m.Choices++
	default:
		m.Added++
		if len(rows) > 1 {
			m.Several++
		}
	}
}

// write writes the row as a [[test]].
func (r Row) write(b *strings.Builder, prefix string) {
	b.WriteString(prefix + "[[test]]\n")
	for _, kv := range [][2]string{
		{"analyzer", r.Analyzer}, {"code", r.Code}, {"name", r.Name}, {"loinc", r.LOINC}, {"display", r.Display},
		{"result", r.Result}, {"property", r.Property}, {"system", r.System}, {"scale", r.Scale},
	} {
		if kv[1] != "" {
			b.WriteString(prefix + kv[0] + " = " + tomlText(kv[1]) + "\n")
		}
	}
}

// tomlText is a TOML basic string.
func tomlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comment is text that cannot end a comment's line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
}
