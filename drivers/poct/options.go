package poct

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/labcourier/labcourier/drivers"
)

// Options fit the driver to one device. The zero value is the standard.
type Options struct {
	// SpecimenID is the element that holds what the laboratory knows the specimen
	// by. "" means "ORD.order_id". Devices without orders have nothing else than
	// "PT.patient_id".
	SpecimenID string `toml:"specimen_id"`

	// SpecimenPattern is the regular expression (RE2) that a specimen id matches;
	// what does not is held for a person. "" means: 1 to 64 characters without
	// blanks, the first not @.
	SpecimenPattern string `toml:"specimen_pattern"`

	// QCPrefixes are how the ids of control materials begin. Unset: "QC-".
	QCPrefixes []string `toml:"qc_prefixes"`

	// SetClock sends the device this computer's time in every conversation.
	SetClock bool `toml:"set_clock"`

	// Continuous is when the device is told to send results as they come, with
	// START_CONTINUOUS: "auto" (if it says that it can), "never" or "always". ""
	// means "auto".
	Continuous string `toml:"continuous"`

	// MaxMessage is the longest document, in bytes, 1024 to 67108864. 0 means
	// 1 MiB.
	MaxMessage int `toml:"max_message"`

	// Manufacturer, Model and Serial are the device's, where HEL does not say them,
	// or not rightly.
	Manufacturer string `toml:"manufacturer"`
	Model        string `toml:"model"`
	Serial       string `toml:"serial"`
}

const (
	defaultMaxMessage = 1 << 20
	defaultSpecimenID = "ORD.order_id"
)

func (o Options) validate() error {
	var errs []error
	switch o.Continuous {
	case "", "auto", "never", "always":
	default:
		errs = append(errs, fmt.Errorf(`continuous is %q: use one of ["auto" "never" "always"]`, o.Continuous))
	}
	if o.MaxMessage != 0 && (o.MaxMessage < 1<<10 || o.MaxMessage > 64<<20) {
		errs = append(errs, fmt.Errorf("max_message is %d: use %d to %d bytes", o.MaxMessage, 1<<10, 64<<20))
	}
	if o.SpecimenID != "" {
		if object, field, ok := strings.Cut(o.SpecimenID, "."); !ok || object == "" || field == "" || strings.ContainsAny(field, "./ ") {
			errs = append(errs, fmt.Errorf(`specimen_id is %q: name an element of the result, like "ORD.order_id" or "PT.patient_id"`, o.SpecimenID))
		}
	}
	if _, err := regexp.Compile(o.SpecimenPattern); err != nil {
		errs = append(errs, fmt.Errorf("specimen_pattern is not a regular expression: %w", err))
	}
	return errors.Join(errs...)
}

// inForce lists the options that bend the standard, for the status.
func (o Options) inForce() (list []string) {
	list = drivers.AppendOption(list, "specimen_id", o.SpecimenID, defaultSpecimenID)
	list = drivers.AppendOption(list, "set_clock", o.SetClock, false)
	return drivers.AppendOption(list, "continuous", o.Continuous, "auto")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
