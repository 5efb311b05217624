package port

import (
	"cmp"
	"slices"
	"strings"
)

// Info describes a serial line of this machine.
type Info struct {
	// Name is the line's name now: /dev/ttyUSB0, COM3.
	Name string

	// Stable is the name that stays the same when the adapter is pulled out and
	// put back, or the machine starts again: the one to configure. It is empty
	// where there is none, or where Name itself is stable (COM3, /dev/ttyS0).
	Stable string

	// Description says what the hardware calls itself; it may be empty.
	Description string
}

// List returns the serial lines that are present on this machine, whether or
// not they are in use, ordered by name. A machine without any is no error.
func List() ([]Info, error) {
	infos, err := list()
	slices.SortFunc(infos, func(a, b Info) int { // COM3 before COM12
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return infos, err
}
