package text

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Options describe one analyzer: the text table of its configuration.
type Options struct {
	// Frame is how the bytes are cut.
	Frame Frame `toml:"frame"`

	// Message is how frames make a message. Unset: each frame is one.
	Message Assembly `toml:"message"`

	// Ack and Nak are the answers to a frame, taken and refused. Unset: none.
	Ack Bytes `toml:"ack"`
	Nak Bytes `toml:"nak"`

	// Enquiry is a byte between frames with which the analyzer asks whether it
	// may begin. It is answered with Ack while messages can be stored, else with
	// Nak.
	Enquiry Bytes `toml:"enquiry"`

	// CloseEnds says that the analyzer closes the connection when it has sent all:
	// that ends a message like the silence of idle does. Unset: what came last
	// before a connection closed is broken.
	CloseEnds bool `toml:"close_ends"`

	// Timeout is how long a frame, or a message, may pause in its middle before
	// it is taken for broken off. 0 means 30 seconds.
	Timeout time.Duration `toml:"timeout"`

	// MaxMessage is the longest message, in bytes. 0 means 1 MiB, or 16 MiB with
	// frames by = "file".
	MaxMessage int `toml:"max_message"`

	// Records is what stands between the records of a message: "lines" (CR, LF or
	// CR LF) or bytes. Unset: each frame is a record, and a message of one frame
	// is one record.
	Records string `toml:"records"`

	// Record are the rules by which records are read. The first rule that
	// applies to a record reads it.
	Record []Rule `toml:"record"`

	// OneReport says that a message is about one specimen, also where records
	// that come later name it.
	OneReport bool `toml:"one_report"`

	// TimeFormats are how the analyzer writes its times, with the letters YYYY,
	// YY, MM, M, MMM (Jan), DD, D, hh, h, mm, ss and AM: "DD/MM/YYYY hh:mm". The
	// first that fits is used. Unset: YYYYMMDD[hhmm[ss]].
	TimeFormats []string `toml:"time_formats"`

	// Decimal is "," if a comma in a value is its decimal point. Unset: a value
	// with a comma is text.
	Decimal string `toml:"decimal"`

	// Absent are texts that stand where there is no value, besides dashes and
	// asterisks.
	Absent []string `toml:"absent"`

	// Statuses are what the analyzer's words for a result's status mean:
	// { "V" = "final" }.
	Statuses map[string]string `toml:"statuses"`

	// SpecimenPattern is the regular expression (RE2) that a specimen id
	// matches; what does not is held for a person. "" means: 1 to 64 characters
	// without blanks, the first not @.
	SpecimenPattern string `toml:"specimen_pattern"`

	// QCPrefixes are how the ids of control materials begin. Unset: "QC-".
	QCPrefixes []string `toml:"qc_prefixes"`

	// QCKinds are the values of the field "kind" that mark a control.
	QCKinds []string `toml:"qc_kinds"`
}

// Frame cuts the analyzer's bytes.
type Frame struct {
	// By is what a frame is known by: "stx-etx" (a start mark, an end mark),
	// "line" (CR, LF or CR LF ends it), "end" (an end mark only), "length" (a
	// number of bytes), "idle" (silence ends it), "file" (all that comes until the
	// connection ends, or a whole file of a folder).
	By string `toml:"by"`

	// Start and End are the marks. "stx-etx" has them unless others are given,
	// "end" needs End, "length" can have Start.
	Start Bytes `toml:"start"`
	End   Bytes `toml:"end"`

	// KeepMarks says that the marks are part of the text, as the tags around an
	// XML document are.
	KeepMarks bool `toml:"keep_marks"`

	// Length is the number of bytes of a frame of "length", without Start and
	// check.
	Length int `toml:"length"`

	// Idle is how long a silence ends a frame of "idle".
	Idle time.Duration `toml:"idle"`

	// Check is what protects the frame: "none", "xor", "sum" (modulo 256),
	// "crc16" (ARC), "crc16-modbus", "crc16-ccitt", "crc16-xmodem".
	Check string `toml:"check"`

	// CheckForm is "byte" (as it is; two bytes of a CRC) or "hex" (two digits;
	// four of a CRC). Unset: "byte".
	CheckForm string `toml:"check_form"`

	// CheckAt is where the check stands: "after" the end mark or "before" it.
	// Unset: "after".
	CheckAt string `toml:"check_at"`

	// CheckOver is what it covers besides the text: "text", "text+end",
	// "start+text", "start+text+end". Unset: "text+end".
	CheckOver string `toml:"check_over"`

	// CheckLowFirst says that the low byte of a CRC goes first.
	CheckLowFirst bool `toml:"check_low_first"`
}

