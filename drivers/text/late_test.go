package text_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/text"
)

// A date, a time or an operator holds for the results of its report wherever it
// stands, unless they have their own.
func TestLateTimes(t *testing.T) {
	o := text.Options{
		Frame: text.Frame{By: "file"}, Records: "lines", TimeFormats: []string{"YYYY-MM-DD hh:mm", "YYYY-MM-DD"},
		Record: []text.Rule{
			{Match: "^S", Layout: "delimited", Delimiter: text.Bytes(" "), Fields: map[string]string{"specimen": "2"}},
			{Match: "^D", Layout: "delimited", Delimiter: text.Bytes(" "), Fields: map[string]string{"date": "2"}},
			{Match: "^T", Layout: "delimited", Delimiter: text.Bytes(" "), Fields: map[string]string{"time": "2"}},
			{Match: "^O", Layout: "delimited", Delimiter: text.Bytes(" "), Fields: map[string]string{"operator": "2"}},
			{Match: "^R", Layout: "delimited", Delimiter: text.Bytes(" "), Fields: map[string]string{"test": "2", "value": "3"}},
			{Match: "^W", Layout: "delimited", Delimiter: text.Bytes(";"), Fields: map[string]string{"test": "2", "value": "3", "time": "4"}},
		},
	}
	for _, c := range []struct {
		name, message string
		want          []string // test, time, operator
	}{
		{"before", "S 1\nD 2026-11-22\nT 08:15\nO ann\nR A 1\n", []string{"A 2026-11-22T08:15 ann"}},
		{"behind", "S 1\nR A 1\nR B 2\nD 2026-11-22\nT 08:15\nO ann\n", []string{"A 2026-11-22T08:15 ann", "B 2026-11-22T08:15 ann"}},
		{"date before, time behind", "S 1\nD 2026-11-22\nR A 1\nT 08:15\n", []string{"A 2026-11-22T08:15 "}},
		{"time before, date behind", "S 1\nT 08:15\nR A 1\nD 2026-11-22\n", []string{"A 2026-11-22T08:15 "}},
		{"the first behind counts", "S 1\nR A 1\nO ann\nR B 2\nO bob\n", []string{"A  ann", "B  ann"}},
		{"a time of its own stays", "S 1\nW;A;1;2026-11-22 07:00\nR B 1\nD 2026-11-22\nT 08:15\n", []string{"A 2026-11-22T07:00 ", "B 2026-11-22T08:15 "}},
		{"not for another report", "S 1\nR A 1\nS 2\nR B 2\nO ann\n", []string{"A  ", "B  ann"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports, err := text.Parse([]byte(c.message), drivers.ParseOptions{Section: with(o)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, rep := range reports {
				if len(rep.Problems) > 0 {
					t.Errorf("problems %q", rep.Problems)
				}
				for _, r := range rep.Results {
					at := ""
					if r.Completed.Known() {
						at = r.Completed.Value.Format("2006-01-02T15:04")
					}
					got = append(got, r.Test.Code+" "+at+" "+r.Operator)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What reading the description for each message costs, and what it saves to read
// it once.
func BenchmarkCompile(b *testing.B) {
	for _, name := range []string{"csv-printer", "kx-21", "rapidlab-348"} {
		message := []byte(messages[name][0])
		o := drivers.ParseOptions{Section: with(options(b, name))}
		compiled, err := text.Compile(o.Section)
		if err != nil {
			b.Fatal(err)
		}
		for how, parse := range map[string]drivers.ParseFunc{"described each time": text.Parse, "described once": compiled} {
			b.Run(name+"/"+how, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(message)))
				for b.Loop() {
					if _, err := parse(message, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
