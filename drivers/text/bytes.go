package text

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bytes are bytes as the configuration writes them: text in which control
// characters stand by name or number in angle brackets, "<STX>", "<CR><LF>",
// "<0x1E>". Any other character up to U+00FF is the byte of that number.
type Bytes []byte

// controls are the names of the ASCII control characters, by number.
const controls = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"

// UnmarshalText reads the notation.
func (b *Bytes) UnmarshalText(text []byte) error {
	var out []byte
	for rest := string(text); rest != ""; {
		if c, size := named(rest); size > 0 {
			out, rest = append(out, c), rest[size:]
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		if r > 0xFF {
			return fmt.Errorf("holds %q, which is not one byte: write each of its bytes as <0xNN>", string(r))
		}
		out, rest = append(out, byte(r)), rest[size:]
	}
	*b = out
	return nil
}

// named reads a byte in angle brackets; size 0 means that s does not begin with
// one, and that its < is only that.
func named(s string) (c byte, size int) {
	if s[0] != '<' {
		return 0, 0
	}
	name, _, closed := strings.Cut(s[1:], ">")
	if !closed {
		return 0, 0
	}
	if digits, ok := strings.CutPrefix(name, "0x"); ok && len(digits) == 2 {
		if v, err := hex.DecodeString(digits); err == nil {
			return v[0], len("<>") + len(name)
		}
	}
	for i, n := range strings.Fields(controls) {
		if n == name {
			return byte(i), len("<>") + len(name)
		}
	}
	switch name {
	case "DEL":
		return 0x7F, len("<>") + len(name)
	case "SP":
		return ' ', len("<>") + len(name)
	}
	return 0, 0
}

// String is b in the notation.
func (b Bytes) String() string {
	var s strings.Builder
	names := strings.Fields(controls)
	for _, c := range b {
		switch {
		case int(c) < len(names):
			s.WriteString("<" + names[c] + ">")
		case c == '<' || c >= 0x7F:
			fmt.Fprintf(&s, "<0x%02X>", c)
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}