// Assembly makes messages of frames. One of Last, End and Idle says where a
// message ends.
type Assembly struct {
	// First is a regular expression for the frame that begins a message. What
	// came before and was not ended is then broken, or whole where Idle ends it.
	First string `toml:"first"`

	// Last is a regular expression for the frame that ends a message.
	Last string `toml:"last"`

	// End is a byte between frames that ends a message.
	End Bytes `toml:"end"`

	// Idle is how long a silence ends a message.
	Idle time.Duration `toml:"idle"`
}

// What a frame is known by.
const (
	byMarks  = "stx-etx"
	byLine   = "line"
	byEnd    = "end"
	byLength = "length"
	byIdle   = "idle"
	byFile   = "file"
)

const (
	defaultTimeout    = 30 * time.Second
	defaultMaxMessage = 1 << 20
	defaultMaxFile    = 16 << 20 // what the spool takes unless it is told otherwise
)

// description is Options, checked and ready for use.
type description struct {
	Options
	framing *framing
	first   *regexp.Regexp // nil: none
	last    *regexp.Regexp // nil: none
	records []byte         // nil: as framed
	lines   bool           // records are lines
	rules   []*rule
	times   []timeFormat
	id      *regexp.Regexp // nil: looksLikeID
}

// many reports whether a message may have several frames.
func (d *description) many() bool {
	return d.last != nil || len(d.Message.End) > 0 || d.Message.Idle > 0
}

// faults collects what is wrong with a description. Each begins with the key
// that it is about.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) oneOf(key, got string, want ...string) {
	if slices.Contains(want, got) {
		return
	}
	if got == "" {
		f.add("%s is missing: use one of %q", key, want)
		return
	}
	f.add("%s is %q: use one of %q", key, got, want)
}

func (f *faults) span(key string, got, low, high time.Duration) {
	if got != 0 && (got < low || got > high) {
		f.add("%s is %s: use %s to %s", key, got, low, high)
	}
}

// pattern compiles a regular expression; "" is none.
func (f *faults) pattern(key, text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		f.add("%s is not a regular expression: %w", key, err)
		return nil
	}
	return re
}

// describe checks o.
func describe(o Options) (*description, error) {
	var f faults
	if o.MaxMessage == 0 {
		o.MaxMessage = defaultMaxMessage
		if o.Frame.By == byFile {
			o.MaxMessage = defaultMaxFile
		}
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	d := &description{Options: o}
	if o.MaxMessage < 16 || o.MaxMessage > 64<<20 {
		f.add("max_message is %d: use 16 to %d bytes", o.MaxMessage, 64<<20)
	}
	f.span("timeout", o.Timeout, time.Second, time.Hour)
	d.framing = f.frame(o)
	f.answers(o)
	f.assembly(d)
	d.CloseEnds = d.CloseEnds || o.Frame.By == byFile
	switch o.Records {
	case "":
	case "lines":
		d.lines = true
	default:
		if err := (*Bytes)(&d.records).UnmarshalText([]byte(o.Records)); err != nil {
			f.add("records %w", err)
		}
	}
	f.rules(d)
	for _, text := range o.TimeFormats {
		t, err := newTimeFormat(text)
		if err != nil {
			f.add("time_formats: %w", err)
		}
		d.times = append(d.times, t)
	}
	if o.Decimal != "" && o.Decimal != "," {
		f.add("decimal is %q: use \",\" or leave it out; a point needs no setting", o.Decimal)
	}
	for word, status := range o.Statuses {
		if !knownStatus(status) {
			f.add("statuses: %q stands for %q, which is no status: use one of %q", word, status, statusNames())
		}
	}
	d.id = f.pattern("specimen_pattern", o.SpecimenPattern)
	if d.QCPrefixes == nil {
		d.QCPrefixes = []string{"QC-"}
	}
	return d, errors.Join(f...)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
