package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written "64MiB" in the file.
type Size int64

// Units of Size.
const (
	KiB Size = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

// UnmarshalText reads a size with its unit.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
	unit := strings.TrimSpace(string(text)[len(digits):])
	factor := map[string]Size{
		"B": 1, "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": TiB,
		"KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}[unit]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || factor == 0 {
		return errors.New(`is not a size such as "64MiB"`)
	}
	if n > uint64(math.MaxInt64/factor) {
		return errors.New("is too large a size")
	}
	*s = Size(n) * factor
	return nil
}

// String is s in the largest unit that leaves no remainder.
func (s Size) String() string {
	for _, u := range []struct {
		size Size
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if s >= u.size && s%u.size == 0 {
			return fmt.Sprintf("%d%s", s/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

// parseSpan reads a time span: what time.ParseDuration reads, with days before
// it. Its errors quote nothing.
func parseSpan(text string) (time.Duration, error) {
	var days time.Duration
	if d, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(d, 10, 16)
		if err != nil {
			return 0, errors.New(`is not a time span such as "30d" or "1d12h"`)
		}
		days, text = time.Duration(n)*24*time.Hour, rest
	}
	if days > 0 && text == "" {
		return days, nil
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New(`is not a time span such as "30s", "2m" or "36h"`)
	}
	if span > math.MaxInt64-days {
		return 0, errors.New("is too long a time span")
	}
	return days + span, nil
}

// spanText is d as the file writes it.
func spanText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
