package validate

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"
)

//go:embed assets/report.html
var page string

// columns are the fields of a result that have a column of their own.
func columns() []string {
	return []string{"specimen id", "test", "value", "unit", "range", "flags", "status", "effective time", "analysed", "received"}
}

// row is a result as the page shows it.
type row struct {
	Item
	Number string // "2.1": order and result
	Cells  []Field
	Other  []Field // without a column, or with a remark
}

func rowOf(i Item) row {
	r := row{Item: i, Number: fmt.Sprintf("%d.%d", i.Order, i.Result)}
	for _, name := range columns() {
		at := slices.IndexFunc(i.Fields, func(f Field) bool { return f.Name == name })
		if at < 0 {
			r.Cells = append(r.Cells, Field{Name: name})
			continue
		}
		r.Cells = append(r.Cells, i.Fields[at])
	}
	for _, f := range i.Fields {
		if !slices.Contains(columns(), f.Name) {
			r.Other = append(r.Other, f)
		}
	}
	return r
}

// WriteHTML writes a page to be printed: one file, nothing else is loaded.
func (r *Report) WriteHTML(out io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"time":    func(t time.Time) string { return t.Format("2006-01-02 15:04:05 -07:00") },
		"columns": columns,
		"class":   class,
		"mark":    mark,
		"count":   func(m map[Verdict]int, v Verdict) int { return m[v] },
		"results": func(m Message) (rows []row) {
			for _, i := range m.Items {
				if i.Kind == KindResult {
					rows = append(rows, rowOf(i))
				}
			}
			return rows
		},
		"reports": func(m Message) []Item {
			return slices.DeleteFunc(slices.Clone(m.Items), func(i Item) bool { return i.Kind != KindReport })
		},
		"verdicts": Verdicts,
		"meaning":  meaning,
		"odd":      r.odd,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("read the report's page: %w", err)
	}
	if err := t.Execute(out, r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Finding is an item that a person should look at.
type Finding struct {
	Message uint64
	Item    Item
}

// odd are the messages and items that are neither equal nor rightly left out.
func (r *Report) odd() (list []Finding) {
	for _, m := range r.Messages {
		if len(m.Items) == 0 && m.Verdict == Unread {
			list = append(list, Finding{m.Number, Item{Kind: "message", Verdict: m.Verdict, Remark: m.Remark}})
		}
		for _, i := range m.Items {
			if i.Verdict != Equal && i.Verdict != Skipped {
				list = append(list, Finding{m.Number, i})
			}
		}
	}
	return list
}

// Findings are what a person should look at, without what was sent: the fields
// that are not equal.
func (r *Report) Findings() []Finding {
	list := r.odd()
	for i := range list {
		list[i].Item.Fields = slices.DeleteFunc(slices.Clone(list[i].Item.Fields), func(f Field) bool { return f.Verdict == Equal || f.Verdict == Skipped })
	}
	return list
}

// class is a verdict as the style sheet knows it.
func class(v Verdict) string {
	if v == Skipped {
		return "skipped"
	}
	return string(v)
}

// mark is a verdict in one sign, for those who print in black and white.
func mark(v Verdict) string {
	return map[Verdict]string{Digits: "≈ ", Superseded: "↻ ", Unread: "? ", Differs: "≠ ", Missing: "✗ "}[v]
}

// meaning explains a verdict.
func meaning(v Verdict) string {
	return map[Verdict]string{
		Equal:      "the server holds what the analyzer sent",
		Digits:     "the same number, but the server does not keep its digits: 5.10 is there as 5.1",
		Superseded: "a newer message of the analyzer gave it a new version; that message's own lines say whether it is there",
		Differs:    "the server holds something else, or holds it twice",
		Missing:    "the server does not have it",
		Unread:     "the message, or the server's answer, could not be read",
		Skipped:    "rightly not on the server, or not for the analyzer to say; the reason stands beside it",
	}[v]
}
