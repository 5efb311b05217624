package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in the file, or a warning about it.
type Fault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1; 0 means the file as a whole
	Column int    `json:"column"` // in characters, from 1; 0 as Line

	// Key is the path of the key, with analyzers counted from 0:
	// "analyzer[1].serial.baud". It is empty where no key is at fault.
	Key string `json:"key"`

	Problem string `json:"problem"` // what is wrong, a sentence without a full stop
	Hint    string `json:"hint"`    // what to do about it
}

// String is f as people read it: the place and what is wrong, and what to do on
// a line of its own.
func (f Fault) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s\n    %s", f.File, f.Problem, f.Hint)
	}
	return fmt.Sprintf("%s:%d: %s\n    %s", f.File, f.Line, f.Problem, f.Hint)
}

// Faults is every mistake of a file, sorted by place. It is the error that
// [Load], [Parse] and a driver's section return.
type Faults []Fault

var _ error = Faults(nil)

// Error is one block of text for each fault.
func (fs Faults) Error() string {
	blocks := make([]string, len(fs))
	for i, f := range fs {
		blocks[i] = f.String()
	}
	return strings.Join(blocks, "\n")
}

func sortFaults(fs []Fault) {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// asError returns fs as an error, nil if there is none.
func asError(fs []Fault) error {
	if len(fs) == 0 {
		return nil
	}
	sortFaults(fs)
	return Faults(fs)
}
