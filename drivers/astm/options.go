package astm

import (
	"errors"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Options bend the standard for one analyzer. The zero value is the standard.
type Options struct {
	// Framing: "lis01", or "none" for analyzers that send bare records, without
	// the frames, checksums and handshake of LIS01. "" means "lis01".
	Framing string `toml:"framing"`

	// Answer is what a message gets that came with framing = "none": "none", or
	// "ack" for ACK once it is stored and NAK if it cannot be. "" means "none".
	Answer string `toml:"answer"`

	// IdleEnd, when set, lets silence of that length, and the next H record, end
	// a message that came with framing = "none". 100ms to 60s. Unset: only its L
	// record with a line end does.
	IdleEnd time.Duration `toml:"idle_end"`

	// End is what ends a message: "L", its L record, or "eot", for analyzers
	// that send none. "" means "L".
	End string `toml:"end"`

	// Checksum: "required" (upper-case hexadecimal digits), "any-case", or
	// "none" for frames that have no checksum at all. "" means "required".
	Checksum string `toml:"checksum"`

	// FrameEnd: "crlf", or "any" for analyzers that leave CR, LF or both out
	// after the checksum. "" means "crlf".
	FrameEnd string `toml:"frame_end"`

	// MaxFrame is the longest text of one frame, in bytes, 240 to 1,048,576.
	// 0 means MaxFrameText.
	MaxFrame int `toml:"max_frame"`

	// MaxMessage is the longest message, in bytes. 0 means 16 MiB.
	MaxMessage int `toml:"max_message"`

	// SpecimenID is the field, and component, that holds the laboratory's
	// specimen id: "O.3" (the default), "O.4.3" for Sysmex, "P.4".
	SpecimenID string `toml:"specimen_id"`

	// SpecimenPattern is the regular expression (RE2) that a specimen id
	// matches; what does not is held for a person. "" means: 1 to 64 characters
	// without blanks, the first not @.
	SpecimenPattern string `toml:"specimen_pattern"`

	// Decimal is "," if a comma in a value is its decimal point: 7,41. Unset: a
	// value with a comma is text.
	Decimal string `toml:"decimal"`

	// QCPrefixes are how the ids of control materials begin. Unset: "QC-".
	QCPrefixes []string `toml:"qc_prefixes"`
}

const defaultMaxMessage = 16 << 20

func (o Options) validate() error {
	var errs []error
	oneOf := func(key, got string, want ...string) {
		for _, w := range want {
			if got == w || got == "" {
				return
			}
		}
		errs = append(errs, fmt.Errorf("%s is %q: use one of %q", key, got, want))
	}
	between := func(key string, got, low, high int) {
		if got != 0 && (got < low || got > high) {
			errs = append(errs, fmt.Errorf("%s is %d: use %d to %d bytes", key, got, low, high))
		}
	}
	oneOf("framing", o.Framing, "lis01", "none")
	oneOf("answer", o.Answer, "none", "ack")
	if o.Framing != "none" && (o.Answer != "" || o.IdleEnd != 0) {
		errs = append(errs, errors.New(`answer and idle_end are for framing = "none": frames have their own answers and ends`))
	}
	if o.Framing == "none" && (o.End == "eot" || o.Checksum != "" || o.FrameEnd != "" || o.MaxFrame != 0) {
		errs = append(errs, errors.New(`end, checksum, frame_end and max_frame are for frames: take them out, or framing = "none"`))
	}
	if o.IdleEnd != 0 && (o.IdleEnd < 100*time.Millisecond || o.IdleEnd > time.Minute) {
		errs = append(errs, fmt.Errorf("idle_end is %s: use 100ms to 60s", o.IdleEnd))
	}
	oneOf("end", o.End, "L", "eot")
	oneOf("checksum", o.Checksum, "required", "any-case", "none")
	oneOf("frame_end", o.FrameEnd, "crlf", "any")
	oneOf("decimal", o.Decimal, ".", ",")
	between("max_frame", o.MaxFrame, 240, 1<<20)
	between("max_message", o.MaxMessage, 240, 256<<20)
	if _, err := newSpecimenRule(o); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// inForce lists the options that bend the standard, for the status.
func (o Options) inForce() (list []string) {
	list = drivers.AppendOption(list, "framing", o.Framing, "lis01")
	list = drivers.AppendOption(list, "answer", o.Answer, "none")
	list = drivers.AppendOption(list, "idle_end", o.IdleEnd, 0)
	list = drivers.AppendOption(list, "end", o.End, "L")
	list = drivers.AppendOption(list, "checksum", o.Checksum, "required")
	list = drivers.AppendOption(list, "frame_end", o.FrameEnd, "crlf")
	list = drivers.AppendOption(list, "max_frame", o.MaxFrame, MaxFrameText)
	list = drivers.AppendOption(list, "specimen_id", o.SpecimenID, defaultPlace)
	return drivers.AppendOption(list, "decimal", o.Decimal, ".")
}
