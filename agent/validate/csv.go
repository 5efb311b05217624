package validate

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteCSV writes a row for each field (RFC 4180, UTF-8, lines end in CRLF).
//
// A spreadsheet takes a cell that begins with one of = + - @, a tab or a carriage
// return for a formula. Such a cell gets an apostrophe in front, and the row's last
// column, "guarded", names the columns where that was done: without their first
// character they are what was sent. Plain numbers with a sign are no formulas and
// stay as they are.
func (r *Report) WriteCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	head := []string{
		"message", "received", "sha256", "state", "order", "result", "kind", "test", "resource",
		"field", "sent", "server", "verdict", "remark", "item_verdict", "item_remark",
	}
	if err := w.Write(append(head, "guarded")); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for i := range r.Messages {
		for _, row := range r.Messages[i].rows() {
			if err := w.Write(guard(head, row)); err != nil {
				return fmt.Errorf("write CSV: %w", err)
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// rows are the message's: one at least.
func (m *Message) rows() (rows [][]string) {
	own := []string{fmt.Sprint(m.Number), m.Received.UTC().Format(time.RFC3339), m.SHA256, m.State}
	if len(m.Items) == 0 {
		return [][]string{append(own, "", "", "message", "", "", "", "", "", string(m.Verdict), m.Remark, string(m.Verdict), m.Remark)}
	}
	for _, i := range m.Items {
		result := ""
		if i.Result > 0 {
			result = fmt.Sprint(i.Result)
		}
		item := slices.Concat(own, []string{fmt.Sprint(i.Order), result, i.Kind, i.Test, i.Resource})
		if len(i.Fields) == 0 {
			rows = append(rows, slices.Concat(item, []string{"", "", "", string(i.Verdict), i.Remark, string(i.Verdict), i.Remark}))
		}
		for _, f := range i.Fields {
			rows = append(rows, slices.Concat(item, []string{f.Name, f.Sent, f.Held, string(f.Verdict), f.Remark, string(i.Verdict), i.Remark}))
		}
	}
	return rows
}

// guard makes a row safe for spreadsheets, and says where it did.
func guard(head, row []string) []string {
	var guarded []string
	for i, cell := range row {
		if formula(cell) {
			row[i] = "'" + cell
			guarded = append(guarded, head[i])
		}
	}
	return append(row, strings.Join(guarded, " "))
}

// formula reports whether a spreadsheet might compute a cell.
func formula(cell string) bool {
	if cell == "" || !strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return false
	}
	if rest := cell[1:]; strings.ContainsRune("+-", rune(cell[0])) && rest != "" && strings.Trim(rest, "0123456789.") == "" && strings.Count(rest, ".") < 2 {
		return false // a number
	}
	return true
}
