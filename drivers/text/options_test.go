package text_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/text"
)

// Every mistake in a description is told with the key that it is about and what
// to do. The configuration's checker finds the place by that key.
func TestMistakes(t *testing.T) {
	const rule = "\n[[analyzer.text.record]]\nlayout = \"fixed\"\nfields = { specimen = \"1-5\", test = \"6\", value = \"7-\" }\n"
	for _, c := range []struct{ toml, want string }{
		{"", `frame.by is missing: use one of`},
		{`frame = { by = "STX" }` + rule, `frame.by is "STX": use one of ["stx-etx" "line" "end" "length" "idle" "file"]`},
		{"ack = \"<ACK>\"\nframe = { by = \"file\" }" + rule, `ack is set, but frame.by = "file"`},
		{`frame = { by = "end" }` + rule, `frame.end is missing: by = "end" needs it`},
		{`frame = { by = "length" }` + rule, `frame.length is missing`},
		{`frame = { by = "idle" }` + rule, `frame.idle is missing`},
		{`frame = { by = "idle", idle = "1ms" }` + rule, `frame.idle is 1ms: use 20ms to 10m0s`},
		{`frame = { by = "line", start = "<STX>" }` + rule, `frame.start has no meaning with by = "line": remove it, or use by = "stx-etx"`},
		{`frame = { by = "line", end = "<CR>" }` + rule, `frame.end has no meaning`},
		{`frame = { by = "line", length = 5 }` + rule, `frame.length has no meaning`},
		{`frame = { by = "stx-etx", check = "crc" }` + rule, `frame.check is "crc": use one of`},
		{`frame = { by = "stx-etx", check_form = "hex" }` + rule, `frame.check is missing, but how it looks is given`},
		{`frame = { by = "stx-etx", check = "xor", check_at = "before" }` + rule, `frame.check_form must be "hex" where check_at is "before"`},
		{`frame = { by = "stx-etx", check = "xor", check_low_first = true }` + rule, `frame.check_low_first is only for a CRC`},
		{`frame = { by = "line", check = "xor", check_form = "hex" }` + rule, `frame.check_at must be "before" with by = "line"`},
		{`frame = { by = "stx-etx", check = "xor", keep_marks = true }` + rule, `frame.keep_marks is for frames`},
		{"nak = \"<NAK>\"\nframe = { by = \"line\" }" + rule, `nak is set without ack`},
		{"enquiry = \"<ENQ>\"\nframe = { by = \"line\" }" + rule, `enquiry is set without ack`},
		{"ack = \"<ACK>\"\nenquiry = \"ENQ\"\nframe = { by = \"line\" }" + rule, `enquiry is more than one byte`},
		{"message = { last = \"^8\", idle = \"1s\" }\nframe = { by = \"line\" }" + rule, `message has more than one end`},
		{"message = { first = \"^8\" }\nframe = { by = \"line\" }" + rule, `message.first is set, but not where a message ends`},
		{"message = { last = \"(\" }\nframe = { by = \"line\" }" + rule, `message.last is not a regular expression`},
		{"message = { end = \"END\" }\nframe = { by = \"line\" }" + rule, `message.end is more than one byte`},
		{"message = { last = \"^8\" }\nframe = { by = \"idle\", idle = \"1s\" }" + rule, `message cannot be put together from frames that nothing marks the end of`},
		{"close_ends = true\nframe = { by = \"line\" }" + rule, `close_ends has no meaning`},
		{"max_message = 3\nframe = { by = \"line\" }" + rule, `max_message is 3: use 16 to`},
		{"timeout = \"1ms\"\nframe = { by = \"line\" }" + rule, `timeout is 1ms`},
		{"decimal = \".\"\nframe = { by = \"line\" }" + rule, `decimal is "."`},
		{"time_formats = [\"yyyy\"]\nframe = { by = \"line\" }" + rule, `time_formats: "yyyy"`},
		{"statuses = { V = \"done\" }\nframe = { by = \"line\" }" + rule, `statuses: "V" stands for "done"`},
		{"specimen_pattern = \"(\"\nframe = { by = \"line\" }" + rule, `specimen_pattern is not a regular expression`},
		{`frame = { by = "line" }`, `record is missing: add a [[analyzer.text.record]]`},
		{rules("layout = \"none\"\nmatch = \"x\""), `record: no rule has a value`},
		{rules("layout = \"none\""), `record 1: match is missing`},
		{rules("layout = \"csv\""), `record 1: layout is "csv": use one of`},
		{rules("layout = \"fixed\"\nfields = { valu = \"3\" }"), `record 1: "valu" is not a field: use one of`},
		{rules("layout = \"fixed\"\nfields = { test = \"5-3\", value = \"x\" }"), `record 1: value: "x" is not a place: give the columns`},
		{rules("layout = \"fixed\"\nfields = { value = \"3\" }"), `record 1: test is missing`},
		{rules("layout = \"fixed\"\ndelimiter = \",\"\nfields = { test = \"1\", value = \"3\" }"), `record 1: delimiter has no meaning with layout = "fixed"`},
		{rules("layout = \"delimited\"\nfields = { test = \"1\", value = \"3\" }"), `record 1: delimiter is missing`},
		{rules("layout = \"delimited\"\ndelimiter = \",\"\nfields = { test = \"a\", value = \"3\" }"), `record 1: test: "a" is not a place: give the number`},
		{rules("layout = \"tagged\"\ndelimiter = \",\"\nfields = { test = \"a\", value = \"b\" }"), `record 1: give either tag_width`},
		{rules("layout = \"tagged\"\ndelimiter = \",\"\ntag_width = 2\nfields = { test = \"a\", value = \"bb\" }"), `"a" is not a tag of 2 characters`},
		{rules("layout = \"pattern\""), `record 1: pattern is missing`},
		{rules("layout = \"pattern\"\npattern = \"[\""), `record 1: pattern is not a regular expression`},
		{rules("layout = \"pattern\"\npattern = \"x\""), `record 1: pattern has no named groups`},
		{rules("layout = \"pattern\"\npattern = \"(?P<valeu>.)\""), `the group "valeu" is not a field`},
		{rules("layout = \"pattern\"\npattern = \"(?P<value>.)\""), `record 1: test is missing`},
		{rules("layout = \"xml\"\nfields = { test = \"a\", value = \"b\" }"), `record 1: path is missing`},
		{rules("layout = \"fixed\"\nresults = [ { test = \"A\" } ]"), `record 1: result 1 needs test (the code) and at`},
		{rules("layout = \"fixed\"\ndecimals = 12\nfields = { test = \"1\", value = \"2-\" }"), `record 1: decimals is 12`},
		{rules("layout = \"fixed\"\npurpose = \"QC\"\nfields = { test = \"1\", value = \"2-\" }"), `record 1: purpose is "QC"`},
		{rules("layout = \"fixed\"\nmatch = \"(\"\nfields = { test = \"1\", value = \"2-\" }"), `record 1: match is not a regular expression`},
	} {
		_, err := text.New("x", table(t, []byte("[[analyzer]]\n[analyzer.text]\n"+c.toml)), drivers.Deps{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n  got  %v\n  want %s", c.toml, err, c.want)
		}
	}
}

func rules(rule string) string {
	return fmt.Sprintf("frame = { by = \"line\" }\n[[analyzer.text.record]]\n%s\n", rule)
}

// All mistakes are told at once.
func TestMistakesTogether(t *testing.T) {
	_, err := text.New("x", table(t, []byte("[[analyzer]]\n[analyzer.text]\nmax_message = 3\ndecimal = \";\"\n")), drivers.Deps{})
	several, ok := err.(interface{ Unwrap() []error })
	if !ok || len(several.Unwrap()) != 4 {
		t.Errorf("%v", err)
	}
}

// What rules do to the reports, in small.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name, toml, message string
		want                string
		fails               string
	}{
		{"repeated fields", rules("layout = \"delimited\"\ndelimiter = \",\"\nrepeat = 2\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"),
			"S1,GLU,5,,,K,4,", "patient | S1 |  /   GLU |  | 5 | 5 |  |  |  |  | preliminary |  /   K |  | 4 | 4 |  |  |  |  | preliminary | ", ""},
		{"repeated columns", rules("layout = \"fixed\"\nrepeat = 6\nfields = { specimen = \"1-2\", test = \"3-5\", value = \"6-8\" }"),
			"S1GLU5.0NA 141", "patient | S1 |  /   GLU |  | 5.0 | 5.0 |  |  |  |  | preliminary |  /   NA |  | 141 | 141 |  |  |  |  | preliminary | ", ""},
		{"one test that the record does not name", rules("layout = \"delimited\"\ndelimiter = \"<HT>\"\nset = { test = \"HBA1C\", unit = \"%\" }\nfields = { specimen = \"1\", value = \"2\" }"),
			"S1\t5.9", "patient | S1 |  /   HBA1C |  | 5.9 | 5.9 |  | % |  |  | preliminary | ", ""},
		{"tags that end", rules("layout = \"tagged\"\ndelimiter = \"<LF>\"\ntag_end = \":\"\nfields = { specimen = \"ID\" }\nresults = [ { test = \"GLU\", at = \"Glucose\", unit = \"mg/dL\" } ]"),
			"ID: S1\nGlucose: 91\n", "patient | S1 |  /   GLU |  | 91 | 91 |  | mg/dL |  |  | preliminary | ", ""},
		{"two specimens", "records = \"lines\"\n" + rules("layout = \"delimited\"\ndelimiter = \",\"\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"),
			"S1,GLU,5\nS1,K,4\nS2,GLU,6\n", "patient | S1 |  /   GLU |  | 5 | 5 |  |  |  |  | preliminary |  /   K |  | 4 | 4 |  |  |  |  | preliminary |  / patient | S2 |  /   GLU |  | 6 | 6 |  |  |  |  | preliminary | ", ""},
		{"two specimens in one report", "one_report = true\nrecords = \"lines\"\n" + rules("layout = \"delimited\"\ndelimiter = \",\"\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"),
			"S1,GLU,5\nS2,GLU,6\n", "patient | S2 |  | hold: the message names more than one specimen, but one_report says that it holds one /   GLU |  | 5 | 5 |  |  |  |  | preliminary |  /   GLU |  | 6 | 6 |  |  |  |  | preliminary | ", ""},
		{"a record that no rule reads", "records = \"lines\"\n" + rules("layout = \"delimited\"\nmatch = \"^S\"\ndelimiter = \",\"\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"),
			"S1,GLU,5\nxyz\n", "patient | S1 |  | 1 of 2 records are read by no rule /   GLU |  | 5 | 5 |  |  |  |  | preliminary | ", ""},
		{"no record that a rule reads", rules("layout = \"delimited\"\nmatch = \"^S\"\ndelimiter = \",\"\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"),
			"xyz", "", "no rule reads any record"},
		{"nothing", rules("layout = \"delimited\"\ndelimiter = \",\"\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"), " \r\n", "", "empty"},
		{"an id that is none", rules("layout = \"delimited\"\ndelimiter = \",\"\nfields = { specimen = \"1\", test = \"2\", value = \"3\" }"),
			"Jane Doe,GLU,5", "patient | Jane Doe |  | hold: what stands in the field specimen is not a specimen id: the barcode was not read, or something else was typed /   GLU |  | 5 | 5 |  |  |  |  | preliminary | ", ""},
		{"a DTD", rules("layout = \"xml\"\npath = \"r\"\nfields = { specimen = \"@s\", test = \"@t\", value = \"@v\" }"),
			`<!DOCTYPE r [<!ENTITY a "aaaa">]><r s="S1" t="GLU" v="&a;"/>`, "", "DTD"},
		{"an entity that nobody declared", rules("layout = \"xml\"\npath = \"r\"\nfields = { specimen = \"@s\", test = \"@t\", value = \"@v\" }"),
			`<r s="S1" t="GLU" v="&a;"/>`, "", "not well-formed"},
		{"elements without end", rules("layout = \"xml\"\npath = \"r\"\nfields = { specimen = \"@s\", test = \"@t\", value = \"@v\" }"),
			strings.Repeat("<r>", 100), "", "nested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports, err := text.Parse([]byte(c.message), drivers.ParseOptions{Section: table(t, []byte("[[analyzer]]\n[analyzer.text]\n"+c.toml))})
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Fatalf("%v, want %q", err, c.fails)
			}
			if got := strings.Join(brief(reports), " / "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
