package text

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// checker computes and compares the check of a frame.
type checker struct {
	kind      string // "" for none
	hex       bool   // as hexadecimal digits, not as bytes
	lowFirst  bool   // the low byte of a CRC goes first
	before    bool   // it stands before the end mark, not behind it
	withStart bool   // it covers the start mark
	withEnd   bool   // it covers the end mark
}

// crc16 is a CRC of 16 bits. The names are those of the usual catalogues.
type crc16 struct {
	poly, init uint16
	reflected  bool
}

// crcNamed returns the parameters of a CRC by its name in the configuration.
func crcNamed(kind string) (crc16, bool) {
	switch kind {
	case "crc16": // CRC-16/ARC
		return crc16{0xA001, 0, true}, true
	case "crc16-modbus":
		return crc16{0xA001, 0xFFFF, true}, true
	case "crc16-ccitt": // CRC-16/IBM-3740
		return crc16{0x1021, 0xFFFF, false}, true
	case "crc16-xmodem":
		return crc16{0x1021, 0, false}, true
	}
	return crc16{}, false
}

func (p crc16) sum(parts ...[]byte) uint16 {
	c := p.init
	for _, part := range parts {
		for _, b := range part {
			if p.reflected {
				c ^= uint16(b)
			} else {
				c ^= uint16(b) << 8
			}
			for range 8 {
				switch {
				case p.reflected && c&1 != 0:
					c = c>>1 ^ p.poly
				case p.reflected:
					c >>= 1
				case c&0x8000 != 0:
					c = c<<1 ^ p.poly
				default:
					c <<= 1
				}
			}
		}
	}
	return c
}

// size is how many bytes the check takes up in the frame.
func (c checker) size() int {
	n := 1
	if c.kind == "" {
		return 0
	}
	if _, ok := crcNamed(c.kind); ok {
		n = 2
	}
	if c.hex {
		n *= 2
	}
	return n
}

// of computes the check of a frame, as it is sent.
func (c checker) of(start, text, end []byte) []byte {
	if !c.withStart {
		start = nil
	}
	if !c.withEnd {
		end = nil
	}
	var raw []byte
	if p, ok := crcNamed(c.kind); ok {
		raw = binary.BigEndian.AppendUint16(nil, p.sum(start, text, end))
		if c.lowFirst {
			raw[0], raw[1] = raw[1], raw[0]
		}
	} else {
		var x, sum byte
		for _, part := range [][]byte{start, text, end} {
			for _, b := range part {
				x, sum = x^b, sum+b
			}
		}
		if raw = []byte{x}; c.kind == "sum" {
			raw[0] = sum
		}
	}
	if c.hex {
		return bytes.ToUpper([]byte(hex.EncodeToString(raw)))
	}
	return raw
}

// matches reports whether got is the check of a frame. Hexadecimal digits may be
// of either case.
func (c checker) matches(start, text, end, got []byte) bool {
	want := c.of(start, text, end)
	return bytes.Equal(want, got) || c.hex && bytes.EqualFold(want, got)
}
