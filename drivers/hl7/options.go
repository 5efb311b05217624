package hl7

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// Options bend the driver for one analyzer. The zero value is the standard.
type Options struct {
	// IdleEnd, when set, lets silence of that length end a message, and a header
	// segment begin one, for gateways that eat VT and FS. 100ms to 60s.
	IdleEnd time.Duration `toml:"idle_end"`

	// MaxBlock is the longest block, in bytes, 1024 to 268,435,456. 0 means 16 MiB.
	MaxBlock int `toml:"max_block"`

	// AckMode: "auto" goes by MSH-15 and MSH-16, "original" pays no heed to
	// them. "" means "auto".
	AckMode string `toml:"ack_mode"`

	// BatchAck: "block" answers several messages in one block with one block of
	// as many acknowledgements, "message" with a block for each. "" means "block".
	BatchAck string `toml:"batch_ack"`

	// ProcessingIDs are the processing ids (MSH-11) that are taken, besides an
	// empty one. Unset: P, D, T, and Q, which marks controls.
	ProcessingIDs []string `toml:"processing_ids"`

	// CharsetFrom: "message" goes by MSH-18 where that names a character set,
	// "site" always by the analyzer's configured one. "" means "message".
	CharsetFrom string `toml:"charset_from"`

	// SpecimenID is the field, component and subcomponent that holds the
	// laboratory's specimen id: "OBR-3", "OBR-2.1", "PID-3", "SPM-2.2.1". ""
	// means the first of SPM-2.1, SPM-2.2, OBR-3, OBR-2 and SAC-3 that is there.
	SpecimenID string `toml:"specimen_id"`

	// SpecimenPattern is the regular expression (RE2) that a specimen id
	// matches; what does not is held for a person. "" means: 1 to 64 characters
	// without blanks, the first not @.
	SpecimenPattern string `toml:"specimen_pattern"`

	// SPM: "before" or "after" says on which side of its OBR a SPM or SAC
	// segment stands. "" and "auto" mean: as the first one of the message does.
	SPM string `toml:"spm"`

	// QCPrefixes are how the ids of control materials begin. Unset: "QC-".
	QCPrefixes []string `toml:"qc_prefixes"`

	// TestCode: "OBX-3", or "OBX-3/OBX-4" for analyzers that tell analytes apart
	// by the sub-id only (GeneXpert): the two are then joined by a slash. ""
	// means "OBX-3", and a sub-id becomes a note of the result.
	TestCode string `toml:"test_code"`
}

func (o Options) validate() error {
	var errs []error
	oneOf := func(key, got string, want ...string) {
		if got != "" && !slices.Contains(want, got) {
			errs = append(errs, fmt.Errorf("%s is %q: use one of %q", key, got, want))
		}
	}
	oneOf("ack_mode", o.AckMode, "auto", "original")
	oneOf("batch_ack", o.BatchAck, "block", "message")
	oneOf("charset_from", o.CharsetFrom, "message", "site")
	oneOf("spm", o.SPM, "auto", "before", "after")
	oneOf("test_code", o.TestCode, "OBX-3", "OBX-3/OBX-4")
	if o.IdleEnd != 0 && (o.IdleEnd < 100*time.Millisecond || o.IdleEnd > mllp.BlockTimeout) {
		errs = append(errs, fmt.Errorf("idle_end is %s: use 100ms to 60s", o.IdleEnd))
	}
	if o.MaxBlock != 0 && (o.MaxBlock < 1024 || o.MaxBlock > 256<<20) {
		errs = append(errs, fmt.Errorf("max_block is %d: use 1024 to 268435456 bytes", o.MaxBlock))
	}
	if slices.Contains(o.ProcessingIDs, "") {
		errs = append(errs, errors.New("processing_ids holds an empty one: an empty MSH-11 is always taken"))
	}
	if _, err := newSpecimenRule(o); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (o Options) decoder() *mllp.Decoder {
	return &mllp.Decoder{MaxBlock: o.MaxBlock, IdleEnd: o.IdleEnd}
}

// inForce lists the options that bend the standard, for the status.
func (o Options) inForce() (list []string) {
	list = drivers.AppendOption(list, "idle_end", o.IdleEnd, 0)
	list = drivers.AppendOption(list, "ack_mode", o.AckMode, "auto")
	list = drivers.AppendOption(list, "batch_ack", o.BatchAck, "block")
	list = drivers.AppendOption(list, "processing_ids", strings.Join(o.ProcessingIDs, " "), "")
	list = drivers.AppendOption(list, "charset_from", o.CharsetFrom, "message")
	list = drivers.AppendOption(list, "specimen_id", o.SpecimenID, "")
	list = drivers.AppendOption(list, "spm", o.SPM, "auto")
	return drivers.AppendOption(list, "test_code", o.TestCode, "OBX-3")
}
