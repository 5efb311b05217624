package text

import (
	"errors"

	"github.com/labcourier/labcourier/drivers"
)

// Reseal puts right the checks of frames whose text was changed: raw has the
// changes, before is what it was, byte for byte as long. A check that was wrong
// stays as it is.
func Reseal(raw, before []byte, s drivers.Section) error {
	var o Options
	if err := s.Decode(&o); err != nil {
		return err
	}
	desc, err := describe(o)
	if err != nil {
		return err
	}
	check := desc.framing.check
	switch {
	case len(raw) != len(before):
		return errors.New("the changed bytes are not as many as before")
	case check.kind == "":
		return nil
	case desc.framing.keep:
		return errors.New("frames whose marks are part of the text cannot be sealed again")
	}
	d := decoder{framing: desc.framing}
	d.reset()
	for at := 0; at < len(before); {
		n, e := d.feed(before[at:])
		at += n
		if e.kind != whole {
			continue
		}
		mark, size := len(e.end), check.size()
		sum, end := at-size, at-size-mark
		if check.before {
			end, sum = at-mark, at-mark-size
		}
		begin := min(sum, end) - len(e.text)
		copy(raw[sum:sum+size], check.of(desc.framing.start, raw[begin:begin+len(e.text)], raw[end:end+mark]))
	}
	return nil
}
