//go:build linux || windows

package port

import "github.com/tarm/serial"

// tarmConfig says c in tarm/serial's words.
func tarmConfig(c SerialConfig, name string) *serial.Config {
	t := &serial.Config{
		Name:        name,
		Baud:        c.Baud,
		ReadTimeout: pollTime, // without one, nothing ends a read on a quiet line
		Size:        byte(c.DataBits),
		Parity:      serial.ParityNone,
		StopBits:    serial.Stop1,
	}
	switch c.Parity {
	case odd:
		t.Parity = serial.ParityOdd
	case even:
		t.Parity = serial.ParityEven
	case mark:
		t.Parity = serial.ParityMark
	case space:
		t.Parity = serial.ParitySpace
	}
	switch c.StopBits {
	case "1.5":
		t.StopBits = serial.Stop1Half
	case "2":
		t.StopBits = serial.Stop2
	}
	return t
}
