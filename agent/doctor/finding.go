package doctor

import (
	"fmt"
	"strings"
)

// State is what a look at something came to.
type State string

// The values of [State].
const (
	Fine    State = "fine"
	Warning State = "warning" // it works, and a person should look at it
	Wrong   State = "wrong"   // results will not flow until a person acts
)

// Finding is what is to be said of one part.
type Finding struct {
	Check string `json:"check"` // what was looked at, in a word or two
	State State  `json:"state"`
	Text  string `json:"text"`           // how it is
	Hint  string `json:"hint,omitempty"` // what to do, where it is not fine
}

// Report takes findings as they are made.
type Report func(Finding)

func (r Report) fine(check, format string, args ...any) {
	r(Finding{Check: check, State: Fine, Text: fmt.Sprintf(format, args...)})
}

func (r Report) warn(check, text, hint string) {
	r(Finding{Check: check, State: Warning, Text: text, Hint: hint})
}

func (r Report) wrong(check, text, hint string) {
	r(Finding{Check: check, State: Wrong, Text: text, Hint: hint})
}

// Shadow takes the findings about the second server: what is wrong there is a
// warning, since no result waits for it.
func (r Report) Shadow() Report {
	table := strings.NewReplacer("[server", "[shadow") // looked at like the first, which is where the words are from
	return func(f Finding) {
		f.Check, f.Text, f.Hint = "shadow", f.Check+": "+table.Replace(f.Text), table.Replace(f.Hint)
		if f.State == Wrong {
			f.State = Warning
		}
		r(f)
	}
}
