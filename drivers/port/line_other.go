//go:build !linux && !windows

package port

import "errors"

// stopBits lists what could be set.
func stopBits() []string { return []string{"1", "2"} }

// openLine knows no serial lines of this system: tarm/serial needs a C compiler
// for them.
func openLine(SerialConfig) (line, error) { return nil, errors.ErrUnsupported }

// explainOpen says what to do instead.
func explainOpen(device string, err error) error {
	return hinted("open serial "+device, err, "serial lines work on Linux and Windows only; use a serial device server and TCP")
}
